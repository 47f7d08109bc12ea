# Requests that two parsers could read in two ways: the upstream sees exactly one, or none

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::Front qw(forget_seen);
use Teagate::Recorder;
use Test::More;

start_recorder();
my $host = host_name();
my ($port) = $host =~ /:(\d+)/;
my $poison = poison();
my $length = length $poison;
my $chunks = "5\r\nabcde\r\n0\r\n\r\n";
my $chunked_poison = sprintf "%x\r\n%s\r\n0\r\n\r\n", $length, $poison;
my $smuggled = "0\r\n\r\n$poison";

# 400, and nothing of what follows is read any more
my $ended = qr/^400(?: closed)?$/;
sub refused { my (@cases) = @_; check_all($ended, [], @cases); return }

# a body in chunks that is none; its head may have gone up already
sub broken {
    my ($body) = @_;
    my $shown = shown(substr $body, 0, 24);
    forget_seen();
    my $got = told(post('Transfer-Encoding: chunked') . $body . $poison);
    like($got, $ended, "$shown: refused");
    is(scalar(grep { /poison/ } requests_seen()), 0, "$shown: nothing is taken for a request");
    return;
}

subtest 'a body has one length' => sub {
    refused(['length and encoding', post('Content-Length: 6', 'Transfer-Encoding: chunked') . $smuggled],
        ['encoding and length', post('Transfer-Encoding: chunked', 'Content-Length: ' . length $smuggled) . $smuggled],
        ['two lengths', post('Content-Length: 0', "Content-Length: $length") . $poison],
        ['two lengths, apart', post('Content-Length: 0', 'X: y', "content-length: $length") . $poison],
        ['a list of lengths', post('Content-Length: 3, 3') . "abc$poison"]);
    refused(map { ["length '$_'", post("Content-Length: $_") . "abc$poison"] } '+3', '-3', '0x3', '3a', '3 3', "3\x0b", '', '18446744073709551619',
        '99999999999999999999', '3.0', '3e0', "\xb2", '1_0', '3;', "3\0", "\0003", '0000000000000000000000003', '"3"', 'x');
    refused(map { ["'$_'", post($_) . $poison] } "Content-Length : $length", "Content-Length\t: $length", " Content-Length: $length", "X: y\nContent-Length: $length",
        "X: y\rContent-Length: $length", "Content-Length\0: $length", "Content-Length:\r\n $length");
    check('the same length twice', post('Content-Length: 3', 'Content-Length: 3') . 'abc', qr/^200$/, 'POST /o/r');
    is(scalar(() = (heads_seen())[0] =~ /^Content-Length:/gmi), 1, 'goes on as one');
    check("'$_'", post($_) . "abc$poison", qr/^200 200$/, 'POST /o/r', 'GET /poison') for "Content-Length:\t3", 'Content-Length:3', 'Content-Length: 3 ', 'content-length: 03';
    check('none for a POST', post() . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('a name that is none', post("Content_Length: $length") . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('a length that Connection names', post('Connection: content-length', "Content-Length: $length") . $poison, qr/^200(?: closed)?$/, 'POST /o/r');
};

subtest 'an encoding is chunked or nothing' => sub {
    refused(map { ["Transfer-Encoding:$_", post("Transfer-Encoding:$_") . $smuggled] } ' xchunked', ' chunked, chunked', ' chunked, identity', ' identity', ' gzip, chunked',
        ' identity, chunked', ' chunked;q=1', " chunked\x0b", ' "chunked"', " 'chunked'", " \x0bchunked", "\x0bchunked", " \x0cchunked", ' , chunked', ' ,chunked', ' chunked,', '',
        ' chunk', " \0chunked", " chunked\0", " ch\x96nked", " chunked\xa0", ' chunked, cow', ' cow, chunked', " chunked\rX: y", " x\r\n chunked", "\r\n chunked", ' chunked chunked');
    refused(map { ["'$_'", post($_) . $smuggled] } 'Transfer-Encoding : chunked', "Transfer-Encoding\t: chunked", ' Transfer-Encoding: chunked', "\tTransfer-Encoding: chunked",
        "X: y\n Transfer-Encoding: chunked", "X: y\r\n Transfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "X: y\r\n\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked", "Transfer-Encoding\0: chunked", "Transfer-Encoding\n: chunked", "Transfer\x85-Encoding: chunked", "\0Transfer-Encoding: chunked",
        "\x0bTransfer-Encoding: chunked", "Transfer\rEncoding: chunked", 'Transfer Encoding: chunked', "Transfer-Encoding\xa0: chunked");
    refused(map { ["'$_->[0]' and '$_->[1]'", post(@$_) . $smuggled] } ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], ['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'],
        ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], ['Transfer-Encoding: chunked', 'transfer-encoding: cow'], ['Transfer-Encoding: cow', 'TRANSFER-ENCODING: chunked']);
    refused(['of HTTP/1.0', head('POST /o/r HTTP/1.0', "Host: $host", 'Transfer-Encoding: chunked') . $smuggled],
        ['of HTTP/1.0 that is to be kept', head('POST /o/r HTTP/1.0', "Host: $host", 'Connection: keep-alive', 'Transfer-Encoding: chunked') . $smuggled]);
    check("'$_'", post($_) . $chunks . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2')
        for 'TRANSFER-ENCODING: CHUNKED', "Transfer-Encoding:\tchunked", 'Transfer-Encoding:chunked', "Transfer-Encoding: chunked\t", 'transfer-encoding: chunKed';
    check('with an underscore', post('Transfer_Encoding: chunked', 'Content-Length: 3') . 'abc', qr/^(?:200|400)$/, 'POST /o/r');
    check('of contents', post('Content-Encoding: chunked', 'Content-Length: ' . length $smuggled) . $smuggled . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('that Connection names', post('Connection: transfer-encoding', 'Transfer-Encoding: chunked') . $chunks, qr/^200(?: closed)?$/, 'POST /o/r');
    like((heads_seen())[0], qr/^Transfer-Encoding: chunked\r$/mi, 'goes on nevertheless');
    check("'$_'", post($_, 'Content-Length: 3') . 'abc' . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2') for 'TE: chunked', 'Trailer: Content-Length';
};

subtest 'chunks are read strictly' => sub {
    broken("$_\r\nabcde\r\n0\r\n\r\n") for '0x5', '-5', '+5', '', ' 5', "\t5", 'ffffffffffffffff5', 'fffffffffffffffb', '0000000000000000000005', '5 x', '5,', "5\0", "5;x\ny", "5;x\ry",
        "5;x\0y", "5;x\x0by", '5;' . 'x' x 20_000, '5_', "5\x0b", 'g';
    broken($_) for "5\nabcde\r\n0\r\n\r\n", "5\r\nabcde\n0\r\n\r\n", "5\r\nabcdeX\r\n0\r\n\r\n", "5\r\nabcdexx0\r\n\r\n", "5\r\nabcde\r\r\n0\r\n\r\n", "5\r\nabcde\r\n0\n\n", "5\r\nabcde\r\n0\r\n\n",
        "5\r\nabcde\r\n0\r\n\r", "5\r\nabcde\r\n0\r\nX: y\n\r\n", "5\r\nabcde\r\n0\r\nX : y\r\n\r\n", "5\r\nabcde\r\n0\r\n X: y\r\n\r\n", "5\r\nabcde\r\n0\r\n" . get('/poison');
    check("'$_'", post('Transfer-Encoding: chunked') . "$_\r\nabcde\r\n0\r\n\r\n" . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2') for '5', '05', '5;x="y"', '5 ;x', '5;' . 'x' x 1000;
};

subtest 'what stands behind a body stays there' => sub {
    # as a head it would be another request, another host, another body; on the way up nothing is left of it, or it is a trailer
    my $ask = sub { my ($name, $trailers, @fields) = @_; check($name, post('Transfer-Encoding: chunked', @fields) . "5\r\nabcde\r\n0\r\n$trailers\r\n" . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2') };
    my $head = sub { return (heads_seen())[0] =~ s/^X-Request-ID: \S+/X-Request-ID: /mr };
    $ask->('none', '');
    my $without = $head->();
    for my $field ('Content-Length: 99', 'Transfer-Encoding: x', 'Transfer-Encoding: chunked', 'Host: other.test', 'Connection: close', 'Upgrade: h2c', 'Expect: 100-continue', 'Trailer: x', 'TE: x', 'Authorization: token x', 'Cookie: i_like_gitea=x',
        'X-Real-IP: 6.6.6.6', 'X_Real_IP: 6.6.6.6', 'X-Request-ID: x', 'Sudo: root', 'X-WEBAUTH-USER: root', 'Content-Type: x', 'content_length: 99', 'Proxy-Connection: x', 'Content-Encoding: gzip', 'Range: bytes=0-') {
        $ask->($field, "$field\r\nX-Ok: 1\r\n");
        is(join('|', trailers_seen()), 'x-ok: 1', "$field: ends here");
        is($head->(), $without, 'and the head is the one without it');
    }
    $ask->('one that Connection names', "X-Sum: 1\r\nX-Ok: 1\r\n", 'Connection: keep-alive, x-sum');
    is(join('|', trailers_seen()), 'x-ok: 1', 'ends here');
    for my $line ('X: GET /poison HTTP/1.1', 'GET: /poison HTTP/1.1', "X:\t0", 'X: a:b', "X: \xff", 'X:', "x!#\$%&'*+-.^_`|~9: z") {
        $ask->("'$line'", "$line\r\n");
        my ($name, $value) = $line =~ /^([^:]+):\s*(.*)/;
        is(join('|', trailers_seen()), lc($name) . ": $value", 'goes on as it is');
    }
    broken("5\r\nabcde\r\n0\r\n$_\r\n\r\n") for 'X : y', "X: y\r\n z", "X: a\0b", "X: a\rb", "X: a\nb", ': x', 'X y: z', "X\x0b: y", "\x85: y", 'GET /poison HTTP/1.1', join("\r\n", map { "x-$_: y" } 1 .. 101), 'X: ' . 'y' x 20_000;
};

subtest 'lines end as they should' => sub {
    my @line = ('GET /o/r HTTP/1.1', "Host: $host", 'X: y', '', '');
    for my $i (0 .. 3) {
        for my $end ("\n", "\r\r\n", "\r") {
            my @ends = map { $_ == $i ? $end : "\r\n" } 0 .. 3;
            refused(["line $i ends with " . unpack('H*', $end), join('', map { $line[$_] . $ends[$_] } 0 .. 3) . $poison]);
        }
    }
    refused(['LF throughout', "GET /o/r HTTP/1.1\nHost: $host\n\n$poison"], ['LF before', "\nGET /o/r HTTP/1.1\r\nHost: $host\r\n\r\n$poison"],
        ['CR before', "\rGET /o/r HTTP/1.1\r\nHost: $host\r\n\r\n$poison"], ['a line that is no field', get('/o/r', 'X') . $poison]);
    refused(map { ["'$_'", get('/o/r', $_) . $poison] } "X: y\r\n z", "X: y\r\n\tz", "X: a\0b", "X: a\x7fb", "X: a\x0bb", "X: a\rb", ': x', 'X y: z', "X\xff: z", '(x): y', 'X : y', "\tX: y", "X\r\n: y", "X\0: y",
        '"x": y', 'x@y: z', 'x[]: z', "x\\: y", 'x{: y', 'x/: y');
    refused(['a folded first line', head('GET /o/r HTTP/1.1', ' X: y', "Host: $host") . $poison]);
    check("'$_'", get('/o/r', $_) . get('/o/2'), qr/^200 200$/, 'GET /o/r', 'GET /o/2') for 'X:', "X:\t y \t", "X: \xff", 'X: a:b', "x!#\$%&'*+-.^_`|~9: z";
    check('an empty line before', "\r\n" . get('/o/r') . get('/o/2'), qr/^200 200$/, 'GET /o/r', 'GET /o/2');
};

subtest 'a request line has three words' => sub {
    refused(map { ["'$_'", head($_, "Host: $host") . $poison] } 'GET /o/r', 'GET /o/r HTTP/0.9', 'GET /o/r HTTP/1.10', 'GET /o/r HTTP/01.1', 'GET /o/r http/1.1', 'GET /o/r HTTP/1.1 ', 'GET /o/r HTTP/1.1x',
        'GET  /o/r HTTP/1.1', "GET\t/o/r HTTP/1.1", "GET /o/r\tHTTP/1.1", 'GET /o/r  HTTP/1.1', ' GET /o/r HTTP/1.1', "G\0ET /o/r HTTP/1.1", "GET /o\0/r HTTP/1.1", 'G=T /o/r HTTP/1.1', 'GET: /o/r HTTP/1.1',
        'GET /o/r HTTP/2', 'GET /o/r HTTP/2.0', 'GET /o/r HTTP/1.1 HTTP/1.1', 'GET /o/r HTTPS/1.1', "GET /o/r\x0bHTTP/1.1", 'GET /o r HTTP/1.1', 'GET /o/r?a b HTTP/1.1', 'GET HTTP/1.1', 'GET');
    refused(['HTTP/0.9', "GET /o/r\r\n$poison"], ['the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . pack('xxxCCxxxx', 0, 4, 0) . $poison]);
    check('HTTP/1.0 is one request', head('GET /o/r HTTP/1.0', "Host: $host") . $poison, qr/^200(?: closed)?$/, 'GET /o/r');
};

subtest 'a target has one form, and a request one host' => sub {
    refused(map { ["target '$_'", get($_) . $poison] } "\@$host/o/r", 'o/r', '?a', '*', '/o/../r', '/o/%2e%2e/r', '/o/r#a', '/o/r?a#b', '\\o\\r', '/o/%0d%0aX: y', '/o/%00');
    refused(['no host', head('GET /o/r HTTP/1.1', 'X: y') . $poison], ['two hosts', get('/o/r', 'Host: other.test') . $poison], ['the same host twice', get('/o/r', "Host: $host") . $poison],
        ['a host and a folded one', get('/o/r', ' other.test') . $poison], ['a host and a spaced one', get('/o/r', 'Host : other.test') . $poison]);
    refused(map { ["host '$_'", head('GET /o/r HTTP/1.1', "Host: $_") . $poison] } "$host, other.test", "$host/x", "user\@$host", "$host\@other.test", "other.test $host", '', "$host:1", "$host\\", "$host#x", "$host?x",
        "$host\x01", "$host\xff", "$host\0.other.test", "http://$host/", '*', "\"$host\"", "%6c$host", "$host;x", "localhost:000$port", 'localhost:', 'localhost:x', "[$host]");
    check("host '$_'", head('GET /o/r HTTP/1.1', "Host: $_"), qr/^421$/) for 'other.test', 'localhost', "localhost.:$port", '[::1]', '127.0.0.1';
    check('HTTP/1.0 without a host', head('GET /o/r HTTP/1.0'), qr/^4(?:00|21)(?: closed)?$/);
    for my $fields (["Host:$host"], ["HOST:\t\U$host "], ["Host: $host", 'X-Forwarded-Host: other.test', 'X-Host: other.test', 'Forwarded: host=other.test']) {
        check("@$fields", head('GET /o/r HTTP/1.1', @$fields), qr/^200$/, 'GET /o/r');
        my ($head) = heads_seen();
        is(join(' ', $head =~ /^host: *(.*?)\r$/gmi), $host, 'the upstream sees the one that is configured');
        unlike($head, qr/^(?:x-forwarded-host|forwarded): .*other/mi, 'and is told of no other');
    }
    check('CONNECT', head("CONNECT $host HTTP/1.1", "Host: $host") . $poison, $ended);
};

subtest 'a target that is a whole address is one request, for its authority' => sub {
    for my $case (["http://$host/o/r", '/o/r'], ["https://$host/o/r", '/o/r'], ["HTTPS://$host/o/r", '/o/r'], ["hTTp://\U$host\E/o/r?a=http://other.test/", '/o/r?a=http://other.test/'],
        ["https://$host", '/'], ["https://$host/", '/'], ["https://$host?a", '/?a'], ["https://$host//o//r", '//o//r'], ["https://$host/http://other.test/", '/http://other.test/']) {
        my ($target, $path) = @$case;
        for my $said ($host, 'other.test', '[::1]') { # whatever Host says
            check("'$target' of $said", head("GET $target HTTP/1.1", "Host: $said") . get('/o/2'), qr/^200 200$/, "GET $path", 'GET /o/2');
            my ($head) = heads_seen();
            is(join(' ', $head =~ /^host: *(.*?)\r$/gmi), $host, 'the upstream sees the host that is configured');
            unlike($head, qr/^(?!GET ).*other\.test|::1/m, 'and of the other nothing');
        }
    }
    check("'$_' before a body", head("POST $_ HTTP/1.1", 'Host: other.test', "Content-Length: $length") . $poison . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2') for "https://$host/o/r";
    check('and chunks', head("POST https://$host/o/r HTTP/1.1", 'Host: other.test', 'Transfer-Encoding: chunked') . $chunked_poison . get('/o/2'), qr/^200 200$/, 'POST /o/r', 'GET /o/2');
    check('HTTP/1.0', head("GET https://$host/o/r HTTP/1.0") . $poison, qr/^200(?: closed)?$/, 'GET /o/r');
    check("'$_'", get($_), qr/^421$/) for 'https://other.test/o/r', 'http://localhost/o/r', "https://localhost:1/o/r";
    check('of the provider', get("https://auth.$host/.well-known/openid-configuration"), qr/^200$/);
    check('of this host, and a Host of the provider', head("GET https://$host/token HTTP/1.1", "Host: auth.$host"), qr/^200$/, 'GET /token');
    refused(map { ["target '$_'", get($_) . $poison] } "ftp://$host/o/r", "ws://$host/o/r", "httpss://$host/o/r", 'https:/o/r', 'https:///o/r', "https:$host/o/r", "https:/$host/o/r", "https:\\\\$host/o/r", 
        "https://user\@$host/o/r", "https://user:pw\@$host/o/r", "https://other.test\@$host/o/r", "https://$host\@other.test/o/r", "https://$host\\\@other.test/o/r", "https://$host:/o/r", "https://localhost:/o/r",
        "https://localhost:x/o/r", "https://localhost:000$port/o/r", "https://$host#/o/r", "https://$host/o/r#a", "https://$host\\o/r", "https://$host;x/o/r", "https://$host,other.test/o/r", "https://$host%2fo/r",
        "https://$host%00/o/r", "https://%6cocalhost:$port/o/r", "https://$host/o/../r", "https://$host/o/%2e%2e/r", "https://$host/..", "https://$host/o/%0d%0aX: y", "https://[$host]/o/r", "https://[::1/o/r",
        "https ://$host/o/r", "https://$host /o/r", "https://", 'https', "*https://$host/o/r", "https://$host*");
    refused(["a whole address and $_->[0]", head("GET https://$host/o/r HTTP/1.1", @{ $_->[1] }) . $poison])
        for ['no host', []], ['two hosts', ["Host: $host", "Host: $host"]], ['an empty one', ['Host:']], ['a whole one', ["Host: https://$host/"]], ['an odd one', ["Host: user\@$host"]];
    check('OPTIONS of the whole server', head("OPTIONS https://$host HTTP/1.1", "Host: $host") . $poison, $ended);
    check('CONNECT of a whole address', head("CONNECT https://$host/o/r HTTP/1.1", "Host: $host"), qr/^4(?:00|05)(?: closed)?$/);
};

subtest 'requests that follow each other are told apart' => sub {
    my $next = get('/o/2');
    check('three in one write', get('/o/1') . $next . get('/o/3'), qr/^200 200 200$/, 'GET /o/1', 'GET /o/2', 'GET /o/3');
    # whoever answers without a look at a body, or does not expect one, must not take it for a request
    for my $path ('/o/r', '/.teagate/style.css', '/user/login', '/user/forgot_password', '/metrics') {
        for my $method (qw(GET HEAD POST FOO TRACE)) {
            my @seen = $path eq '/o/r' && $method ne 'TRACE' || $path eq '/.teagate/style.css' && $method =~ /OPTIONS|POST|PUT|DELETE|FOO/ ? ("$method $path") : ();
            for my $framed ("Content-Length: $length\r\n\r\n$poison", "Transfer-Encoding: chunked\r\n\r\n$chunked_poison") {
                check("$method $path with a " . substr($framed, 0, 8), "$method $path HTTP/1.1\r\nHost: $host\r\n$framed$next", qr/^[234]\d\d(?: closed| 200)$/, @seen, 'GET /o/2');
            }
        }
    }
    for my $path ('/.well-known/openid-configuration', '/sign-in', '/token', '/nothing') {
        for my $method (qw(GET HEAD POST FOO)) {
            for my $framed ("Content-Length: $length\r\n\r\n$poison", "Transfer-Encoding: chunked\r\n\r\n$chunked_poison") {
                check("$method $path of the provider with a " . substr($framed, 0, 8), "$method $path HTTP/1.1\r\nHost: auth.$host\r\n$framed$next", qr/^[234]\d\d(?: closed| 200)?$/, 'GET /o/2');
            }
        }
    }
    check('of another host', head('POST /o/r HTTP/1.1', 'Host: other.test', "Content-Length: $length") . $poison . $next, qr/^421 200$/, 'GET /o/2');
    check('of a path that means two things', head('POST /o/../r HTTP/1.1', "Host: $host", "Content-Length: $length") . $poison . $next, $ended);
};

subtest 'expectations' => sub {
    check("expecting '$_'", post("Expect: $_", "Content-Length: $length") . $poison . get('/o/2'), qr/^(?:100 )?200 200$/, 'POST /o/r', 'GET /o/2') for '100-continue', '100-Continue', "100-continue\r\nExpect: 100-continue";
    check("expecting '$_'", post("Expect: $_", "Content-Length: $length") . $poison . get('/o/2'), qr/^417(?: closed)?$/)
        for '200-ok', '', 'y 100-continue', '100-continue, 100-continue', '100-continue;x', "100-continue\r\nExpect: x";
    check('of a refused one', head('POST /user/forgot_password HTTP/1.1', "Host: $host", 'Expect: 100-continue', "Content-Length: $length") . $poison . get('/o/2'), qr/^403(?: closed| 200)$/, 'GET /o/2');
    check('without a body', get('/o/r', 'Expect: 100-continue') . get('/o/2'), qr/^200 200$/, 'GET /o/r', 'GET /o/2');
    is((scalar grep { /^expect:/mi } heads_seen()), 0, 'goes no further');
};

subtest 'nobody changes the protocol' => sub {
    check("'$_'", get('/o/r', $_) . $poison, qr/^200(?: closed| 200)?$/, 'GET /o/r', /close|upgrade/i ? () : 'GET /poison')
        for "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x", 'Connection: close',
        'Connection: keep-alive, x-real-ip, cookie', 'Keep-Alive: timeout=1';
    is((scalar grep { /^(?:upgrade|connection|http2-settings|keep-alive):/mi } heads_seen()), 0, 'goes no further');
};

stop_recorder();
done_testing;
