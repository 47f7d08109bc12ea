# The way of a request to an upstream: what goes there, what comes back, and what happens when one of the two sides misbehaves

use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::Front;
use Teagate::H2;
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
my $https = listen_on('127.0.0.1');
my $port = $https->sockport;
my $host = "localhost:$port";
my $url = "https://$host";

sub answer { my ($socket, $status, $body, @line) = @_; print $socket join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length $body, @line, '', ''), $body }

# Reads a request's body as it is framed, a digest and its size: with a pause between reads
sub drain_body {
    my ($socket, $head, $rest, $pause) = @_;
    my $digest = Digest::MD5->new;
    my ($size, $bytes) = (0, $$rest);
    my $more = sub { sleep $pause if $pause; return sysread $socket, $bytes, 262144, length $bytes };
    if ($head =~ /\r\nTransfer-Encoding: chunked/i) {
        while (1) {
            until ($bytes =~ /\r\n/) { $more->() or return "cut at $size" }
            $bytes =~ s/\A([0-9a-f]+)\r\n//i or return 'bad chunk';
            my $length = hex $1;
            while (length $bytes < $length + 2) { $more->() or return "cut at $size" }
            last if !$length;
            $digest->add(substr $bytes, 0, $length, '');
            substr $bytes, 0, 2, '';
            $size += $length;
        }
    } else {
        my ($length) = $head =~ /\r\nContent-Length: (\d+)/i;
        while ($size < ($length // 0)) {
            $bytes ne '' or $more->() or return "cut at $size";
            $digest->add($bytes);
            $size += length $bytes;
            $bytes = '';
        }
    }
    $$rest = '';
    return $digest->hexdigest . " $size";
}

sub big_block { my ($i) = @_; return pack('N', $i) x 16384 } # 64 KiB

my %serve = (
    '/o/head' => sub { answer($_[0], '200 OK', $_[1]) },
    '/o/cookies' => sub {
        answer($_[0], '200 OK', 'x', 'Set-Cookie: i_like_gitea=abc; Path=/', 'Set-Cookie: "i_like_gitea"=abc', 'Set-Cookie: gitea_incredible=a',
            'Set-Cookie: lang=en', 'Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=5', 'X-Stays: 1');
    },
    '/o/body' => sub { my ($s, $h, $r) = @_; answer($s, '200 OK', drain_body($s, $h, $r)) },
    '/o/slow-body' => sub { my ($s, $h, $r) = @_; answer($s, '200 OK', drain_body($s, $h, $r, 0.02)) },
    '/o/early' => sub { answer($_[0], '413 Too Large', 'early', 'Connection: close'); sleep 1; 0 },
    '/o/early-keep' => sub { answer($_[0], '401 No', 'early'); sleep 1; 0 },
    '/o/stall' => sub { sleep 20; 0 },
    '/o/r.git/git-upload-pack' => sub { sleep 3.6; answer($_[0], '200 OK', 'packed') },
    '/o/half-head' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-"; sleep 20; 0 },
    '/o/half-body' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"; sleep 20; 0 },
    '/o/truncated' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"; 0 },
    '/o/bad-head' => sub { my $s = shift; print $s "SSH-2.0-OpenSSH\r\n\r\n"; sleep 1; 0 },
    '/o/two-lengths' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"; sleep 1; 0 },
    '/o/bad-chunk' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"; sleep 0.2; print $s "zz\r\n"; sleep 1; 0 },
    '/o/switch' => sub { my $s = shift; print $s "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"; sleep 1; 0 },
    '/o/closes' => sub { 0 },
    '/o/interim' => sub { my $s = shift; print $s "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"; answer($s, '200 OK', 'last') },
    '/o/none' => sub { my $s = shift; print $s "HTTP/1.1 204 No Content\r\n\r\n"; 1 },
    '/o/unmodified' => sub { my $s = shift; print $s "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"; 1 },
    '/o/until-close' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\n\r\n"; print $s 'abc'; sleep 0.1; print $s 'def'; 0 },
    '/o/chunked' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; for (1 .. 50) { print $s "5\r\nabcde\r\n" } print $s "0\r\nX: y\r\n\r\n"; 1 },
    '/o/missing' => sub { my $s = shift; print $s "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"; 1 },
    '/o/behind' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmugg"; sleep 1; 0 },
    '/user/events' => sub { my $s = shift; print $s "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"; sleep 0.5; print $s "event: ping\n\n"; sleep 20; 0 },
    '/o/big' => sub {
        my $s = shift;
        my $blocks = 1600; # 100 MiB
        print $s 'HTTP/1.1 200 OK', "\r\nContent-Length: ", $blocks * 65536, "\r\n\r\n";
        for my $i (1 .. $blocks) { print $s big_block($i) or last; Teagate::Front::note_seen("sent $i") if $i % 100 == 0 }
        1;
    },
);
my $upstream_port = upstream(sub {
    my ($socket, $head, $rest) = @_;
    my ($method, $path) = $head =~ m{^(\S+) ([^ ?]+)};
    my $does = $serve{$path} // $serve{'/o/head'};
    if ($method eq 'HEAD') { print $socket "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"; return 1 }
    return $does->($socket, $head, $rest);
});
my $proxy = Teagate::Front->start(https => $https, host => $host, address => '127.0.0.1', port => $upstream_port, connections => 8);

sub get { my ($path, @option) = @_; return scalar curl('-k', '-w', "\n%{http_code}", @option, "$url$path") =~ s/\n0\z//r }
sub raw { my ($path, @line) = @_; return over_http($port, join "\r\n", "GET $path HTTP/1.1", "Host: $host", 'Connection: close', @line, '', '') }

subtest 'the head that goes upstream is the client\'s, without what could be mistaken for ours' => sub {
    my @forged = ('X-Forwarded-For: 6.6.6.6', 'x_forwarded_for: 6.6.6.6', 'X-FORWARDED-PROTO: javascript', 'X-Forwarded-Protocol: z', 'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6', 'X_Real_IP: 6.6.6.6', 'X-WEBAUTH-USER: root', 'x-webauth_email: a', 'X_WEBAUTH_USER: root', 'X-Request-ID: mine',
        'Front-End-Https: on', 'X-Url-Scheme: z', 'X-Gitea-Internal-Auth: Bearer x', 'TE: trailers', 'Proxy-Connection: x', 'Keep-Alive: 5', 'Upgrade: h2c');
    for my $protocol ('--http1.1', '--http2') {
        my $head = get('/o/head?a=%20b&c', $protocol, map { ('-H', $_) } @forged, 'Accept-Language: de', 'X-Kept: yes');
        like($head, qr{^GET /o/head\?a=%20b&c HTTP/1\.1\r\nHost: \Q$host\E\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Real-IP: 127\.0\.0\.1\r\n}, "$protocol: the line");
        like($head, qr/\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: \Q$host\E\r\nX-Request-ID: [0-9a-z]{20}\r\n/, 'ours');
        like($head, qr/\r\nx-kept: yes\r\n/, 'others stay');
        unlike($head, qr/6\.6\.6\.6|root|mine|javascript|webauth|internal|trailers|scheme|h2c|: z|proxy-|keep-alive/i, 'forged ones are gone');
    }
    my ($status, undef, $head) = raw('/o/head', 'Connection: X-Secret, close', 'X-Secret: 1');
    unlike($head, qr/x-secret/i, 'headers named by Connection are gone');
};

subtest 'the target goes out byte for byte, or not at all' => sub {
    like((over_http($port, "GET http://$host/o/head?a HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n"))[2],
        qr{^GET /o/head\?a HTTP/1\.1\r\nHost: \Q$host\E\r\n}, 'of a whole address what stands behind the authority');
    like((over_http($port, "GET http://other.test/o/head HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"))[0], qr/^421$/, 'whose authority counts');
    for my $path ('/api/packages/o/npm/@s%2Fp', '/o//head', '/a;b/c%20d/', "/\xc3\xa4/%C3%A4", '/a/b?x=%zz&y=/../') {
        like((raw($path))[2], qr{^GET \Q$path\E HTTP}, $path);
    }
    forget_seen();
    for my $path ('/a/..%2f..%2fmetrics', '/%2e%2e/x', '/a/./b', '/a\\b', '/a%5cb', '/a%00b', '/a/%zz', '/a%', '/a/..', '/.%2e/', '/a%0d%0ab') {
        is((raw($path))[0], 400, $path);
    }
    is((over_http($port, "OPTIONS * HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"))[0], 400, 'asterisk form');
    is((over_http($port, "$_ /o/head HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n"))[0], 405, $_) for qw(TRACE);
    is((raw($_))[0], 400, $_) for '/o/head?access_token=x', '/o/head?a=1&toke%6e=x', '/api/v1/user?sudo=root', '/o/head?a;token=1';
    is((raw('/o/head', $_))[0], 400, $_) for 'Sudo: root', 'Signature: keyId="a"', 'X-NuGet-ApiKey: x', 'X-Ops-Userid: x', "Authorization: a\r\nAuthorization: b";
    is((raw('/o/head', 'Host: other.test'))[0], 400, 'a second Host');
    is((over_http($port, "GET / HTTP/1.1\r\nHost: $_\r\nConnection: close\r\n\r\n"))[0], 421, "unknown host $_") for 'other.test', 'localhost', 'localhost:1';
    is(scalar(() = seen('head')), 0, 'the upstream saw none of them');
};

subtest 'Gitea\'s session cookie passes in neither direction, in no spelling' => sub {
    my @spelled = ('i_like_gitea=a', '"i_like_gitea"=a', 'i%5Flike%5Fgitea=a', 'x=1; i_like_gitea=a; y="2"', ' i_like_gitea =a', 'gitea_incredible=a:b', '__Host-tg-gitea=zz');
    for my $protocol ('--http1.1', '--http2') {
        my $head = get('/o/head', $protocol, map { ('-H', "Cookie: $_") } @spelled);
        unlike($head, qr/gitea|tg-|=a/, "$protocol: none of them goes");
        like($head, qr/\r\nCookie: x=1; y="2"\r\n/, 'the others do');
    }
    my $all = get('/o/cookies', '-i');
    unlike($all, qr/gitea|x-hop|keep-alive/i, 'none comes');
    like($all, qr/set-cookie: lang=en.*x-stays: 1/is, 'the others do');
    unlike(get('/api/v1/x', '-H', 'Cookie: x=1'), qr/cookie/i, 'where only tokens count, no cookie goes');
    unlike(get('/o/r/issues', '-u', 'a:b'), qr/authorization/i, 'where only sessions count, no token goes');
};

subtest 'answers of every shape arrive whole' => sub {
    for my $protocol ('--http1.1', '--http2') {
        is(get('/o/interim', $protocol), "last\n200", "$protocol: interim answers are skipped");
        is(get('/o/none', $protocol), "\n204", 'no content');
        is(get('/o/unmodified', $protocol), "\n304", 'not modified');
        like(get('/o/head', $protocol, '-I'), qr/content-length: 1234/i, 'HEAD');
        is(get('/o/until-close', $protocol), "abcdef\n200", 'until the connection closes');
        is(get('/o/chunked', $protocol), ('abcde' x 50) . "\n200", 'in chunks');
        is(get('/o/behind', $protocol), "abc\n200", 'what stands behind an answer is dropped');
        is(get('/o/head', $protocol) =~ /^GET/, 1, 'and the next request has its own answer');
    }
};

subtest 'an answer of unknown length keeps the client\'s connection, whatever its status' => sub {
    my $text = scalar curl('-k', '--http1.1', '-w', ' %{http_code} %{num_connects}\n', map { "$url$_" } '/o/missing', '/o/chunked', '/o/missing', '/o/head');
    is_deeply([$text =~ / (\d+ \d+)\n/g], ['404 1', '200 0', '404 0', '200 0'], 'one connection');
};

subtest 'failures of the upstream become 502 and 504 in the client\'s language' => sub {
    is((split /\n/, get($_))[-1], 502, $_) for qw(/o/bad-head /o/two-lengths /o/switch /o/closes);
    like(get('/o/closes'), qr/<!doctype html>.*is not answering/s, 'a page for browsers');
    like(get('/o/closes', '-H', 'Accept: text/plain'), qr/^[\x20-\x7e]+\n\n502$/, 'one line for others');
    for my $protocol ('--http1.1', '--http2') {
        for my $path (qw(/o/truncated /o/bad-chunk)) {
            my ($text, $code) = curl('-k', $protocol, '-w', '%{http_code}', "$url$path");
            ok($code != 0 || $text =~ /502$/, "$protocol: $path is not taken for a whole answer");
        }
    }
    my $start = time;
    like(get('/o/stall'), qr/504$/, 'no head in time');
    my $took = time - $start;
    ok($took > 2.9 && $took < 4, 'after its deadline') or diag $took;
    like(get('/o/half-head'), qr/504$/, 'half a head');
    is(get('/o/r.git/git-upload-pack', '-X', 'POST'), "packed\n200", 'git waits longer: Gitea packs before it answers');
    my (undef, $code) = curl('-k', '--http2', "$url/o/half-body");
    isnt($code, 0, 'half a body');
};

subtest 'connections are kept; a stale one is replaced for requests that may be repeated' => sub {
    get('/o/head') for 1 .. 3;
    forget_seen();
    get('/o/head') for 1 .. 10;
    is(scalar(() = seen('^connect')), 0, 'ten requests, no new connection');
    my @answer = map { over_http($port, "GET /o/head HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n") } 1;
    is($answer[0], 200, 'HTTP/1.1');
};

subtest 'events pass at once, and a client that leaves is seen upstream within a second' => sub {
    for my $protocol ('--http1.1', '--http2') {
        forget_seen();
        my $start = time;
        my $pid = open(my $out, '-|', 'curl', '-ksN', $protocol, '-D', '-', "$url/user/events") or die;
        my $bytes = '';
        sysread $out, $bytes, 4096, length $bytes or last until $bytes =~ /event-stream.*\n\r?\n/s;
        ok(time - $start < 0.45, "$protocol: the head comes before the first event");
        sysread $out, $bytes, 4096, length $bytes or last until $bytes =~ /event: ping/;
        ok(time - $start < 1, 'and the event when it happens');
        kill 'KILL', $pid;
        close $out;
        $start = time;
        # the stand-in sleeps; its socket shows the end to the kernel
        my $gone = 0;
        until ($gone || time - $start > 3) {
            $gone = scalar run('ss', '-Htn', 'state', 'close-wait', "sport = :$upstream_port") =~ /\S/ ? 1 : 0;
            sleep 0.05;
        }
        ok($gone && time - $start < 1.1, 'its end is seen') or diag time - $start;
    }
};

sub upload {
    my ($path, $size, @option) = @_;
    open my $file, '>', "$dir/upload" or die;
    my $digest = Digest::MD5->new;
    for my $i (1 .. $size / 65536) { my $block = big_block($i); print $file $block; $digest->add($block) }
    close $file;
    my $expected = $digest->hexdigest . " $size\n200";
    is(get($path, '-T', "$dir/upload", '--max-time', 60, @option), $expected, "@option");
    return;
}

subtest 'request bodies stream: whole, not spooled, no faster than Gitea takes them' => sub {
    upload('/o/body', 100 << 20, $_) for '--http1.1', '--http2';
    upload('/o/body', 100 << 20, $_, '-H', 'Transfer-Encoding: chunked') for '--http1.1', '--http2';
    upload('/o/slow-body', 16 << 20, $_) for '--http1.1', '--http2';
    is(get('/o/body', '-X', 'POST'), md5_hex('') . " 0\n200", 'none');
    like(get('/o/head', '-X', 'POST'), qr/\r\nContent-Length: 0\r\n/, 'is said to be none');
    cmp_ok($proxy->resident_kb, '<', 64 * 1024, 'memory') if ($ENV{TG_VARIANT} // 'plain') eq 'plain';
    diag('resident ' . $proxy->resident_kb . ' kB');
};

subtest 'an early answer reaches a client that is still sending' => sub {
    for my $protocol ('--http1.1', '--http2') {
        is(get('/o/early', $protocol, '-T', "$dir/upload", '-H', 'Expect:', '--max-time', 10), "early\n413", "$protocol: closing") for 1;
        is(get('/o/early-keep', $protocol, '-T', "$dir/upload", '-H', 'Expect:'), "early\n401", 'keeping');
    }
};

subtest 'a refused upload is refused at its head' => sub {
    forget_seen();
    my ($status, $head) = over_http($port, "PUT /metrics HTTP/1.1\r\nHost: $host\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n");
    is($status, 403, 'no 100 before it');
    is(scalar(() = seen('head')), 0, 'nothing went upstream');
};

subtest 'a slow client slows Gitea down' => sub {
    forget_seen();
    my $before = $proxy->resident_kb;
    my $pid = open(my $out, '-|', 'curl', '-ksN', '--limit-rate', '1M', "$url/o/big") or die;
    sysread $out, my $some, 65536;
    sleep 2;
    my ($sent) = (seen('^sent') // '') =~ /(\d+)/;
    cmp_ok($sent // 0, '<', 400, 'most of it has not been sent');
    kill 'KILL', $pid;
    close $out;
    for my $protocol ('--http1.1', '--http2') {
        my $digest = Digest::MD5->new;
        $digest->add(big_block($_)) for 1 .. 1600;
        open my $in, '-|', 'curl', '-ks', $protocol, "$url/o/big" or die;
        my $got = Digest::MD5->new->addfile($in)->hexdigest;
        is($got, $digest->hexdigest, "$protocol: 100 MiB");
    }
    cmp_ok($proxy->resident_kb, '<', 64 * 1024, 'memory') if ($ENV{TG_VARIANT} // 'plain') eq 'plain';
    diag('resident ' . $proxy->resident_kb . ' kB');
};

subtest 'a client that gives up in the middle of an upload is seen upstream' => sub {
    forget_seen();
    my $client = secure($port);
    print $client "PUT /o/body HTTP/1.1\r\nHost: $host\r\nContent-Length: 1000000\r\n\r\n", 'x' x 1000;
    $client->flush;
    seen('head PUT', 2);
    close $client;
    ok(defined seen('^closed|cut', 2), 'the connection ends') or 1;
};

subtest 'more requests than connections wait for their turn' => sub {
    my @pids = map { open(my $out, '-|', 'curl', '-ks', '--max-time', 20, '-o', '/dev/null', '-w', '%{http_code}', "$url/o/until-close") or die; $out } 1 .. 40;
    my %codes;
    for my $out (@pids) { my $code = readline $out; $codes{$code}++; close $out }
    is_deeply(\%codes, { 200 => 40 }, 'all are answered');
    cmp_ok(scalar(() = seen('^connect')), '<', 200, 'none is lost');
};

$proxy->stops_clean('it ends without leaks');

subtest 'an upstream that is down, a unix socket, and one that comes back' => sub {
    my $socket = "$dir/gitea.sock";
    my $second = Teagate::Front->start(https => $https, host => $host, path => $socket);
    my $start = time;
    like(get('/o/head'), qr/502$/, 'down');
    ok(time - $start < 1, 'at once');
    like(get('/.teagate/style.css'), qr/200$/, 'the style sheet is there');
    upstream(sub { my ($s, $h) = @_; answer($s, '200 OK', $h =~ /^(\S+)/ ? $1 : ''); 1 }, $socket);
    is(get('/o/head'), "GET\n200", 'up');
    $second->stops_clean('it ends without leaks');
};

subtest 'a kept connection that was closed meanwhile' => sub {
    my $flaky = upstream(sub { my ($s, $h) = @_; answer($s, '200 OK', 'fine'); sleep 0.3; sysread $s, my $next, 1; 0 });
    my $third = Teagate::Front->start(https => $https, host => $host, address => '127.0.0.1', port => $flaky);
    is(get('/a/b'), "fine\n200", 'first');
    is(get('/a/b'), "fine\n200", 'GET is repeated on a fresh one');
    for (1 .. 30) { last if read_file($third->{log}) =~ /retried/; sleep 0.1 }
    like(read_file($third->{log}), qr/upstream=retried/, 'as the log says');
    like(get('/a/b', '-d', 'x=1'), qr/502$/, 'POST is not');
    $third->stops_clean('it ends without leaks');
};

done_testing;
