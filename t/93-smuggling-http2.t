# HTTP/2 becomes one request of HTTP/1.1, or none: what is no request (RFC 9113 8.2, 8.3), and what would be two

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::Front qw(forget_seen);
use Teagate::H2 qw(DATA HEADERS SETTINGS END_STREAM literal indexed);
use Teagate::Recorder;
use Test::More;

start_recorder();
my $host = host_name();
my $poison = poison();

sub h2 { return Teagate::H2->new(socket => connection('h2') // die('no connection'), window => 1 << 20) }

sub ask {
    my ($h2, %option) = @_;
    my $body = delete $option{body};
    my $id = $h2->request(scheme => 'https', authority => $host, path => '/o/r', body => defined $body, %option);
    $h2->data($id, $body, 1) if defined $body;
    return $h2->answer($id, 3);
}

# Neither an answer of the upstream's nor a request there; the connection serves the next one, unless it was ended for good. Of a body
# that is not as long as it should be the upstream may have seen the head (begun => 1), and then the end of its connection; where that was
# a whole request, it may have answered.
sub refused {
    my ($name, %option) = @_;
    $name = shown($name);
    my $may_answer = delete $option{may_answer};
    my $begun = delete $option{begun} ? qr/^(?:POST \/o\/r)?$/ : qr/^$/;
    my $h2 = h2();
    forget_seen();
    my $answer = ask($h2, %option);
    ok($may_answer || defined $answer->{reset} || defined $h2->{goaway} || ($answer->{status} // 0) =~ /^4/, "$name: refused") or diag explain $answer;
    like(join(', ', requests_seen()), $begun, "$name: the upstream sees no request");
    return if $h2->{is_closed} || defined $h2->{goaway};
    forget_seen();
    is(ask($h2, path => '/o/next')->{status}, 200, "$name: the next request is answered");
    is(join(', ', grep { !/$begun/ } requests_seen()), 'GET /o/next', "$name: and is itself");
    return;
}

# Exactly one request, with this head
sub passes {
    my ($name, $wanted, %option) = @_;
    $name = shown($name);
    my $h2 = h2();
    forget_seen();
    is(ask($h2, %option)->{status}, 200, "$name: answered");
    my @heads = heads_seen();
    is(scalar @heads, 1, "$name: the upstream sees one request") or diag join "\n", @heads;
    like($heads[0] // '', $wanted, "$name: as it should be");
    return;
}

subtest 'pseudo-headers' => sub {
    my %without = map { $_ => undef } qw(method scheme authority path);
    my $all = literal(':method', 'GET') . literal(':scheme', 'https') . literal(':authority', $host) . literal(':path', '/o/r');
    refused("no :$_", $_ => undef) for qw(method scheme path);
    refused('neither :authority nor host', authority => undef);
    refused("two :$_->[0]", headers => [":$_->[0]", $_->[1]]) for ['method', 'GET'], ['method', 'POST'], ['scheme', 'https'], ['authority', $host],
        ['authority', 'other.test'], ['path', '/poison'];
    refused('one behind a field', block => literal('x', 'y') . $all);
    refused('one between fields', block => literal(':method', 'GET') . literal('x', 'y') . literal(':scheme', 'https') . literal(':authority', $host) . literal(':path', '/o/r'));
    refused(":$_", headers => [":$_", 'x']) for qw(status protocol foo);
    refused('a bare colon', headers => [':', 'x']);
    refused("an empty :$_", $_ => '') for qw(method scheme authority path);
    refused("scheme '$_'", scheme => $_) for 'ftp', 'https ', "https\r\nx: y", 'https://x/?', "http\0";
    refused("in capitals, $_", block => $all =~ s/:method/:Method/r) for ':Method';
    passes('host instead of :authority', qr/^GET \/o\/r HTTP.*\r\nHost: \Q$host\E\r\n/s, authority => undef, headers => ['host', $host]);
    passes('host as :authority', qr/\A(?!.*\r\nHost:.*\r\nHost:)/is, headers => ['host', $host]);
};

subtest 'methods, paths and authorities' => sub {
    refused("method '$_'", method => $_) for 'GET /poison HTTP/1.1', "GET\r\nHost: x", "GET\0", "G\tET", 'G:T', "GET\n", ' GET', 'GET ', 'CONNECT', 'TRACE', "\xc0";
    refused("path '$_'", path => $_) for "/o/r HTTP/1.1\r\nHost: $host\r\n\r\nGET /poison", '/o/r HTTP/1.1', "/o/r\n", "/o/r\0", "/o\tr", 'o/r', "https://$host/o/r", "\@$host/o/r", '*', '?x', '/o/../r', '/o/r#x', "/o/r?a b", "/\x7f";
    refused("authority '$_'", authority => $_) for "$host\r\nX: y", "user\@$host", "$host/x", "$host other.test", "$host,other.test", "$host\0", "$host?", "$host#", "$host:1", " $host", "[$host]", "other.test";
    refused("host '$_'", headers => ['host', $_]) for 'other.test', "$host, $host", '', "$host:1";
    refused('two hosts', headers => ['host', $host, 'host', $host]);
    refused('host twice, one of them another', headers => ['host', 'other.test', 'host', $host]);
};

subtest 'names' => sub {
    refused("name '$_'", headers => [$_, 'y']) for 'X', 'x y', 'x:', 'x:y', "x\r\ny", "x\n", "x\0", '', "x\t", "\x80", 'x(', "x: y\r\ntransfer-encoding", 'Transfer-Encoding', 'Content-Length', "x\x7f";
};

subtest 'values' => sub {
    refused("value '$_'", headers => ['x', $_]) for "a\r\nb: c", "a\nb", "a\rb", "a\0b", "a\r\n\r\nGET /poison HTTP/1.1", "\na", "a\n", ' a', 'a ', "\ta", "a\t", "a\x7f", "a\x01";
    refused("cookie '$_'", headers => ['cookie', $_]) for "a=b\r\nx: y", "a=b\0";
    passes('bytes beyond ASCII', qr/\r\nx: \xe4\r\n/i, headers => ['x', "\xe4"]);
};

subtest 'fields of a connection' => sub {
    refused("$_->[0]: $_->[1]", headers => [@$_]) for ['connection', 'close'], ['connection', 'content-length'], ['keep-alive', '5'], ['proxy-connection', 'close'],
        ['transfer-encoding', 'chunked'], ['transfer-encoding', 'identity'], ['transfer-encoding', ''], ['upgrade', 'h2c'], ['te', 'chunked'], ['te', 'trailers, chunked'],
        ['http2-settings', 'AAMAAABkAARAAAAAAAIAAAAA'];
    refused('transfer-encoding with a body that holds a request', method => 'POST', headers => ['transfer-encoding', 'chunked'], body => "0\r\n\r\n$poison");
    passes('te: trailers', qr/\A(?!.*\r\nte:)/is, headers => ['te', 'trailers']);
};

subtest 'lengths' => sub {
    my $length = length $poison;
    refused("length '$_' of five", begun => 1, method => 'POST', headers => ['content-length', $_], body => 'abcde') for 4, 6, 100, '+5', '-5', '5,5', '0x5', '', ' 5', '5 ', '5.0', "5\0", '18446744073709551621', 'x';
    refused('two lengths', begun => 1, method => 'POST', headers => ['content-length', 5, 'content-length', 6], body => 'abcde');
    refused('length 0 and a request for a body', begun => 1, may_answer => 1, method => 'POST', headers => ['content-length', 0], body => $poison);
    refused('a length and no body', method => 'POST', headers => ['content-length', 5]);
    refused('GET with a length and no body', headers => ['content-length', $length]);
    passes('a request in a body with its length', qr/\A(?!.*transfer-encoding).*\r\nContent-Length: $length\r\n/is, method => 'POST', headers => ['content-length', $length], body => $poison);
    passes('a request in a body without a length', qr/\A(?!.*content-length).*\r\nTransfer-Encoding: chunked\r\n/is, method => 'POST', body => $poison);
    passes('GET with a body that holds a request', qr/\AGET \/o\/r/, body => $poison);
    passes('HEAD with a length and a body', qr/\AHEAD \/o\/r/, method => 'HEAD', headers => ['content-length', $length], body => $poison);
};

subtest 'what stands behind a body stays there' => sub {
    my $ask = sub {
        my ($block) = @_;
        my $h2 = h2();
        forget_seen();
        my $id = $h2->request(scheme => 'https', authority => $host, path => '/o/r', method => 'POST', body => 1);
        $h2->data($id, 'abcde');
        $h2->send_block($id, END_STREAM, $block);
        my $answer = $h2->answer($id, 3);
        is(ask($h2, path => '/o/next')->{status}, 200, 'the next request is answered');
        unlike(join('', heads_seen()), qr/evil/, 'nothing of it is in a head');
        return $answer;
    };
    for my $field (['host', 'evil'], ['content-length', '99'], ['authorization', 'evil'], ['cookie', 'i_like_gitea=evil'], ['x-real-ip', 'evil'], ['x-request-id', 'evil'], ['expect', 'evil'], ['sudo', 'evil'], ['trailer', 'evil'], ['x_webauth_user', 'evil']) {
        is($ask->(literal(@$field) . literal('x-ok', '1'))->{status}, 200, "$field->[0]: answered");
        is(join(', ', requests_seen()), 'POST /o/r, GET /o/next', 'two requests');
        is(join('|', trailers_seen()), 'x-ok: 1', 'and it ends here');
    }
    for my $field ([':path', '/poison'], [':evil', 'x'], ['connection', 'evil'], ['transfer-encoding', 'chunked'], ['upgrade', 'evil'], ['te', 'evil'], ['X', 'evil'], ["x: evil\r\ny", 'z'], ['x', "a\r\n\r\nGET /evil HTTP/1.1"], ['x', "evil\0"],
        ['x', ' evil'], ["x\r\n", 'evil'], ['', 'evil']) {
        my $name = shown("$field->[0]: $field->[1]");
        ok(defined $ask->(literal('x-ok', '1') . literal(@$field))->{reset}, "'$name' resets the stream");
        like(join(', ', grep { $_ ne 'GET /o/next' } requests_seen()), qr/^(?:POST \/o\/r)?$/, 'the upstream sees the next request only');
        is(join('|', trailers_seen()), '', 'and no trailer');
    }
};

subtest 'expectations' => sub {
    forget_seen();
    for my $value ('100-continue', 'x', '') {
        my $answer = ask(h2(), method => 'POST', headers => ['expect', $value], body => $poison);
        like($answer->{status}, qr/^(?:200|417)$/, "expect: $value");
        unlike(join('', heads_seen()), qr/^expect:/mi, "expect: $value: goes no further");
    }
    is((scalar grep { /poison/ } requests_seen()), 0, 'no body is a request');
};

stop_recorder();
done_testing;
