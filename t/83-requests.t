# Odd and hostile requests, over both protocols.

use strict;
use warnings;
use Test::More;
use Teagate::H2;
use Teagate::Test;

my $contract = system_or_skip();
my $base = $contract->{git_url};
my ($port) = $base =~ /:(\d+)$/;
my $active = account('active');

sub status_raw {
    my ($request) = @_;
    return request_raw($request) =~ m{^HTTP/1\.1 (\d{3})} ? $1 : 'closed';
}

sub request_h2 {
    my ($h2, @fields) = @_;
    return $h2->request(scheme => 'https', authority => "localhost:$port", path => '/explore/repos', headers => [@fields]);
}

subtest 'paths that mean two things are refused' => sub {
    my @refused = ('/a/..%2f..%2fmetrics', '/%2e%2e/x', '/a/../b', '/a/./b', '/a\\b', '/a%5cb', '/%00', '/a%zz', '/a%2', '/a%0d%0ab');
    for my $path (@refused) {
        for my $protocol ('--http1.1', '--http2') {
            is(curl($protocol, "$base$path")->{status}, 400, "$path ($protocol)");
        }
    }
    is(status_raw("GET no-slash HTTP/1.1\r\nHost: localhost:$port\r\nConnection: close\r\n\r\n"), 400, 'a target without a slash');
    is(status_raw("GET /a\x01b HTTP/1.1\r\nHost: localhost:$port\r\nConnection: close\r\n\r\n"), 400, 'a control byte');
};

subtest 'a legal %2F passes byte for byte' => sub {
    my $answer = curl("$base/api/packages/$active->{login}/npm/\@s%2Fp");
    is($answer->{status}, 404, "Gitea's own answer comes back");
    like($answer->{headers}, qr/content-type/i, 'with its head');
};

subtest 'hosts' => sub {
    is(curl('-H', 'Host: unknown.example', $base)->{status}, 421, 'an unknown host: 421');
    is(status_raw("GET / HTTP/1.1\r\nHost: localhost:$port\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), 400, 'two hosts: 400');
    is(status_raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 400, 'no host: 400');
    like(curl('-H', 'Host: unknown.example', "$base/.teagate/style.css")->{headers}, qr{content-type: text/css}i, 'the style sheet is on every host');
};

subtest 'credentials that no door takes' => sub {
    is(curl("$base/api/v1/user?access_token=x")->{status}, 400, '?access_token=');
    is(curl("$base/api/v1/user?a=b&%74oken=x")->{status}, 400, '?token= percent-encoded');
    is(curl('-H', 'Sudo: root', "$base/api/v1/user")->{status}, 400, 'Sudo');
    is(curl("$base/api/v1/user?sudo=root")->{status}, 400, '?sudo=');
    is(status_raw("GET / HTTP/1.1\r\nHost: localhost:$port\r\nAuthorization: token a\r\nAuthorization: token b\r\nConnection: close\r\n\r\n"), 400,
        'two Authorization fields');
    is(curl('--http2', '-H', 'Authorization: token a', '-H', 'Authorization: token b', "$base/api/v1/user")->{status}, 400, 'also over HTTP/2');
};

subtest 'too much is told, and the connection is kept over HTTP/2' => sub {
    my @many = map { ('-H', "X-Many-$_: $_") } 1 .. 101;
    is(curl('--http1.1', @many, "$base/explore/repos")->{status}, 431, '101 fields: 431');
    my $answer = curl('--http2', @many, "$base/explore/repos");
    is($answer->{status}, 431, '101 fields over HTTP/2: 431') or diag $answer->{text};
    my $big = 'a=' . 'x' x 1_000_000;
    is(status_raw("GET / HTTP/1.1\r\nHost: localhost:$port\r\nCookie: $big\r\n\r\n"), 431, 'a cookie of 1 MB: 431');
    my $h2 = Teagate::H2->new(socket => raw_tls(alpn => 'h2'), window => 1 << 24);
    is($h2->answer(request_h2($h2, cookie => $big))->{status}, 431, 'also over HTTP/2');
    is($h2->answer(request_h2($h2))->{status}, 200, 'where the connection is kept');
};

subtest 'requests that hide another one' => sub {
    my $host = "Host: localhost:$port\r\n";
    is(status_raw("POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, 'length and chunks');
    is(status_raw("POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"), 400, 'two lengths');
    is(status_raw("POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400, 'an unknown coding');
    is(status_raw("GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n"), 400, 'a folded field');
    is(status_raw("GET / HTTP/1.1\n${host}\n"), 400, 'bare line feeds');
    like(status_raw("CONNECT localhost:22 HTTP/1.1\r\n$host\r\n"), qr/^40[05]$/, 'CONNECT');
    is(status_raw("TRACE / HTTP/1.1\r\n${host}Connection: close\r\n\r\n"), 405, 'TRACE');
};

subtest 'TLS' => sub {
    my ($status, $text) = capture({ any_status => 1 }, 'openssl', 's_client', '-connect', "127.0.0.1:$port", '-servername', 'unknown.example');
    like($text, qr/alert.*unrecognized name|unrecognized_name|alert number 112/i, 'an unknown name is refused in the handshake');
    ($status, $text) = capture({ any_status => 1 }, 'openssl', 's_client', '-connect', "127.0.0.1:$port", '-servername', 'localhost', '-tls1_1');
    isnt($status, 0, 'TLS 1.1 is refused');
    is(curl('--tls-max', '1.2', "$base/explore/repos")->{status}, 200, 'TLS 1.2 is served');
    is(curl('--http2', '-w', '%{http_version}', "$base/explore/repos")->{text} =~ /^2/ ? 2 : 1, 2, 'HTTP/2 by ALPN');
};

subtest 'answers carry what a browser needs' => sub {
    my $page = curl("$contract->{auth_url}/sign-in?return=/");
    like($page->{headers}, qr/^content-security-policy:.*frame-ancestors 'none'/mi, 'a policy on our pages');
    unlike($page->{body}, qr/<script/i, 'no script');
    is(curl('-I', "$base/")->{status}, 200, 'HEAD');
};

done_testing;
