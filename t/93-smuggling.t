# Requests that two parsers could read in two ways: the upstream sees exactly one, or none

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::Front;
use Teagate::H2;
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $https = listen_on('127.0.0.1');
my $port = $https->sockport;
my $host = "localhost:$port";

# An upstream that trusts what it is sent: takes a body as it is framed, and whatever follows for another request
my $upstream_port = upstream(sub {
    my ($socket, $head, $rest) = @_;
    my $more = sub { sysread $socket, $$rest, 65536, length $$rest };
    if ($head =~ /^Transfer-Encoding: *chunked\r$/mi) {
        while (1) {
            until ($$rest =~ /\r\n/) { $more->() or return 0 }
            $$rest =~ s/\A([0-9a-f]+)[^\r\n]*\r\n//i or return 0;
            my $length = hex $1;
            while (length $$rest < $length + 2) { $more->() or return 0 }
            substr $$rest, 0, $length + 2, '';
            last if !$length;
        }
    } elsif ($head =~ /^Content-Length: *(\d+)\r$/mi) {
        my $length = $1;
        while (length $$rest < $length) { $more->() or return 0 }
        substr $$rest, 0, $length, '';
    }
    print $socket "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    return 1;
});
my $proxy = Teagate::Front->start(https => $https, host => $host, address => '127.0.0.1', port => $upstream_port, connections => 8);

my $poison = "GET /poison HTTP/1.1\r\nHost: $host\r\n\r\n";

# All bytes at once; the statuses that come back until the server closes or is silent
sub statuses {
    my ($bytes) = @_;
    my $socket = secure($port) or return 'no connection';
    my ($text, $select, $until) = ('', IO::Select->new($socket), time + 3);
    print $socket $bytes;
    $socket->flush;
    while (time < $until) {
        last if !$socket->pending && !$select->can_read(0.4);
        sysread $socket, $text, 65536, length $text or last;
    }
    return join ' ', $text =~ m{^(?:ok)?HTTP/1\.[01] (\d+) }mg;
}

sub head { my ($line, @fields) = @_; return join "\r\n", $line, @fields, '', '' }

sub post { return head('POST /o/r HTTP/1.1', "Host: $host", @_) }

# check(name, bytes, statuses, heads that the upstream may see)
sub shown { return $_[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger }

sub check {
    my ($name, $bytes, $wanted, @seen) = @_;
    $name = shown($name);
    forget_seen();
    like(statuses($bytes), $wanted, $name);
    my @heads = map { m{^head (\S+ \S+) } } seen('^head ');
    is("@heads", "@seen", "$name: the upstream sees " . (@seen ? 'what was asked for' : 'nothing'));
    return;
}

my $chunks = "5\r\nabcde\r\n0\r\n\r\n";

subtest 'a body has one length' => sub {
    my $smuggled = "0\r\n\r\n$poison";
    check('length and encoding', post('Content-Length: 6', 'Transfer-Encoding: chunked') . $smuggled, qr/^400$/);
    check('encoding and length', post('Transfer-Encoding: chunked', 'Content-Length: ' . length $smuggled) . $smuggled, qr/^400$/);
    check('two lengths', post('Content-Length: 0', 'Content-Length: ' . length $poison) . $poison, qr/^400$/);
    check('the same length twice', post('Content-Length: 3', 'Content-Length: 3') . 'abc', qr/^200$/, 'POST /o/r');
    is(scalar(() = (seen('^head '))[0] =~ /^Content-Length:/gmi), 1, 'goes on as one');
    check('a list of lengths', post('Content-Length: 3, 3') . "abc$poison", qr/^400$/);
    check("length '$_'", post("Content-Length: $_") . "abc$poison", qr/^400$/)
        for '+3', '-3', '0x3', '3a', ' 3 3', "3\x0b", '', '18446744073709551619', '99999999999999999999';
};

subtest 'an encoding is chunked or nothing' => sub {
    for my $value ('xchunked', 'chunked, chunked', 'chunked, identity', 'identity', 'gzip, chunked', 'chunked;q=1', "chunked\x0b", '"chunked"', "\x0bchunked", ', chunked') {
        check("Transfer-Encoding: $value", post("Transfer-Encoding: $value") . "0\r\n\r\n$poison", qr/^(?:400|501)$/);
    }
    check("'$_'", post($_) . "0\r\n\r\n$poison", qr/^400$/)
        for 'Transfer-Encoding : chunked', "Transfer-Encoding\t: chunked", ' Transfer-Encoding: chunked', "X: y\n Transfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked",
        "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding\0: chunked";
    check('two of them', post('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') . "0\r\n\r\n$poison", qr/^400$/);
    check('of HTTP/1.0', head('POST /o/r HTTP/1.0', "Host: $host", 'Transfer-Encoding: chunked') . "0\r\n\r\n$poison", qr/^400$/);
    check('with an underscore', post('Transfer_Encoding: chunked', 'Content-Length: 3') . 'abc', qr/^(?:200|400)$/, 'POST /o/r');
    check('in capitals', post('TRANSFER-ENCODING: CHUNKED') . $chunks, qr/^200$/, 'POST /o/r');
};

subtest 'chunks are read strictly' => sub {
    for my $body ("5\nabcde\r\n0\r\n\r\n", "0x5\r\nabcde\r\n0\r\n\r\n", "5;x\nabcde\r\n0\r\n\r\n", "5\r\nabcdeX\r\n0\r\n\r\n", "-5\r\nabcde\r\n0\r\n\r\n", "\r\nabcde\r\n0\r\n\r\n",
        "ffffffffffffffff5\r\nabcde\r\n0\r\n\r\n", " 5\r\nabcde\r\n0\r\n\r\n") {
        my $shown = shown(substr $body, 0, 18);
        forget_seen();
        my $got = statuses(post('Transfer-Encoding: chunked') . $body . $poison);
        unlike($got, qr/200/, "$shown: no answer but a refusal") or diag $got;
        is(scalar(grep { /poison/ } seen('^head ')), 0, "$shown: nothing is taken for a request");
    }
    check('an extension', post('Transfer-Encoding: chunked') . "5;x=\"y\"\r\nabcde\r\n0\r\n\r\n", qr/^200$/, 'POST /o/r');
    check('trailers', post('Transfer-Encoding: chunked') . "5\r\nabcde\r\n0\r\nContent-Length: 99\r\n\r\n", qr/^200$/, 'POST /o/r');
};

subtest 'lines end as they should' => sub {
    check('bare LF', "GET /o/r HTTP/1.1\nHost: $host\n\n$poison", qr/^400$/);
    check('bare LF after a field', "GET /o/r HTTP/1.1\r\nHost: $host\r\nX: y\nZ: z\r\n\r\n$poison", qr/^400$/);
    check('bare CR', "GET /o/r HTTP/1.1\r\nHost: $host\r\nX: y\rZ: z\r\n\r\n", qr/^400$/);
    check('a folded line', head('GET /o/r HTTP/1.1', "Host: $host", 'X: y', ' z'), qr/^400$/);
    check('a folded first line', head('GET /o/r HTTP/1.1', " X: y", "Host: $host"), qr/^400$/);
    check('NUL in a value', head('GET /o/r HTTP/1.1', "Host: $host", "X: a\0b"), qr/^400$/);
    check('a field without a name', head('GET /o/r HTTP/1.1', "Host: $host", ': x'), qr/^400$/);
};

subtest 'a target has one form, and a request one host' => sub {
    check("target '$_'", head("GET $_ HTTP/1.1", "Host: $host"), qr/^40[05]$/)
        for "http://$host/o/r", "https://other.test/o/r", 'o/r', '*', '/o/../r', "/o r";
    check('no host', head('GET /o/r HTTP/1.1', 'X: y'), qr/^400$/);
    check('two hosts', head('GET /o/r HTTP/1.1', "Host: $host", 'Host: other.test'), qr/^400$/);
    check("host '$_'", head('GET /o/r HTTP/1.1', "Host: $_"), qr/^4(?:00|21)$/)
        for "$host, other.test", "$host/x", "user\@$host", "$host\@other.test", "other.test $host", '', "localhost:$port:1", "localhost:0$port";
    check('CONNECT', head("CONNECT $host HTTP/1.1", "Host: $host") . $poison, qr/^40[05]$/);
    check('another version', head('GET /o/r HTTP/2.0', "Host: $host"), qr/^(?:400|505)?$/);
};

subtest 'requests that follow each other are told apart' => sub {
    my $get = sub { head("GET /o/$_[0] HTTP/1.1", "Host: $host") };
    check('three in one write', $get->(1) . $get->(2) . $get->(3), qr/^200 200 200$/, 'GET /o/1', 'GET /o/2', 'GET /o/3');
    check('with a body between them', post('Content-Length: ' . length $poison) . $poison . $get->(2), qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('with chunks between them', post('Transfer-Encoding: chunked') . sprintf("%x\r\n%s\r\n0\r\n\r\n", length $poison, $poison) . $get->(2),
        qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('after a refusal', head('GET /o/../r HTTP/1.1', "Host: $host") . $get->(2), qr/^400(?: 200)?$/, seen_after_refusal());
    check('HTTP/1.0 is one request', head('GET /o/r HTTP/1.0', "Host: $host") . $poison, qr/^200$/, 'GET /o/r');
    check('GET with a body', head('GET /o/r HTTP/1.1', "Host: $host", 'Content-Length: ' . length $poison) . $poison, qr/^(?:200|400)$/, 'GET /o/r');
};

sub seen_after_refusal { return statuses(head('GET /o/../r HTTP/1.1', "Host: $host") . head('GET /o/2 HTTP/1.1', "Host: $host")) =~ / 200/ ? ('GET /o/2') : () }

subtest 'HTTP/2 becomes one request of HTTP/1.1' => sub {
    my $reset_or_400 = sub {
        my ($name, @option) = @_;
        forget_seen();
        my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $port, SSL_hostname => 'localhost', SSL_verify_mode => 0, SSL_alpn_protocols => ['h2']) or die;
        my $h2 = Teagate::H2->new(socket => $socket, window => 1 << 20);
        my $answer = $h2->answer($h2->request(scheme => 'https', authority => $host, path => '/o/r', @option), 3);
        ok(defined $answer->{reset} || $h2->{is_closed} || ($answer->{status} // 0) =~ /^4/, "$name: refused");
        is(scalar(() = seen('^head ')), 0, "$name: the upstream sees nothing");
    };
    $reset_or_400->('transfer-encoding', headers => ['transfer-encoding', 'chunked']);
    $reset_or_400->('connection', headers => ['connection', 'content-length']);
    $reset_or_400->('a length that is none', headers => ['content-length', '5']);
    $reset_or_400->('a line break in a value', headers => ['x', "a\r\nTransfer-Encoding: chunked"]);
    $reset_or_400->('a line break in a name', headers => ["x: y\r\ntransfer-encoding", 'chunked']);
    $reset_or_400->('a colon in a name', headers => ['x:y', 'z']);
    $reset_or_400->('a line break in the path', path => "/o/r HTTP/1.1\r\nHost: $host\r\n\r\nGET /poison");
    $reset_or_400->('a blank in the method', method => "GET /poison HTTP/1.1\r\nX:");
    $reset_or_400->('another host', headers => ['host', 'other.test']);
    $reset_or_400->('a line break in the authority', authority => "$host\r\nX: y");
    $reset_or_400->('two paths', headers => [':path', '/poison']);
};

$proxy->stops_clean('the front ends in order');
done_testing;
