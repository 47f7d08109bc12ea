# HTTP/1 of the patched libh2o: what it refuses, when it waits, how it closes

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Patchd;
use Test::More;
use Time::HiRes qw(time sleep);

my $server = Patchd->start('req-timeout' => 700, 'keepalive' => 2500, 'linger' => 600, 'linger-bytes' => 16 << 20);

sub get { my ($path, @line) = @_; return join "\r\n", "GET $path HTTP/1.1", 'Host: localhost', @line, '', '' }

subtest 'an ordinary request is answered, and the connection kept' => sub {
    my $socket = http1($server->{h1});
    for (1 .. 3) {
        is(exchange($socket, get('/hello'))->{body}, 'hello');
    }
};

subtest 'a response of unknown length keeps the connection, whatever its status' => sub {
    my $socket = http1($server->{h1});
    for my $status (200, 404, 500, 404) {
        my $answer = exchange($socket, get("/stream/$status"));
        is($answer->{status}, $status);
        is($answer->{body}, 'streamed', 'whole');
        like($answer->{head}, qr/^transfer-encoding: chunked\r?$/mi, 'in chunks');
    }
    is(exchange($socket, get('/hello'))->{body}, 'hello', 'and another follows');
};

subtest 'heads with two meanings are refused' => sub {
    my @bad = (
        'no host'                     => "GET /show HTTP/1.1\r\n\r\n",
        'two hosts'                   => "GET /show HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        'empty host'                  => "GET /show HTTP/1.1\r\nHost:\r\n\r\n",
        'host with a space'           => "GET /show HTTP/1.1\r\nHost: a b\r\n\r\n",
        'host with userinfo'          => "GET /show HTTP/1.1\r\nHost: a\@b\r\n\r\n",
        'host with a path'            => "GET /show HTTP/1.1\r\nHost: a/b\r\n\r\n",
        'host with a bad port'        => "GET /show HTTP/1.1\r\nHost: a:8o\r\n\r\n",
        'length and encoding'         => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'encoding and length'         => "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        'two lengths'                 => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        'a list of lengths'           => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nabcde",
        'a length with a sign'        => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde",
        'an empty length'             => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
        'two encodings'               => "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'a list of encodings'         => "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        'an obscured encoding'        => "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        'an encoding in HTTP/1.0'     => "POST /sink HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'a space before the colon'    => "GET /show HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        'a folded line'               => "GET /show HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
        'a bare LF in the first line' => "GET /show HTTP/1.1\nHost: a\r\n\r\n",
        'a bare LF in a field'        => "GET /show HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
        'a bare LF for the last line' => "GET /show HTTP/1.1\r\nHost: a\r\n\n",
        'a bare CR in a field'        => "GET /show HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n",
        'a NUL in a field'            => "GET /show HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
        'a method that is no token'   => "G{T /show HTTP/1.1\r\nHost: a\r\n\r\n",
        'two spaces'                  => "GET  /show HTTP/1.1\r\nHost: a\r\n\r\n",
        'a target without a slash'    => "GET show HTTP/1.1\r\nHost: a\r\n\r\n",
        'a NUL in the target'         => "GET /show\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        'connect'                     => "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    while (my ($name, $bytes) = splice @bad, 0, 2) {
        my $socket = http1($server->{h1});
        my $answer = exchange($socket, $bytes . get('/show', 'X-Second: 1'), seconds => 2);
        is($answer->{status}, 400, $name);
        unlike($answer->{rest} // '', qr/HTTP/, "$name: nothing after it is answered");
    }
};

subtest 'heads with one meaning are accepted' => sub {
    my @good = (
        'a port'                        => "GET /show HTTP/1.1\r\nHost: a-b.c_d:8443\r\n\r\n"                       => qr/^a-b\.c_d:8443$/m,
        'an IPv6 address'               => "GET /show HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"                   => qr/^\[2001:db8::1\]:80$/m,
        'no host in HTTP/1.0'           => "GET /show HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"                   => qr/^default$/m,
        'white space around a value'    => "GET /show HTTP/1.1\r\nHost: a \t\r\nX-A: \t b c \r\n\r\n"               => qr/^x-a: b c$/m,
        'the same length twice'         => "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nab" => qr/^2 /,
        'an empty line before'          => "\r\nGET /show HTTP/1.1\r\nHost: a\r\n\r\n"                              => qr/^a$/m,
        'the whole server'              => "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"                                  => qr/^\*$/m,
        'both of two credentials'       => "GET /show HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n" => qr/^authorization: x\nauthorization: y$/m,
        'an encoding in capitals'       => "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n" => qr/^1 /,
    );
    while (my ($name, $bytes, $like) = splice @good, 0, 3) {
        like(exchange($server->{h1}, $bytes)->{body}, $like, $name);
    }
};

subtest 'a target that is a whole address counts instead of Host' => sub {
    my $show = sub { my ($target, @host) = @_; exchange($server->{h1}, join "\r\n", "GET $target HTTP/1.1", (map { "Host: $_" } @host), 'X-A: b', '', '') };
    for my $case (['http://b/show', '/show'], ['https://b/show', '/show'], ['HTTPS://b/show', '/show'], ['hTTp://b:81/show?x=http://c/', '/show?x=http://c/', 'b:81'],
        ['http://[::1]:80/show', '/show', '[::1]:80']) {
        my ($target, $path, $authority) = @$case;
        my @line = split /\n/, $show->($target, 'a')->{body};
        is("@line[0 .. 3]", join(' ', 'GET', 'http', $authority // 'b', $path), $target);
        is("@line[4 .. $#line]", 'x-a: b', 'and of Host nothing is left');
    }
    is(exchange($server->{h1}, "POST http://b/sink HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")->{status}, 200, 'before a body');
    like($show->('http://b?a', 'a')->{body}, qr{^/\?a$}m, 'a query alone');
    like($show->($_, 'a')->{body}, qr/not found/, $_) for 'http://b', 'http://b/';
    like(exchange($server->{h1}, "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n")->{body}, qr/^\*$/m, 'the whole server');
    like(exchange($server->{h1}, "GET http://b/show HTTP/1.0\r\n\r\n")->{body}, qr/^b$/m, 'HTTP/1.0 needs no Host here, either');
    is($show->("$_/show", 'a')->{status}, 400, $_) for 'http://', 'http:', 'http:///', 'b', 'ftp://b', 'httpx://b', 'http://u@b', 'http://u:p@b', 'http://b:', 'http://b:x', 'http://b:123456',
        'http://b c', 'http://b\\', 'http://b%2f', 'http://b#', 'http://[::1', 'http://[]', ' http://b', 'http ://b', "http://b\0", 'https:b', 'http://b,c', 'http://"b"';
    is($show->('http://b/show', @$_)->{status}, 400, @$_ . ' Host: ' . join ' and ', @$_) for [], ['a', 'a'], [''], ['u@a'], ['a/b'];
};

subtest 'too many or too large header fields are answered with 431' => sub {
    is(exchange($server->{h1}, get('/hello', map { "X-$_: 1" } 1 .. 99))->{status}, 200, '100 fields');
    is(exchange($server->{h1}, get('/hello', map { "X-$_: 1" } 1 .. 100))->{status}, 431, '101 fields');
    is(exchange($server->{h1}, get('/hello', 'Cookie: ' . 'c' x 60_000))->{status}, 200, 'a cookie of 60 KB');
    is(exchange($server->{h1}, get('/hello', 'Cookie: ' . 'c' x 70_000))->{status}, 431, 'a cookie of 70 KB');
    is(exchange($server->{h1}, get('/hello', 'Cookie: ' . 'c' x 1_000_000))->{status}, 431, 'a cookie of 1 MB');
};

subtest 'an idle connection outlives the deadline of a head' => sub {
    my $socket = http1($server->{h1});
    is(exchange($socket, get('/hello'))->{status}, 200, 'first request');
    sleep 1.3;
    is(exchange($socket, get('/hello'))->{status}, 200, 'second request, after twice the deadline');
    my $begin = time;
    is(read_answer($socket, seconds => 5)->{status}, undef, 'then nothing');
    my $waited = time - $begin;
    ok($waited > 2.2 && $waited < 4, "closed after the idle time ($waited)");
};

subtest 'a head that dribbles is cut' => sub {
    for my $before (0, 1) {
        my $socket = http1($server->{h1});
        exchange($socket, get('/hello')) if $before;
        my $begin = time;
        my $is_open = 1;
        local $SIG{PIPE} = 'IGNORE';
        for my $byte (split //, get('/hello', 'X-Padding: ' . 'p' x 100)) {
            last unless $is_open = defined syswrite $socket, $byte;
            sleep 0.05;
            last if IO::Select->new($socket)->can_read(0);
        }
        my $waited = time - $begin;
        is(read_answer($socket, seconds => 1)->{status}, undef, 'no answer');
        ok($waited > 0.4 && $waited < 1.5, "cut after the deadline of a head, request " . ($before + 1) . " ($waited)");
    }
};

subtest "a refusal survives the client's unread bytes" => sub {
    local $SIG{PIPE} = 'IGNORE';
    for my $bytes (100, 12_000_000) {
        my $socket = http1($server->{h1});
        my $request = "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" . 'b' x $bytes;
        while (length $request) {
            substr $request, 0, (syswrite($socket, $request) // last), '';
        }
        is($request, '', "the client can send $bytes bytes");
        my $answer = read_answer($socket);
        is($answer->{status}, 403);
        is($answer->{body}, 'refused');
        like($answer->{head}, qr/connection: close/i, 'and the connection will be closed');
    }
    for my $n (1 .. 5) {
        my $socket = http1($server->{h1});
        my $answer = exchange($socket, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n" . 'b' x 2_000_000);
        is($answer->{status}, 400, 'an error of the parser, too');
    }
};

subtest 'a client that goes on sending after a refusal is cut' => sub {
    local $SIG{PIPE} = 'IGNORE';
    my $socket = http1($server->{h1});
    syswrite $socket, "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n";
    my $begin = time;
    while (time - $begin < 5 && defined syswrite $socket, 'b' x 10) {
        sleep 0.05;
    }
    my $waited = time - $begin;
    ok($waited > 0.4 && $waited < 1.6, "slow: after the time to linger ($waited)");

    $socket = http1($server->{h1});
    syswrite $socket, "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n";
    my ($sent, $block) = (0, 'b' x 65536);
    while ($sent < 900_000_000 && defined(my $n = syswrite $socket, $block)) {
        $sent += $n;
    }
    ok($sent < 60_000_000, "fast: after the bytes to linger ($sent)");
};

subtest 'the size of a chunk has one meaning' => sub {
    my $own = Patchd->start;
    my $post = sub { exchange($own->{h1}, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n$_[0]")->{status} };
    is($post->("$_\r\nabcde\r\n0\r\n\r\n"), 200, "'$_'") for '5', '05', '5;x=y', '5 ; x="y z"', "5\t";
    is($post->("$_\r\nabcde\r\n0\r\n\r\n"), 400, unpack 'H*', $_) for '0x5', '5,', '5\\', "5;x\ny", "5;x\ry";
    is($post->("5\nabcde\r\n0\r\n\r\n"), 400, 'a bare LF');
    is($post->("$_\r\nabcde\r\n0\r\n\r\n"), 400, "'$_'") for '5 x', "5;x\0y", '0000000000000005', 'fffffffffffffffb', '';
    $own->stops_clean;
};

subtest 'chunks end where they say' => sub {
    my $own = Patchd->start;
    my $post = sub { exchange($own->{h1}, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n$_[0]")->{status} };
    is($post->("5\r\nabcde$_" . "0\r\n\r\n"), 400, 'behind data: ' . unpack 'H*', $_) for "\n", "\r\r\n", 'xx', "\rx", "x\r\n";
    is($post->("5\r\nabcde\r\n0$_"), 400, 'at the end: ' . unpack 'H*', $_) for "\n\n", "\r\n\n", "\r\n\r\r\n", "\r\nx: y\n\r\n", "\r\nx: y\r\n\n",
        "\r\nGET / HTTP/1.1\r\n\r\n", "\r\n x: y\r\n\r\n", "\r\nx: a\0\r\n\r\n", "\r\n: y\r\n\r\n";
    is($post->("5\r\nabcde\r\n0\r\nX: y\r\nZ-1:\r\n\r\n"), 200, 'trailers');
    is($post->('5;' . 'x' x 20_000 . "\r\nabcde\r\n0\r\n\r\n"), 400, 'a long extension');
    is($post->("5\r\nabcde\r\n0\r\nX: " . 'x' x 20_000 . "\r\n\r\n"), 400, 'long trailers');
    is($post->(join('', map { "1;x=yyyy\r\na\r\n" } 1 .. 5000) . "0\r\n\r\n"), 400, 'many extensions, and hardly any data');
    is($post->(join('', map { "40;x=yy\r\n" . 'a' x 64 . "\r\n" } 1 .. 5000) . "0\r\n\r\n"), 200, 'many extensions of as many data');
    $own->stops_clean;
};

subtest 'a probe is an interim response, and what is ready meanwhile waits for it' => sub {
    my $socket = http1($server->{h1});
    for my $wait (0, 100, 0) {
        my $answer = exchange($socket, "GET /probe/$wait HTTP/1.1\r\nHost: a\r\n\r\n");
        is($answer->{status}, 100, 'interim');
        $answer = read_answer($socket, before => $answer->{rest} // '');
        is("$answer->{status} $answer->{body}", $wait ? '200 later' : '200 hello', 'final');
    }
    is(exchange($socket, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200, 'the connection is kept');
    is(exchange($server->{h1}, "GET /probe/0 HTTP/1.0\r\nHost: a\r\n\r\n")->{status}, 500, 'not for clients that know no interim responses');
};

$server->stops_clean;
done_testing;
