# request bodies that are handed over as they arrive, in both protocols, plain and over TLS

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use IO::Socket::SSL;
use Patchd;
use Teagate::H2 qw(DATA HEADERS RST_STREAM SETTINGS WINDOW_UPDATE END_STREAM END_HEADERS PADDED NO_ERROR PROTOCOL_ERROR FLOW_CONTROL_ERROR STREAM_CLOSED);
use Test::More;
use Time::HiRes qw(time sleep);

my %setting = ('body-window' => 262_144, 'conn-window' => 1_048_576, 'body-idle' => 1000, 'linger' => 1000, 'max-entity' => 5_000_000);
my $server = Patchd->start(%setting, tls => 1);
my $pattern = join '', map { chr(33 + $_ * 7 % 90) } 0 .. 9999;

sub pattern { my ($n) = @_; return substr $pattern x (1 + $n / 10_000), 0, $n }

sub tls {
    my ($alpn) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $server->{tls}, SSL_verify_mode => 0, SSL_alpn_protocols => [$alpn])
        // die "no TLS: $SSL_ERROR";
}

sub h2 { return Teagate::H2->new(port => $server->{h2}, window => 1 << 24, settings => { 4 => 1 << 22 }, @_) }

sub post { my ($path, $body, @line) = @_; return join("\r\n", "POST $path HTTP/1.1", 'Host: a', @line, '', '') . $body }

sub with_length { my ($path, $body, @line) = @_; return post($path, $body, 'Content-Length: ' . length $body, @line) }

sub chunked {
    my ($body, $size) = @_;
    my $out = '';
    $out .= sprintf("%x\r\n%s\r\n", length $_, $_) for unpack "(a$size)*", $body;
    return $out . "0\r\n\r\n";
}

# sends a body as fast as the windows allow; returns the number of bytes sent when it ends or nothing moves for a while. before: what the
# stream was sent already; then the stream is not ended.
sub upload {
    my ($h2, $id, $body, $seconds, $before) = @_;
    my $sent = 0;
    $h2->{credit}{0} //= 0;
    $h2->{credit}{$id} //= 0;
    while ($sent < length $body) {
        my $free = 65535 + $h2->{credit}{0} - ($h2->{total} // 0);
        my $stream_free = 65535 + $h2->{credit}{$id} - $sent - ($before // 0);
        $free = $stream_free if $stream_free < $free;
        my $answer = $h2->{answers}{$id};
        return $sent if $h2->{is_closed} || ($answer && ($answer->{is_complete} || defined $answer->{reset}));
        if ($free <= 0) {
            $h2->wait_for($seconds // 3, sub { 1 }) or return $sent;
            next;
        }
        my $n = $free < 16384 ? $free : 16384;
        my $piece = substr $body, $sent, $n;
        $sent += length $piece;
        $h2->{total} += length $piece;
        $h2->send(DATA, $sent == length $body && !defined $before ? END_STREAM : 0, $id, $piece) or return $sent;
    }
    return $sent;
}

# --- HTTP/1 ---

subtest 'HTTP/1: a body arrives whole, by length and in chunks, plain and over TLS' => sub {
    for my $size (0, 1, 100, 65_536, 3_000_001) {
        my $body = pattern($size);
        for my $is_tls (0, 1) {
            my $socket = $is_tls ? tls('http/1.1') : http1($server->{h1});
            is(exchange($socket, with_length('/sink', $body))->{body}, crc32_of($body), "$size by length");
            is(exchange($socket, post('/sink', chunked($body, 7001), 'Transfer-Encoding: chunked'))->{body}, crc32_of($body), "$size in chunks")
                if $size;
            is(exchange($socket, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")->{body}, 'hello', 'the connection is kept');
        }
    }
};

subtest 'HTTP/1: requests follow each other in one write, split at odd places' => sub {
    my $body = pattern(20_000);
    my $bytes = join '', map { with_length('/sink', substr $body, 0, $_ * 6000), post('/sink', chunked($body, 999), 'Transfer-Encoding: chunked') } 1 .. 3;
    for my $size (97, 1000, 16_384) {
        my $socket = http1($server->{h1});
        my ($before, @got) = ('');
        for my $piece (unpack "(a$size)*", $bytes) {
            syswrite $socket, $piece;
            sleep 0.0005;
        }
        for (1 .. 6) {
            my $answer = read_answer($socket, before => $before);
            push @got, $answer->{body};
            $before = $answer->{rest} // '';
        }
        is_deeply(\@got, [map { crc32_of(substr $body, 0, $_ * 6000), crc32_of($body) } 1 .. 3], "$size bytes at a time");
    }
};

subtest 'HTTP/1: a client that waits is told to continue only when the body is wanted' => sub {
    my $socket = http1($server->{h1});
    my $begin = time;
    my $answer = exchange($socket, post('/sink-later/300', '', 'Content-Length: 5', 'Expect: 100-continue'));
    is($answer->{status}, 100);
    ok(time - $begin > 0.25, 'after the decision');
    is(exchange($socket, 'abcde')->{body}, crc32_of('abcde'));

    is(exchange($server->{h1}, post('/refuse', '', 'Content-Length: 5', 'Expect: 100-continue'))->{status}, 403, 'refused at once');
    is(exchange($server->{h1}, post('/refuse-later/200', '', 'Content-Length: 5', 'Expect: 100-continue'))->{status}, 403, 'refused later');
    is(exchange($server->{h1}, post('/limit/4', '', 'Content-Length: 5', 'Expect: 100-continue'))->{status}, 413, 'announced too large');
    is(exchange($server->{h1}, post('/sink', '', 'Content-Length: 5', 'Expect: 200-ok'))->{status}, 417, 'another expectation');
};

subtest 'HTTP/1: a small body that nobody wants does not cost the connection' => sub {
    my $socket = http1($server->{h1});
    is(exchange($socket, with_length('/refuse', 'b' x 1000))->{status}, 403) for 1 .. 3;
    is(exchange($socket, post('/refuse', chunked('b' x 1000, 100), 'Transfer-Encoding: chunked'))->{status}, 403) for 1 .. 3;
    is(exchange($socket, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")->{body}, 'hello');
};

subtest 'HTTP/1: both ways at once' => sub {
    my $body = pattern(400_000);
    my $socket = http1($server->{h1});
    my $select = IO::Select->new($socket);
    syswrite $socket, post('/echo', '', 'Content-Length: ' . length $body);
    my ($sent, $in) = (0, '');
    while ($sent < length $body) {
        $sent += syswrite $socket, substr $body, $sent, 10_000;
        while ($select->can_read(0.001)) {
            sysread $socket, $in, 1 << 20, length $in or last;
        }
    }
    ok(length $in > 100_000, 'what was sent comes back before the rest is sent');
    is(read_answer($socket, before => $in)->{body}, $body);
};

subtest 'HTTP/1: what is not acknowledged is bounded by the window' => sub {
    my $socket = http1($server->{h1});
    my $answer = exchange($socket, post('/hold', pattern(2_000_000), 'Content-Length: 9000000'));
    ok($answer->{body} >= 262_144 && $answer->{body} < 262_144 + 2 * 131_072, "held: $answer->{body}");
};

subtest 'HTTP/1: limits, silence and broken framing have their answers' => sub {
    is(exchange($server->{h1}, with_length('/limit/1000', 'b' x 1000))->{status}, 200, 'as large as allowed');
    is(exchange($server->{h1}, with_length('/limit/1000', 'b' x 1001))->{status}, 413, 'larger, announced');
    is(exchange($server->{h1}, post('/limit/1000', chunked('b' x 1001, 100), 'Transfer-Encoding: chunked'))->{status}, 413, 'larger, in chunks');
    is(exchange($server->{h1}, post('/sink', "5\r\nabcdeX\r\n", 'Transfer-Encoding: chunked'))->{status}, 400, 'bad chunk');
    is(exchange($server->{h1}, post('/sink', "-5\r\nabcde\r\n", 'Transfer-Encoding: chunked'))->{status}, 400, 'bad size of a chunk');
    my $begin = time;
    is(exchange($server->{h1}, post('/sink', 'abc', 'Content-Length: 5'))->{status}, 408, 'silence');
    my $waited = time - $begin;
    ok($waited > 0.8 && $waited < 2, "after the idle time ($waited)");

    my $socket = http1($server->{h1});
    syswrite $socket, post('/sink', '', 'Content-Length: 12');
    for (1 .. 12) {
        sleep 0.3;
        syswrite $socket, 'b';
    }
    is(read_answer($socket)->{status}, 200, 'slow is not silent');
};

subtest 'HTTP/1: an answer before the end of the body reaches the client' => sub {
    my $answer = exchange($server->{h1}, post('/early', pattern(2_000_000), 'Content-Length: 9000000'));
    is($answer->{status}, 409);
    is($answer->{body}, 'early');
};

subtest 'HTTP/1: a handler that does not stream gets the whole body' => sub {
    my $body = pattern(2_000_000);
    for my $path ('/entity', '/buffer/3000000') {
        is(exchange($server->{h1}, with_length($path, $body))->{body}, crc32_of($body), $path);
        is(exchange($server->{h1}, post($path, chunked($body, 30_000), 'Transfer-Encoding: chunked'))->{body}, crc32_of($body), "$path in chunks");
        is(exchange($server->{h1}, "GET $path HTTP/1.1\r\nHost: a\r\n\r\n")->{body}, crc32_of(''), "$path without");
    }
    is(exchange($server->{h1}, with_length('/entity', 'b' x 5_000_001))->{status}, 413);
    is(exchange($server->{h1}, with_length('/buffer/1000', 'b' x 1001))->{status}, 413);
};

subtest 'HTTP/1: a client that leaves ends its request' => sub {
    for (1 .. 20) {
        my $socket = http1($server->{h1});
        syswrite $socket, post('/sink', 'abc', 'Content-Length: 500');
        sleep 0.005;
        close $socket;
    }
    sleep 0.1;
    my $stats = $server->stats;
    is($stats->{requests} - $stats->{disposed}, 1);
};

# --- HTTP/2 ---

subtest 'HTTP/2: a body arrives whole, plain and over TLS' => sub {
    for my $size (0, 1, 100, 65_535, 65_536, 3_000_001) {
        my $body = pattern($size);
        for my $is_tls (0, 1) {
            my $h2 = $is_tls ? Teagate::H2->new(socket => tls('h2'), window => 1 << 24) : h2();
            for my $path ('/sink', '/sink-later/50') {
                my $id = $h2->request(method => 'POST', path => $path, body => 1);
                $size ? upload($h2, $id, $body) : $h2->send(DATA, END_STREAM, $id);
                is($h2->answer($id)->{body}, crc32_of($body), "$path $size" . ($is_tls ? ' over TLS' : ''));
            }
        }
    }
};

subtest 'HTTP/2: bodies of several streams do not mix' => sub {
    my $h2 = h2();
    my @body = map { substr pattern(200_000), $_, 50_000 + $_ } 0 .. 9;
    my @id = map { $h2->request(method => 'POST', path => '/sink', body => 1) } @body;
    for my $at (0 .. 6) {
        for my $i (0 .. 9) {
            my $piece = substr $body[$i], $at * 8000, 8000;
            $h2->send(DATA, $at == 6 ? END_STREAM : 0, $id[$i], $piece);
        }
        $h2->wait_for(0.01, sub { 0 });
    }
    is($h2->answer($id[$_])->{body}, crc32_of($body[$_])) for 0 .. 9;
};

subtest 'HTTP/2: a client that waits is told to continue only when the body is wanted' => sub {
    my @expect = (method => 'POST', body => 1, headers => ['expect', '100-continue']);
    my $h2 = h2();
    my $begin = time;
    my $id = $h2->request(path => '/sink-later/300', @expect);
    my $frame = $h2->wait_for(2, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
    is($h2->{answers}{$id}{status}, 100);
    is($frame->{flags} & END_STREAM, 0, 'an interim response');
    ok(time - $begin > 0.25, 'after the decision');
    $h2->data($id, 'abcde', 1);
    my $answer = $h2->answer($id);
    is("$answer->{status} $answer->{body}", '200 ' . crc32_of('abcde'));
    $id = $h2->request(path => '/sink-later/300', @expect);
    $h2->data($id, 'abcde', 1);
    $frame = $h2->wait_for(2, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
    is($h2->{answers}{$id}{status}, 200, 'one that does not wait is told nothing');
    for my $path ('/refuse', '/refuse-later/100') {
        $id = $h2->request(path => $path, @expect);
        $frame = $h2->wait_for(2, sub { $_[0]{type} == HEADERS && $_[0]{id} == $id });
        is($h2->{answers}{$id}{status}, 403, $path);
    }
};

subtest 'HTTP/2: before the decision a stream may send 64 KiB, then the window' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/delay/600', body => 1);
    is(upload($h2, $id, pattern(500_000), 0.3), 65_535, 'not opened');

    $h2 = h2();
    $id = $h2->request(method => 'POST', path => '/hold', body => 1);
    upload($h2, $id, pattern(2_000_000), 0.3);
    my $held = $h2->answer($id)->{body};
    ok($held >= 262_144 * 3 / 4 && $held <= 262_144, "opened and not acknowledged ($held)");
};

subtest 'HTTP/2: the connection has a window of its own, and gets back what a closed stream held' => sub {
    my $h2 = h2();
    my @id = map { $h2->request(method => 'POST', path => '/delay/5000', body => 1) } 1 .. 20;
    my $sent = 0;
    $sent += upload($h2, $_, pattern(65_535), 0.2) for @id;
    ok($sent <= 1_048_576 && $sent > 700_000, "the streams together ($sent)");
    $h2->send(RST_STREAM, 0, $_, pack 'N', 8) for @id;
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    is(upload($h2, $id, pattern(2_000_000)), 2_000_000, 'another stream can send');
    is($h2->answer($id)->{status}, 200);
};

subtest 'HTTP/2: more than a window is an error' => sub {
    my $h2 = h2();
    $h2->data($h2->request(method => 'POST', path => '/delay/3000', body => 1), pattern(100_000));
    is($h2->end(3), FLOW_CONTROL_ERROR, 'of a stream');
};

# what a stream may still send, all updates read
sub credit {
    my ($h2, $id, $sent) = @_;
    $h2->wait_for(0.2, sub { 0 });
    return 65_535 + ($h2->{credit}{$id} // 0) - $sent;
}

subtest 'HTTP/2: the window grows while the reader keeps up, and falls back when it stalls' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/stall/20000000', body => 1);
    my $begin = credit($h2, $id, 0);
    is($begin, 262_144, 'at first');
    my $sent = upload($h2, $id, pattern(19_990_000), 0.1, 0);
    my $grown = credit($h2, $id, $sent);
    ok($grown > 3_000_000 && $grown <= 4 << 20, "after 20 MB that were taken at once ($grown)");
    ok(65_535 + $h2->{credit}{0} - $h2->{total} >= $grown, 'the window of the connection with it');

    $h2->data($id, pattern($grown));
    $sent += $grown;
    $h2->{total} += $grown;
    is(credit($h2, $id, $sent), 0, 'a reader that stalls is sent no more than was granted');
    $h2->wait_for(0.5, sub { 0 });
    my $later = credit($h2, $id, $sent);
    is($later, 262_144, 'and then as little as at first');
    $sent += upload($h2, $id, pattern(3_000_000), 0.1, $sent);
    $later = credit($h2, $id, $sent);
    ok($later > 400_000, "until it keeps up ($later)");
    $h2->send(DATA, END_STREAM, $id);
    is($h2->answer($id)->{body}, $sent);
};

subtest 'HTTP/2: the windows of all requests have a budget' => sub {
    my $small = Patchd->start('body-budget' => 1_200_000, 'conn-window' => 65_535);
    my (@id, @credit);
    my @held = map { Teagate::H2->new(port => $small->{h2}) } 1 .. 5;
    for my $h2 (@held) {
        push @id, $h2->request(method => 'POST', path => '/stall/99999999', body => 1);
        push @credit, credit($h2, $id[-1], 0);
    }
    is_deeply(\@credit, [(262_144) x 4, 65_535], 'who comes last has what HTTP/2 grants everybody');
    is(65_535 + $held[0]{credit}{0}, 65_535 + 262_144, 'the connection has its own beyond that');
    $held[0]->send(RST_STREAM, 0, $id[0], pack 'N', 8);
    my $h2 = Teagate::H2->new(port => $small->{h2});
    my $id = $h2->request(method => 'POST', path => '/stall/99999999', body => 1);
    is(credit($h2, $id, 0), 262_144, 'what one leaves another has');
    my $sent = upload($h2, $id, pattern(3_000_000), 0.1, 0);
    my $left = credit($h2, $id, $sent);
    ok($sent == 3_000_000 && $left <= 262_144, "without room no window grows ($left)");
    $sent = upload($held[4], $id[4], pattern(1_000_000), 0.1, 0);
    is($sent, 1_000_000, 'nor stops');

    my $answer = exchange($small->{h1}, post('/hold', pattern(1_000_000), 'Content-Length: 9000000'));
    ok($answer->{body} >= 32_768 && $answer->{body} < 262_144, "HTTP/1 has the same budget: held $answer->{body}");
    $_->{socket}->close for @held, $h2;
    sleep 0.1;
    $h2 = Teagate::H2->new(port => $small->{h2});
    $id = $h2->request(method => 'POST', path => '/stall/99999999', body => 1);
    $sent = upload($h2, $id, pattern(3_000_000), 0.1, 0);
    $left = credit($h2, $id, $sent);
    ok($left > 300_000 && $left <= 524_288, "nothing is lost of it ($left)");
    $h2->{socket}->close;
    $small->stops_clean;
};

subtest 'HTTP/1: what is held over TLS when the budget is used up' => sub {
    my $none = Patchd->start('body-budget' => 1, tls => 1);
    my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $none->{tls}, SSL_verify_mode => 0, SSL_alpn_protocols => ['http/1.1'])
        // die "no TLS: $SSL_ERROR";
    my $blocker = http1($none->{h1});
    syswrite $blocker, "GET /block/500 HTTP/1.1\r\nHost: a\r\n\r\n"; # so that everything is there when the loop looks again
    sleep 0.1;
    print $socket post('/hold', pattern(400_000), 'Content-Length: 9000000');
    my $held = read_answer($socket)->{body};
    ok($held >= 32_768 && $held <= 65_536, "held: $held");
    close $blocker;
    close $socket;
    $none->stops_clean;
};

subtest 'HTTP/2: padding and DATA of closed streams are credited' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    for my $i (1 .. 12_000) {
        $h2->send(DATA, PADDED | ($i == 12_000 ? END_STREAM : 0), $id, chr(255) . 'b' . "\0" x 255) or last;
        $h2->wait_for(0.02, sub { 0 }) if $i % 200 == 0;
    }
    is($h2->answer($id)->{body}, crc32_of('b' x 12_000), 'padding');
    $h2 = h2();
    $id = $h2->request(method => 'POST', path => '/refuse', body => 1);
    is($h2->answer($id)->{status}, 403);
    for (1 .. 40) {
        $h2->data($id, pattern(60_000));
        $h2->wait_for(0.02, sub { 0 });
    }
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200, 'closed streams');
};

subtest 'HTTP/2: content-length is checked' => sub {
    my $h2 = h2();
    for my $length (4, 6) {
        my $id = $h2->request(method => 'POST', path => '/sink', body => 1, headers => ['content-length', $length]);
        $h2->data($id, 'abcde', 1);
        is($h2->answer($id)->{reset}, PROTOCOL_ERROR, "5 bytes, announced as $length");
    }
    my $id = $h2->request(method => 'POST', path => '/sink', headers => ['content-length', 5]);
    is($h2->answer($id)->{reset}, PROTOCOL_ERROR, 'announced, and not sent');
    $id = $h2->request(method => 'POST', path => '/sink', body => 1, headers => ['content-length', 5]);
    $h2->data($id, 'abcde', 1);
    is($h2->answer($id)->{body}, crc32_of('abcde'), 'as announced');
};

subtest 'HTTP/2: a refusal is a response, then the client is told to stop' => sub {
    my $h2 = h2();
    my @case = (['/refuse', 403], ['/refuse-later/100', 403], ['/limit/1000', 413], ['/early', 409]);
    for (@case) {
        my ($path, $status) = @$_;
        my $id = $h2->request(method => 'POST', path => $path, body => 1);
        upload($h2, $id, pattern(30_000), 0.3) if $path ne '/refuse';
        $h2->data($id, 'b') if $path eq '/early';
        my $answer = $h2->answer($id);
        is($answer->{status}, $status, $path);
        next if $path eq '/early' || $path eq '/limit/1000' || $path =~ /later/; # the whole body may be there already
        $h2->wait_for(3, sub { $_[0]{type} == RST_STREAM });
        is($h2->{answers}{$id}{reset}, NO_ERROR, 'RST_STREAM(NO_ERROR)');
    }
    my $id = $h2->request(method => 'POST', path => '/limit/1000', body => 1, headers => ['content-length', 1001]);
    is($h2->answer($id)->{status}, 413, 'announced too large');
    $h2->wait_for(3, sub { $_[0]{type} == RST_STREAM && $_[0]{id} == $id });
    is($h2->{answers}{$id}{reset}, NO_ERROR, 'RST_STREAM(NO_ERROR)');
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200, 'the connection is kept');
};

# a refused request with 12 bytes announced, and what the client says after it has read the answer
sub refused {
    my ($h2) = @_;
    my $id = $h2->request(method => 'POST', path => '/refuse', body => 1, headers => ['content-length', 12]);
    is($h2->answer($id)->{status}, 403);
    return $id;
}

sub reset_of {
    my ($h2, $id, $seconds) = @_;
    $h2->wait_for($seconds, sub { $_[0]{type} == RST_STREAM && $_[0]{id} == $id });
    return $h2->{answers}{$id}{reset};
}

subtest 'HTTP/2: after an early answer the stream is half closed' => sub {
    my $h2 = h2();
    my $id = refused($h2);
    $h2->data($id, 'abcdefghijkl', 1);
    is(reset_of($h2, $id, 1.5), undef, 'what was announced: nothing more is said');
    $h2->data($id, 'more');
    is(reset_of($h2, $id, 1), STREAM_CLOSED, 'until more comes than the end');

    $id = refused($h2);
    $h2->data($id, 'abc', 1);
    is(reset_of($h2, $id, 1), PROTOCOL_ERROR, 'less than was announced');
    $id = refused($h2);
    $h2->data($id, 'abcdefghijklm');
    is(reset_of($h2, $id, 1), PROTOCOL_ERROR, 'more than was announced');
    $id = refused($h2);
    $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 0x7fffffff) for 1, 2;
    is(reset_of($h2, $id, 1), FLOW_CONTROL_ERROR, 'a window beyond all bounds');

    my $begin = time;
    $id = refused($h2);
    is(reset_of($h2, $id, 3), NO_ERROR, 'silence');
    ok(time - $begin > 0.9, 'after a second');
    $begin = time;
    $id = $h2->request(method => 'POST', path => '/refuse', body => 1);
    $h2->data($id, pattern(65_535));
    is(reset_of($h2, $id, 2), NO_ERROR, '64 KiB');
    ok(time - $begin < 0.7, 'at once');
    my @id = map { $h2->request(method => 'POST', path => '/refuse', body => 1) } 1 .. 140;
    $h2->wait_for(0.5, sub { 0 });
    is($h2->{answers}{$_}{reset}, NO_ERROR, 'the oldest of many') for @id[0, 11];
    is($h2->{answers}{ $id[12] }{reset}, undef, 'the others have their second');
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200, 'the connection is kept');
};

subtest 'HTTP/2: trailers end a body, also one that was answered meanwhile' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    $h2->data($id, 'abc');
    $h2->send_block($id, END_STREAM, Teagate::H2::literal('x-sum', '1'));
    is($h2->answer($id)->{body}, crc32_of('abc'));
    $id = $h2->request(method => 'POST', path => '/refuse', body => 1);
    $h2->wait_for(3, sub { $_[0]{type} == RST_STREAM });
    $h2->send_block($id, END_STREAM, Teagate::H2::literal_kept('x-kept', 'yes'));
    $id = $h2->request(path => '/show', raw => Teagate::H2::indexed(62));
    like($h2->answer($id)->{body}, qr/^x-kept: yes$/m, 'and the compression state is in step');
};

subtest 'HTTP/2: both ways at once' => sub {
    my $body = pattern(400_000);
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/echo', body => 1);
    is(upload($h2, $id, $body), length $body);
    is($h2->answer($id)->{body}, $body);
};

subtest 'HTTP/2: silence is answered, but not if others use up the window' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    $h2->data($id, 'abc');
    $h2->{total} += 3;
    is($h2->answer($id)->{status}, 408);
    my @stalled = map { $h2->request(method => 'POST', path => '/delay/2600', body => 1) } 1 .. 17;
    my $waiting = $h2->request(method => 'POST', path => '/sink', body => 1);
    for (@stalled) {
        $h2->wait_for(0.02, sub { 0 });
        upload($h2, $_, pattern(65_535), 0.1);
    }
    is($h2->answer($waiting, 2)->{status}, undef, 'blocked, so not timed out');
    is(upload($h2, $waiting, 'abc', 4), 3, 'when the others are answered it can send');
    is($h2->answer($waiting)->{status}, 200);
};

subtest 'HTTP/2: a client that has no credit is not timed out' => sub {
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/sip/2600', body => 1);
    is(upload($h2, $id, pattern(400_000), 5), 400_000, 'it waits until the reader goes on');
    is($h2->answer($id)->{status}, 200, 'and is answered');
};

subtest 'HTTP/2: a handler that does not stream gets the whole body' => sub {
    my $body = pattern(2_000_000);
    my $h2 = h2();
    for my $path ('/entity', '/buffer/3000000') {
        my $id = $h2->request(method => 'POST', path => $path, body => 1);
        upload($h2, $id, $body);
        is($h2->answer($id)->{body}, crc32_of($body), $path);
    }
    my $id = $h2->request(method => 'POST', path => '/entity', body => 1);
    upload($h2, $id, pattern(6_000_000));
    is($h2->answer($id)->{status}, 413);
};

subtest 'HTTP/2: a client that leaves ends its requests' => sub {
    for (1 .. 10) {
        my $h2 = h2();
        $h2->data($h2->request(method => 'POST', path => '/sink', body => 1), 'abc') for 1 .. 5;
        $h2->send(RST_STREAM, 0, 1, pack 'N', 8);
        sleep 0.005;
        $h2->close;
    }
    sleep 0.1;
    my $stats = $server->stats;
    is($stats->{requests} - $stats->{disposed}, 1);
};

subtest 'an upload of 200 MB needs little memory' => sub {
    my $block = pattern(1_000_000);
    my $socket = http1($server->{h1});
    my $before = resident_kb($server->{pid});
    syswrite $socket, post('/sink', '', 'Content-Length: 200000000');
    for (1 .. 200) {
        my $left = $block;
        while (length $left) {
            substr $left, 0, (syswrite($socket, $left) // last), '';
        }
    }
    like(read_answer($socket, seconds => 20)->{body}, qr/^200000000 /);
    my $grown = resident_kb($server->{pid}) - $before;
    ok($grown < 20_000, "RSS has grown by $grown KB");
};

$server->stops_clean;

subtest 'uploads survive a graceful shutdown' => sub {
    $server = Patchd->start(%setting);
    my $body = pattern(300_000);
    my $socket = http1($server->{h1});
    syswrite $socket, post('/sink', substr($body, 0, 1000), 'Content-Length: 300000');
    my $h2 = h2();
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    sleep 0.1;
    is(exchange($server->{h1}, "GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200);
    my $until = time + 1.4;
    for (my $at = 1000; $at < 100_000; $at += 5000) {
        syswrite $socket, substr $body, $at, 5000;
        $h2->send(DATA, 0, $id, '');
        $h2->wait_for(0.07, sub { 0 });
        $h2->data($id, 'b' x 100);
    }
    syswrite $socket, substr $body, 101_000;
    $h2->data($id, 'b' x 100, 1);
    is(read_answer($socket)->{body}, crc32_of($body), 'HTTP/1');
    is($h2->answer($id)->{body}, crc32_of('b' x 2100), 'HTTP/2');
    close $socket;
    $server->stops_clean;
};

done_testing;
