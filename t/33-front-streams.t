# How a request and its answer end, on both sides of the proxy: trailers, interim answers, early ones, broken ones, clients that close their
# side, and uploads that nobody takes

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::SSL;
use Socket qw(SOL_SOCKET SO_LINGER SO_SNDBUF);
use Teagate::Front;
use Teagate::H2 qw(DATA HEADERS RST_STREAM WINDOW_UPDATE END_STREAM NO_ERROR);
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
my $https = listen_on('127.0.0.1');
my $port = $https->sockport;
my $host = "localhost:$port";

sub answer { my ($socket, $status, $body, @line) = @_; print $socket join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length $body, @line, '', ''), $body; return 1 }
sub reset_connection { my ($socket) = @_; setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; close $socket; return 0 }

# the body as it came, framing and all, until the end that is expected
sub raw_body {
    my ($socket, $rest, $end) = @_;
    until ($$rest =~ $end) { sysread $socket, $$rest, 65536, length $$rest or last }
    return $$rest;
}

# what may stand behind a body, and what may not (RFC 9110 6.5.1), as somebody sends both
my @good = ('X-Sum: 9', 'Content-Digest: sha-256=:YQ==:', 'X-Sum: again', 'Server-Timing: a;dur=1');
my @bad = ('Host: evil', 'Content-Length: 7', 'Authorization: evil', 'Cookie: a=evil', 'Set-Cookie: a=evil', 'Content-Type: text/evil', 'Content-Encoding: evil', 'Content-Range: bytes 0-1/evil',
    'Cache-Control: evil', 'Trailer: evil', 'X-Forwarded-For: 6.6.6.6', 'X_Forwarded_For: 6.6.6.6', 'X-Real-IP: 6.6.6.6', 'X-Request-ID: evil', 'X-WEBAUTH-USER: evil', 'X_WebAuth_User: evil', 'Forwarded: for=evil', 'Sudo: evil',
    'Range: bytes=evil', 'If-Match: evil', 'Expect: evil', 'Location: /evil', 'WWW-Authenticate: evil', 'Access-Control-Allow-Origin: evil', 'X-Gitea-OTP: evil', 'Proxy-Authorization: evil', 'Vary: evil');
my @connection = ('Transfer-Encoding: evil', 'Connection: evil', 'Keep-Alive: evil', 'Upgrade: evil', 'TE: evil');
my $kept = join '', map { my ($name, $value) = split /: /, $_, 2; lc($name) . ": $value\r\n" } @good;
sub lines { return join '', map { "$_\r\n" } @_ }
sub fields { return join '', map { my ($name, $value) = split /: /, $_, 2; Teagate::H2::literal(lc $name, $value) } @_ }

sub with_trailers { my ($socket, $body, @line) = @_; print $socket "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n$body" . "0\r\n", lines(@line), "\r\n"; return 1 }

my %serve = (
    '/o/head' => sub { answer($_[0], '200 OK', $_[1]) },
    '/o/raw' => sub { my ($s, $h, $r) = @_; answer($s, '200 OK', $h . raw_body($s, $r, qr/\r\n\r\n\z/), 'Connection: close'); 0 },
    '/o/raw-slow' => sub { sleep 1; my ($s, $h, $r) = @_; answer($s, '200 OK', $h . raw_body($s, $r, qr/\r\n\r\n\z/), 'Connection: close'); 0 },
    '/o/ten' => sub { my ($s, $h, $r) = @_; answer($s, '200 OK', raw_body($s, $r, qr/.{10}/s), 'Connection: close'); 0 },
    '/o/slow' => sub { sleep 1.5; answer($_[0], '200 OK', 'slow') },
    '/o/trailers' => sub { with_trailers($_[0], "5\r\nabcde\r\n", @bad, @connection, @good, @bad) },
    '/o/trailers-slow' => sub { my $s = shift; print($s $_), sleep 0.002 for split /(?<=[\r\n:])/, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n" . lines(@good, @bad) . "\r\n"; 1 },
    '/o/trailers-only' => sub { with_trailers($_[0], '', @good) },
    '/o/trailers-long' => sub { with_trailers($_[0], "493e0\r\n" . 'l' x 300_000 . "\r\n", @good) },
    '/o/trailers-many' => sub { with_trailers($_[0], "1\r\na\r\n", map { "X-$_: y" } 1 .. 101) },
    '/o/trailers-large' => sub { with_trailers($_[0], "1\r\na\r\n", 'X: ' . 'y' x 17_000) },
    '/o/trailers-name' => sub { with_trailers($_[0], "1\r\na\r\n", 'X : y') },
    '/o/trailers-folded' => sub { with_trailers($_[0], "1\r\na\r\n", 'X: y', ' z') },
    '/o/trailers-control' => sub { with_trailers($_[0], "1\r\na\r\n", "X: y\0z") },
    '/o/hints' => sub { my $s = shift; print $s "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"; sleep 0.3; print $s "HTTP/1.1 102 Processing\r\n\r\n"; answer($s, '200 OK', 'last') },
    '/o/204' => sub { my $s = shift; print $s "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"; 1 },
    '/o/304' => sub { my $s = shift; print $s "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"a\"\r\n\r\n"; 1 },
    '/o/early-reset' => sub { my $s = shift; print $s "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly"; sleep 0.3; reset_connection($s) },
    '/o/early-long' => sub { my $s = shift; print $s "HTTP/1.1 403 No\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n", 'e' x 300_000; sleep 0.3; 0 },
    '/o/dies-length' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n", 'd' x 100_000; sleep 0.3; 0 },
    '/o/dies-chunk' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n", 'd' x 100_000, "\r\n"; sleep 0.3; 0 },
    '/o/dies-open' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\n\r\n", 'd' x 100_000; sleep 0.3; reset_connection($s) },
    '/o/never' => sub { sleep 120; 0 },
    '/o/takes' => sub { my ($s, $h, $r) = @_; 1 while sysread $s, my $bytes, 1 << 20; 0 },
);
my $upstream = upstream(sub {
    my ($socket, $head, $rest) = @_;
    my ($method, $path) = $head =~ m{^(\S+) ([^ ?]+)};
    if ($method eq 'HEAD') { print $socket "HTTP/1.1 200 OK\r\n", $path =~ /chunked/ ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 7\r\n\r\n"; return 1 }
    return ($serve{$path} // $serve{'/o/head'})->($socket, $head, $rest);
});
my @limit = (connections => 600, 'head-timeout' => 60, 'idle-timeout' => 60);
my $proxy = Teagate::Front->start(https => $https, host => $host, address => '127.0.0.1', port => $upstream, @limit);

sub tls {
    my ($alpn) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $port, SSL_verify_mode => 0, SSL_hostname => 'localhost', SSL_alpn_protocols => [$alpn])
        // die "no TLS: $SSL_ERROR";
}
sub h2 { return Teagate::H2->new(socket => tls('h2'), @_) }
sub ask_for { my ($h2, $path, %arg) = @_; return $h2->request(scheme => 'https', authority => $host, path => $path, %arg) }
sub head_of { my ($method, $path, @line) = @_; return join "\r\n", "$method $path HTTP/1.1", "Host: $host", @line, '', '' }

# everything that comes until the connection ends, or for some seconds
sub read_all {
    my ($socket, $seconds, $until) = @_;
    my ($bytes, $end, $select) = ('', time + ($seconds // 5), IO::Select->new($socket));
    while (time < $end) {
        last if $until && $bytes =~ $until;
        next unless $socket->pending || $select->can_read(0.05);
        my $n = sysread $socket, $bytes, 65536, length $bytes;
        return ($bytes, 1) if defined $n && $n == 0 || !defined $n && !$!{EAGAIN};
    }
    return ($bytes, 0);
}

subtest 'trailers of a request go on, and are never fields of its head' => sub {
    for my $with_bad (0, 1) {
        my $socket = tls('http/1.1');
        print $socket head_of('POST', '/o/raw', 'Transfer-Encoding: chunked', 'Trailer: X-Sum', 'TE: trailers', 'Connection: TE, X-Named'),
            "3\r\nabc\r\n0\r\n", lines($with_bad ? (@bad, @connection) : (), @good, $with_bad ? ('x-named: evil', @bad) : ()), "\r\n";
        my ($got) = read_all($socket, 3, qr/\r\n0\r\nx-sum.*\r\n\r\n\z/s);
        my ($head, $body) = $got =~ /(POST .*?\r\n\r\n)(.*)/s;
        is($body, "3\r\nabc\r\n0\r\n$kept\r\n", 'HTTP/1.1: behind the last chunk, ' . ($with_bad ? 'without those that must not stand there' : 'all of them'));
        unlike($head, qr/x-sum|evil|digest|6\.6\.6/i, 'not in the head');
    }
    my $h2 = h2();
    for my $with_bad (0, 1) {
        my $id = ask_for($h2, '/o/raw', method => 'POST', body => 1, headers => ['te', 'trailers']);
        $h2->data($id, 'abc');
        $h2->send_block($id, END_STREAM, fields($with_bad ? @bad : (), @good, $with_bad ? @bad : ()));
        my ($head, $body) = $h2->answer($id)->{body} =~ /(POST .*?\r\n\r\n)(.*)/s;
        is($body =~ s/\A3\r\nabc\r\n//r, "0\r\n$kept\r\n", 'HTTP/2: the same');
        unlike($head, qr/x-sum|evil|digest|6\.6\.6/i, 'not in the head');
    }
    my $id = ask_for($h2, '/o/ten', method => 'PUT', body => 1, headers => ['content-length', 10]);
    $h2->data($id, '0123456789');
    $h2->send_block($id, END_STREAM, fields(@good));
    is($h2->answer($id)->{body}, '0123456789', 'of a body with a length they end here');
    for my $block (fields('Connection: x'), fields('Transfer-Encoding: x'), fields(':path: /x'), fields(map { "X-$_: y" } 1 .. 101)) {
        forget_seen();
        $id = ask_for($h2, '/o/raw', method => 'POST', body => 1);
        $h2->data($id, 'abc');
        $h2->send_block($id, END_STREAM, $block);
        ok(defined $h2->answer($id)->{reset}, 'those that are none reset the stream');
    }
    is($h2->answer(ask_for($h2, '/o/head'))->{status}, 200, 'and the connection goes on');
    $id = ask_for($h2, '/o/raw-slow', method => 'POST', body => 1);
    $h2->data($id, 'abc');
    $h2->send_block($id, END_STREAM, fields(@good));
    close_side($h2->{socket}, 1);
    like($h2->answer($id)->{body}, qr/\r\n0\r\n\Q$kept\E\r\n\z/, 'whose client then closes its side is answered');
};

subtest 'trailers of an answer go on' => sub {
    my $socket = tls('http/1.1');
    for my $path ('/o/trailers', '/o/trailers-slow') {
        print $socket head_of('GET', $path), head_of('GET', '/o/head'), head_of('GET', $path, 'Connection: close');
        my ($got, $closed) = read_all($socket);
        is(scalar(() = $got =~ /\r\n\r\n5\r\nabcde\r\n0\r\n\Q$kept\E\r\n(?=HTTP|\z)/g), 2, "HTTP/1.1, $path: behind the last chunk");
        unlike($got, qr/evil|6\.6\.6/i, 'without those that must not stand there');
        unlike($_, qr/x-sum|digest/i, 'not in the head') for $got =~ /(HTTP.*?\r\n\r\n)/gs;
        ok($closed, 'and the connection ends as it was wanted');
        $socket = tls('http/1.1');
    }
    print $socket "GET /o/trailers HTTP/1.0\r\nHost: $host\r\n\r\n";
    is((read_all($socket))[0] =~ s/\A.*?\r\n\r\n//sr, 'abcde', 'HTTP/1.0 has none');
    $socket = tls('http/1.1');
    print $socket head_of('GET', '/o/trailers');
    close_side($socket, 1);
    like((read_all($socket))[0], qr/\r\n0\r\n\Q$kept\E\r\n\z/, 'a client that closes its side has them, too');
    my $h2 = h2();
    for my $path ('/o/trailers', '/o/trailers-slow', '/o/trailers-only') {
        my $body = $path =~ /only/ ? '' : 'abcde';
        my $id = ask_for($h2, $path);
        my $end = $h2->wait_for(4, sub { $_[0]{id} == $id && $_[0]{flags} & END_STREAM });
        is($end->{type}, HEADERS, "HTTP/2, $path: they end the stream");
        is($h2->{answers}{$id}{body}, $body, 'behind the body');
        my $read = run('curl', '-sk', '--http2', '-D', '-', "https://$host$path");
        my ($head, $rest) = $read =~ /\A(HTTP\/2 200.*?\r\n\r\n)(.*)/s;
        is($rest =~ s/\s*\z//r, ($body . $kept) =~ s/\s*\z//r, 'as a client reads them');
        unlike($head, qr/x-sum|evil/i, 'not in the head');
    }
    is($h2->answer(ask_for($h2, '/o/trailers', method => 'HEAD'))->{trailers}, undef, 'HEAD has none');
    $h2 = h2();
    my $id = ask_for($h2, '/o/trailers-long');
    my $answer = $h2->answer($id, 1);
    is(length $answer->{body}, 65_535, 'a long body waits for the window');
    is($answer->{trailers}, undef, 'and they for it');
    $h2->send(WINDOW_UPDATE, 0, $_, pack 'N', 400_000) for 0, $id;
    $answer = $h2->answer($id);
    is(join(' ', length $answer->{body}, $answer->{is_complete}, length $answer->{trailers} ? 'trailers' : 'none'), '300000 1 trailers', 'then all come');
};

subtest 'an answer with trailers that are none is cut off' => sub {
    for my $path ('/o/trailers-many', '/o/trailers-large', '/o/trailers-name', '/o/trailers-folded', '/o/trailers-control') {
        my $socket = tls('http/1.1');
        print $socket head_of('GET', $path);
        my ($got, $closed) = read_all($socket, 3);
        ok($got =~ /\AHTTP\S+ 502 / || $closed && $got !~ /\r\n0\r\n/, "$path: HTTP/1.1");
        unlike($got, qr/^x(?:-1)?: y/mi, 'and they do not show');
        my $h2 = h2();
        my $answer = $h2->answer(ask_for($h2, $path));
        ok($answer->{status} == 502 || defined $answer->{reset}, 'HTTP/2');
    }
};

subtest 'interim answers of the upstream are dropped' => sub {
    my $socket = tls('http/1.1');
    print $socket head_of('GET', '/o/hints', 'Connection: close');
    my ($got) = read_all($socket);
    like($got, qr/\AHTTP\/1\.1 200 OK\r\n.*last\z/s, 'HTTP/1.1');
    unlike($got, qr/10[23]/, 'none is left');
    my $h2 = h2();
    my $id = ask_for($h2, '/o/hints');
    my $frame = $h2->wait_for(3, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
    is($h2->{answers}{$id}{status}, 200, 'HTTP/2');
    is($h2->answer($id)->{body}, 'last');
};

subtest 'answers that have no body have none, whatever they announce, and the connection goes on' => sub {
    for my $path ('/o/204', '/o/304') {
        my ($status) = $path =~ /(\d+)/;
        my $socket = tls('http/1.1');
        print $socket head_of('GET', $path), head_of('HEAD', '/o/chunked'), head_of('HEAD', '/o/head'), head_of('GET', '/o/head', 'Connection: close');
        my ($got) = read_all($socket);
        my @heads = $got =~ /(HTTP\/1\.1 \d+.*?\r\n\r\n)/gs;
        is(join(' ', map { /^\S+ (\d+)/ } @heads), "$status 200 200 200", "$path, then two HEAD and a GET");
        unlike($heads[0], qr/transfer-encoding/i, 'no coding of nothing');
        unlike($heads[0], qr/content-length/i, 'no length') if $status == 204;
        like($heads[2], qr/content-length: 7\r/i, 'HEAD tells the length');
        like($got, qr/GET \/o\/head/, 'the last one is whole');
        my $h2 = h2();
        is_deeply([map { my $a = $h2->answer(ask_for($h2, $_->[1], method => $_->[0])); "$a->{status} $a->{is_complete} " . length $a->{body} } ['GET', $path], ['HEAD', '/o/chunked'], ['HEAD', '/o/x']],
            ["$status 1 0", '200 1 0', '200 1 0'], 'HTTP/2');
    }
};

subtest 'a client that wants the connection closed has it closed, after the answer' => sub {
    for my $case ([head_of('GET', '/o/trailers', 'Connection: close'), 'close'], ["GET /o/head HTTP/1.0\r\nHost: $host\r\n\r\n", 'HTTP/1.0']) {
        my $socket = tls('http/1.1');
        print $socket $case->[0];
        my ($got, $closed) = read_all($socket, 3);
        like($got, qr/\AHTTP\/1\.1 200.*\r\nconnection: close\r\n/is, "$case->[1]: said");
        ok($closed, 'and done');
    }
};

subtest 'a client that waits for 100 gets it when Gitea takes the body, and a refusal instead of it' => sub {
    my $socket = tls('http/1.1');
    print $socket head_of('POST', '/o/ten', 'Content-Length: 10', 'Expect: 100-continue');
    my ($got) = read_all($socket, 2, qr/\r\n\r\n/);
    is($got, "HTTP/1.1 100 Continue\r\n\r\n", 'HTTP/1.1');
    print $socket '0123456789';
    like((read_all($socket, 2, qr/789\z/))[0], qr/\AHTTP\/1\.1 200 OK\r\n.*0123456789\z/s, 'and then the answer');
    my $h2 = h2();
    my $id = ask_for($h2, '/o/ten', method => 'POST', body => 1, headers => ['expect', '100-continue', 'content-length', 10]);
    $h2->wait_for(2, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
    is($h2->{answers}{$id}{status}, 100, 'HTTP/2');
    $h2->data($id, '0123456789', 1);
    is($h2->answer($id)->{body}, '0123456789');
    forget_seen();
    for my $path ('/metrics', '/a/../b') {
        ($got) = over_http($port, head_of('PUT', $path, 'Content-Length: 1000000000', 'Expect: 100-continue'));
        like($got, qr/^40[03]$/, "$path: no 100 before");
        $id = ask_for($h2, $path, method => 'PUT', body => 1, headers => ['expect', '100-continue']);
        $h2->wait_for(2, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
        like($h2->{answers}{$id}{status}, qr/^40[03]$/, 'HTTP/2');
    }
    is(scalar(() = seen('head')), 0, 'the upstream has seen nothing of it');
};

subtest 'an answer that comes early, from an upstream that then closes, is read whole by a client that sends on' => sub {
    for my $case (['/o/early-reset', 413, 5], ['/o/early-long', 403, 300_000]) {
        my ($path, $status, $length) = @$case;
        my $socket = tls('http/1.1');
        print $socket head_of('PUT', $path, 'Content-Length: 50000000');
        $socket->blocking(0);
        my ($sent, $got, $until) = (0, '', time + 8);
        while (time < $until) {
            $sent += syswrite($socket, 'u' x 16_384) // 0;
            my $n = sysread $socket, $got, 65536, length $got;
            last if $got =~ /\r\n\r\n(.*)/s && length $1 >= $length || defined $n && $n == 0;
            sleep 0.001;
        }
        ok($got =~ /\AHTTP\/1\.1 $status.*?\r\n\r\n(.*)\z/s && length $1 == $length, "HTTP/1.1: $path, after $sent bytes");
        my $h2 = h2(window => 1 << 20, settings => { 4 => 1 << 20 });
        my $id = ask_for($h2, $path, method => 'PUT', body => 1);
        $h2->data($id, 'u' x 16_000), $h2->wait_for(0.02, sub { 0 }) for 1 .. 4;
        my $answer = $h2->answer($id);
        is("$answer->{status} $answer->{is_complete} " . length $answer->{body}, "$status 1 $length", "HTTP/2: $path");
        $h2->wait_for(3, sub { $_[0]{type} == RST_STREAM }) if !defined $answer->{reset};
        is($answer->{reset}, NO_ERROR, 'then it is told to stop');
    }
};

subtest 'an upstream that dies in the middle of an answer is no end of it' => sub {
    for my $path ('/o/dies-length', '/o/dies-chunk', '/o/dies-open') {
        my $socket = tls('http/1.1');
        print $socket head_of('GET', $path);
        my ($got, $closed) = read_all($socket, 3);
        my ($head, $body) = split /\r\n\r\n/, $got, 2;
        ok($closed, "HTTP/1.1: $path: the connection is cut");
        ok(length $body > 90_000, 'what has come is there') or diag length $body;
        if ($head =~ /content-length: (\d+)/i) { cmp_ok(length $body, '<', $1, 'less than announced') }
        else { like($head, qr/transfer-encoding: chunked/i, 'in chunks'); unlike($body, qr/\r\n0\r\n\r\n\z/, 'without the last one') }
        my $h2 = h2(window => 1 << 20, settings => { 4 => 1 << 20 });
        my $answer = $h2->answer(ask_for($h2, $path));
        ok(!$answer->{is_complete} && $answer->{reset}, 'HTTP/2: the stream is reset') or diag explain { %$answer, body => length $answer->{body} };
        is($h2->answer(ask_for($h2, '/o/head'))->{status}, 200, 'the connection goes on');
    }
};

# closes the client's side as TLS and TCP do it: with the last words, or without
sub close_side {
    my ($socket, $with_alert) = @_;
    Net::SSLeay::shutdown($socket->_get_ssl_object) if $with_alert;
    CORE::shutdown($socket, 1);
    return;
}

subtest 'a client that closes its side has its answer, also a late one' => sub {
    for my $with_alert (0, 1) {
        my $kind = $with_alert ? 'with an alert' : 'at once';
        my $socket = tls('http/1.1');
        print $socket head_of('GET', '/o/slow');
        close_side($socket, $with_alert);
        my ($got, $closed) = read_all($socket, 5);
        like($got, qr/\A(HTTP\/1\.1 100 Continue\r\n\r\n)*HTTP\/1\.1 200 OK\r\n.*slow\z/s, "HTTP/1.1, $kind");
        ok($closed, 'then the connection ends');
        $socket = tls('http/1.1');
        print $socket head_of('PUT', '/o/ten', 'Content-Length: 10'), '0123456789';
        close_side($socket, $with_alert);
        like((read_all($socket, 5))[0], qr/0123456789\z/, 'behind a body');
        my $h2 = h2();
        my @id = (ask_for($h2, '/o/slow'), ask_for($h2, '/o/ten', method => 'PUT', body => 1, headers => ['content-length', 10]));
        $h2->data($id[1], '0123456789', 1);
        close_side($h2->{socket}, $with_alert);
        is($h2->answer($id[0])->{body}, 'slow', 'HTTP/2');
        is($h2->answer($id[1])->{body}, '0123456789', 'behind a body');
    }
};

subtest 'a client that closes its side within a body has given it up' => sub {
    for my $protocol ('http/1.1', 'h2') {
        forget_seen();
        if ($protocol eq 'h2') {
            my $h2 = h2();
            $h2->data(ask_for($h2, '/o/takes', method => 'PUT', body => 1, headers => ['content-length', 100_000]), 'x' x 1000);
            seen('head PUT', 2);
            close_side($h2->{socket}, 1);
            ok(defined seen('^closed|^connect', 2), $protocol);
            $h2->wait_for(2, sub { 0 });
            ok($h2->{is_closed}, 'the connection ends');
        } else {
            my $socket = tls($protocol);
            print $socket head_of('PUT', '/o/takes', 'Content-Length: 100000'), 'x' x 1000;
            seen('head PUT', 2);
            close_side($socket, 1);
            ok((read_all($socket, 3))[1], "$protocol: the connection ends");
        }
        my $left = 1;
        for (1 .. 30) { last unless $left = run('ss', '-Htn', 'state', 'established', "sport = :$upstream") =~ /\S/; sleep 0.1 }
        pass('and so does the upstream\'s');
    }
};

subtest 'a client that leaves while Gitea thinks is noticed within a second' => sub {
    for my $protocol ('http/1.1', 'h2') {
        forget_seen();
        my $pid = fork // die;
        if (!$pid) {
            my $socket = tls($protocol);
            my $h2 = $protocol eq 'h2' ? Teagate::H2->new(socket => $socket) : undef;
            $h2 ? ask_for($h2, '/o/never') : print $socket head_of('GET', '/o/never');
            sleep 30;
        }
        ok(defined seen('head GET', 3), $protocol);
        sleep 0.5;
        kill 'KILL', $pid;
        waitpid $pid, 0;
        my $start = time;
        my $gone = 0;
        until ($gone || time - $start > 3) { $gone = run('ss', '-Htn', 'state', 'close-wait', "sport = :$upstream") =~ /\S/ ? 1 : 0; sleep 0.05 }
        ok($gone && time - $start < 1.2, 'the upstream is told') or diag time - $start;
        sleep 0.1;
    }
};

subtest 'an upload that Gitea takes is granted up to 4 MiB at a time' => sub {
    my $h2 = h2();
    my $id = ask_for($h2, '/o/takes', method => 'PUT', body => 1);
    my ($sent, $best) = (0, 0);
    while ($sent < 40 << 20) {
        my $credit = 65_535 + ($h2->{credit}{$id} // 0) - $sent;
        $best = $credit if $credit > $best;
        if ($credit < 16_384 || 65_535 + ($h2->{credit}{0} // 0) - $sent < 16_384) { $h2->wait_for(2, sub { $_[0]{type} == WINDOW_UPDATE }) or last; next }
        $h2->send(DATA, 0, $id, 'u' x 16_384);
        $sent += 16_384;
        $h2->wait_for(0, sub { 0 });
    }
    is($sent, 40 << 20, 'it is taken');
    ok($best > 1 << 20 && $best <= 4 << 20, "granted at the most: $best");
};

$proxy->stops_clean('it ends without leaks');

sub pss_kb { my ($pid) = @_; return read_file("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+)/m ? $1 : 0 }

# sends what the socket takes, or the windows, and says how much that was
sub send_more {
    my ($client) = @_;
    my ($who, $sent) = @$client{qw(who sent)};
    my @id = @{ $client->{ids} // [] };
    my $before = $$sent{0} // 0;
    if (!@id) {
        while (my $n = syswrite $who, 'u' x 16_384) { $$sent{0} += $n }
        return ($$sent{0} // 0) - $before;
    }
    $who->wait_for(0.001, sub { 0 });
    for my $id (@id) {
        my ($n, $all) = map { 65_535 + ($who->{credit}{$_} // 0) - ($$sent{$_} // 0) } $id, 0;
        ($n) = sort { $a <=> $b } $n, $all, 65_536;
        $who->data($id, 'u' x $n), $$sent{0} += $n, $$sent{$id} += $n if $n > 0;
    }
    return ($$sent{0} // 0) - $before;
}

# 200 connections of HTTP/1.1 with one each, or 40 of HTTP/2 with ten
sub slow_client {
    my ($protocol, $path) = @_;
    my $socket = tls($protocol);
    setsockopt $socket, SOL_SOCKET, SO_SNDBUF, 32_768;
    if ($protocol eq 'http/1.1') {
        print $socket head_of('PUT', $path, 'Content-Length: 100000000');
        $socket->blocking(0);
        return { who => $socket, sent => {} };
    }
    my $h2 = Teagate::H2->new(socket => $socket);
    return { who => $h2, sent => {}, ids => [map { ask_for($h2, $path, method => 'PUT', body => 1) } 1 .. 10] };
}

subtest 'hundreds of uploads that nobody takes fit into little memory' => sub {
    for my $case (['http/1.1', 200], ['h2', 40], ['h2', 1]) {
        my ($protocol, $count) = @$case;
        my $socket = "$dir/slow-$count-" . length $protocol;
        upstream(sub { sleep 60; 0 }, $socket); # of a unix socket the kernel holds little
        my $front = Teagate::Front->start(https => $https, host => $host, path => $socket, @limit);
        my $before = pss_kb($front->{pid});
        my @clients = map { slow_client($protocol, '/o/never') } 1 .. $count;
        my ($still, $sent) = (0, 0);
        for (1 .. 60) { # until nothing moves any more
            my $more = 0;
            $more += send_more($_) for @clients;
            $sent += $more;
            $still = $more ? 0 : $still + 1;
            last if $still > 4;
            sleep 0.05;
        }
        ok($still > 4, "$protocol, $count connections: all of them wait") or diag "$sent bytes";
        my $pss = pss_kb($front->{pid});
        diag "$protocol, $count connections: $sent bytes sent, $before kB became $pss kB";
        cmp_ok($pss - $before, '<', 56 * 1024, 'the process stays small') if ($ENV{TG_VARIANT} // 'plain') eq 'plain';
        is((over_http($port, head_of('GET', '/.teagate/style.css', 'Connection: close')))[0], 200, 'others are served');
        undef @clients;
        $front->stops_clean('it ends without leaks');
    }
};

done_testing;
