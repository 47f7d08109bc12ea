# HTTP/2 of the patched libh2o: connections and streams, and clients that mean harm

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use IO::Socket::SSL;
use Patchd;
use Teagate::H2 qw(DATA HEADERS PRIORITY RST_STREAM SETTINGS PING GOAWAY WINDOW_UPDATE CONTINUATION END_STREAM END_HEADERS
    PADDED NO_ERROR PROTOCOL_ERROR ENHANCE_YOUR_CALM STREAM_CLOSED literal literal_kept);
use Test::More;
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF);
use Time::HiRes qw(time sleep);

my $server = Patchd->start('max-requests' => 4, 'max-idle-frames' => 0);

sub h2 { return Teagate::H2->new(port => $server->{h2}, window => 1 << 24, @_) }

# one that takes little before it is read from
sub slow_socket {
    my ($port) = @_;
    return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Sockopts => [[SOL_SOCKET, SO_RCVBUF, 4096]]);
}

# the number of requests being answered, when it no longer changes
sub settled {
    my ($patchd) = @_;
    my ($before, $now) = (-1, 0);
    while ($before != $now) {
        $before = $now;
        sleep 0.05;
        my $stats = $patchd->stats;
        $now = $stats->{requests} - $stats->{disposed} - 1;
    }
    return $now;
}

subtest 'ordinary requests are answered' => sub {
    my $h2 = h2();
    my @id = map { $h2->request(path => "/bytes/$_") } 0, 1, 1000, 60_000;
    is($h2->answer($_)->{status}, 200) for @id;
    is($h2->answer($id[2])->{body}, letters(1000), 'the bytes are those asked for');
    is($h2->answer($id[3])->{body}, letters(60_000));
};

subtest 'a window that opens after the last byte does not abort' => sub {
    # Every body is as large as the window of its stream, and the client reads nothing: of those being written the last
    # byte has left the stream, not the server. Now their windows open.
    my $other = Patchd->start;
    my $size = 4000;
    for (1 .. 3) {
        my $socket = slow_socket($other->{h2});
        my $h2 = Teagate::H2->new(socket => $socket, settings => { 4 => $size }, window => 1 << 30);
        my ($last, $waiting) = (0, 0);
        for (1 .. 60) { # until the kernel takes no more
            $last = $h2->request(path => "/bytes/$size") for 1 .. 90;
            $waiting = settled($other) and last;
        }
        ok($waiting > 0, "$waiting responses wait, of " . ($last + 1) / 2);
        $h2->send_bytes(join '', map { Teagate::H2::frame(WINDOW_UPDATE, 0, $last - $_ * 2, pack 'N', 1) } reverse 0 .. 89);
        sleep 0.1;
        ok($other->is_alive, 'the server lives') or last;
        is($h2->answer($_, 10)->{body}, letters($size)) for 1, $last;
    }
    $other->stops_clean;
};

subtest 'a CONTINUATION of another stream is refused' => sub {
    my $h2 = h2();
    my $upload = $h2->request(method => 'POST', path => '/sink', body => 1);
    my $block = $h2->block(path => '/hello');
    $h2->send(HEADERS, END_STREAM, $upload + 2, substr $block, 0, 10);
    $h2->send(CONTINUATION, END_HEADERS, $upload, substr $block, 10);
    is($h2->end, PROTOCOL_ERROR, 'the connection ends');
};

subtest 'a connection that breaks starts no pending request' => sub {
    # four requests run, the others wait. The client reads nothing, so writing blocks; answers to PING pile up, so reading
    # stops; then the client resets: the server learns it by writing.
    my $before = $server->stats;
    for (1 .. 3) {
        my $socket = slow_socket($server->{h2});
        my $h2 = Teagate::H2->new(socket => $socket, settings => { 4 => 1 << 24 }, window => 1 << 26);
        $h2->request(path => '/bytes/4000000') for 1 .. 4;
        sleep 0.2;
        $h2->request(path => '/show') for 1 .. 50;
        $h2->send_bytes(Teagate::H2::frame(PING, 0, 0, 'x' x 8) x 45_000);
        sleep 0.1;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
        $h2->close;
        sleep 0.1;
    }
    my $after = $server->stats;
    ok($server->is_alive, 'the server lives');
    is($after->{requests} - $before->{requests} - 1, 12, 'only those that ran before have run');
    is($after->{requests} - $after->{disposed}, 1, 'all are disposed of');
};

subtest 'rapid reset costs the connection' => sub {
    my $before = $server->stats;
    my $h2 = h2();
    for (1 .. 2000) {
        my $id = $h2->request(path => '/delay/500');
        $h2->send(RST_STREAM, 0, $id, pack 'N', 8) or last;
    }
    is($h2->end, ENHANCE_YOUR_CALM, 'GOAWAY');
    my $count = $server->stats->{requests} - $before->{requests};
    ok($count < 150, "few requests have run ($count)");
};

subtest 'made you reset costs the connection' => sub {
    my $before = $server->stats;
    my $h2 = h2();
    for (1 .. 2000) {
        my $id = $h2->request(path => '/delay/500');
        $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 0) or last;
    }
    is($h2->end, ENHANCE_YOUR_CALM, 'GOAWAY');
    my $count = $server->stats->{requests} - $before->{requests};
    ok($count < 150, "few requests have run ($count)");
};

subtest 'a client that cancels now and then is not punished' => sub {
    my $h2 = h2();
    for (1 .. 150) {
        $h2->send(RST_STREAM, 0, $h2->request(path => '/delay/2000'), pack 'N', 8);
        is($h2->answer($h2->request(path => '/hello'))->{status}, 200) or last;
    }
};

subtest 'frames of unknown types are ignored silently' => sub {
    my $h2 = h2();
    $h2->send(0x2a, 0, 0, 'x' x 20) for 1 .. 100;
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200);
    is($server->errors, '', 'nothing is written to stderr');
};

$server->stops_clean;
$server = Patchd->start;

subtest 'frames without effect cost the connection' => sub {
    my %flood = (
        'PING' => Teagate::H2::frame(PING, 0, 0, 'x' x 8),
        'PING that are answers' => Teagate::H2::frame(PING, 1, 0, 'x' x 8),
        'SETTINGS' => Teagate::H2::frame(SETTINGS, 0, 0, ''),
        'PRIORITY' => Teagate::H2::frame(PRIORITY, 0, 1, pack 'NC', 0, 15),
        'empty DATA' => Teagate::H2::frame(DATA, 0, 1, ''),
        'DATA of padding' => Teagate::H2::frame(DATA, PADDED, 1, "\x03xxx"),
        'unknown' => Teagate::H2::frame(0x2a, 0, 0, 'x'),
    );
    for my $name (sort keys %flood) {
        my $h2 = h2();
        my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
        my $one = h2();
        my $other = $one->request(method => 'POST', path => '/sink', body => 1);
        $h2->send_bytes($flood{$name} x 1100);
        is($h2->end, ENHANCE_YOUR_CALM, "$name: GOAWAY");
        $one->send_bytes($flood{$name} x 900);
        $one->data($other, 'x', 1);
        is($one->answer($other)->{status}, 200, "$name: fewer are allowed");
    }
};

subtest 'windows that open for nothing cost the connection' => sub {
    for my $id (0, 1) {
        my $h2 = h2();
        $h2->request(method => 'POST', path => '/sink', body => 1);
        $h2->send_bytes(Teagate::H2::frame(WINDOW_UPDATE, 0, $id, pack 'N', 1) x 1100);
        is($h2->end, ENHANCE_YOUR_CALM, $id ? 'of a stream' : 'of the connection');
    }
};

subtest 'frames of closed streams cost the connection' => sub {
    my %flood = (
        'RST_STREAM' => [ Teagate::H2::frame(RST_STREAM, 0, 1, pack 'N', 8), 1100 ],
        'trailers' => [ Teagate::H2::frame(HEADERS, END_HEADERS | END_STREAM, 1, literal('a', 'b')), 1100 ],
        'DATA' => [ Teagate::H2::frame(DATA, 0, 1, 'x' x 16_384), 1100 ],
    );
    for my $name (sort keys %flood) {
        my $h2 = h2();
        my $id = $h2->request(method => 'POST', path => '/early', body => 1);
        $h2->data($id, 'x');
        is($h2->answer($id)->{status}, 409, "$name: answered before its body has ended");
        $h2->send_bytes($flood{$name}[0] x $flood{$name}[1]);
        is($h2->end, $name eq 'trailers' ? STREAM_CLOSED : ENHANCE_YOUR_CALM, "$name: GOAWAY");
    }
};

subtest 'a client that opens its windows in small steps is not punished' => sub {
    my $h2 = h2(settings => { 4 => 1024 });
    my $id = $h2->request(path => '/bytes/3000000');
    my $steps = 0;
    $h2->wait_for(20, sub {
        my ($frame) = @_;
        return 1 if $frame->{type} == GOAWAY || $frame->{flags} & END_STREAM && $frame->{id} == $id;
        return 0 unless $frame->{type} == DATA;
        $steps++;
        $h2->send(WINDOW_UPDATE, 0, $_, pack 'N', length $frame->{payload}) for $id, 0;
        return 0;
    });
    cmp_ok($steps, '>', 2000, "$steps steps");
    is(length $h2->answer($id, 0)->{body}, 3_000_000, 'all of it has come');
};

subtest 'half a frame is seen while other streams are busy' => sub {
    my %half = (
        'a frame' => substr(Teagate::H2::frame(HEADERS, END_HEADERS | END_STREAM, 3, Teagate::H2->block), 0, 15),
        'a block' => Teagate::H2::frame(HEADERS, END_STREAM, 3, substr Teagate::H2->block, 0, 5),
        'DATA' => substr(Teagate::H2::frame(DATA, 0, 1, 'x' x 100), 0, 15),
        'no half' => Teagate::H2::frame(PING, 0, 0, 'x' x 8),
    );
    for my $name (sort keys %half) {
        my $h2 = h2();
        my $id = $h2->request(path => '/partial/300', $name eq 'DATA' ? (method => 'POST', body => 1) : ());
        $h2->wait_for(1, sub { $_[0]{type} == SETTINGS }); # it is acknowledged before the half
        $h2->send_bytes($half{$name});
        my $want = $name eq 'no half' ? 'none' : $name eq 'DATA' ? 'body' : 'head';
        like($h2->answer($id)->{body}, qr/^$want /, $name);
        next if $want eq 'none';
        cmp_ok(($h2->answer($id)->{body} =~ /(\d+)/)[0], '>=', 200, 'since then');
    }
    my $h2 = h2();
    my $id = $h2->request(path => '/partial/300');
    $h2->wait_for(1, sub { $_[0]{type} == SETTINGS });
    $h2->send_bytes(substr $half{'a frame'}, 0, 12);
    sleep 0.1;
    $h2->send_bytes(substr(Teagate::H2::frame(HEADERS, END_HEADERS | END_STREAM, 3, Teagate::H2->block), 12));
    like($h2->answer($id)->{body}, qr/^none /, 'one that was completed is forgotten');
};

# (the socket's bytes, those of HTTP/2) a while after a request
sub memory_told { my ($h2, $id) = @_; return $h2->answer($id)->{body} =~ /socket=(\d+) http2=(\d+)/ }

subtest 'what a connection takes of memory is told' => sub {
    my $h2 = h2();
    my ($socket, $tables) = memory_told($h2, $h2->request(path => '/memory/0'));
    cmp_ok($socket + $tables, '<', 4096, 'little, when nothing is under way');
    my (undef, $full) = memory_told($h2, $h2->request(path => '/memory/0', raw => literal_kept('x-kept', 'k' x 3000)));
    cmp_ok($full - $tables, '>', 3000, 'a field that is kept');
    my ($half, undef) = memory_told($h2, do {
        my $id = $h2->request(path => '/memory/200');
        $h2->send_bytes(substr Teagate::H2::frame(99, 0, 0, 'x' x 12_000), 0, 10_000);
        $id;
    });
    cmp_ok($half - $socket, '>', 10_000 - 1, 'half a frame');

    $h2 = h2();
    my $id = $h2->request(path => '/memory/200');
    $h2->wait_for(1, sub { $_[0]{type} == SETTINGS }); # it is acknowledged before the half
    $h2->send(HEADERS, 0, $id + 2, Teagate::H2->block);
    $h2->send(CONTINUATION, 0, $id + 2, literal('x-long', 'l' x 10_000)) for 1 .. 3;
    my (undef, $block) = memory_told($h2, $id);
    cmp_ok($block - $tables, '>', 30_000, 'half a block of fields');
};

subtest 'frames of a stream that the client has ended are errors' => sub {
    my $h2 = h2();
    my $id = $h2->request(path => '/hello');
    is($h2->answer($id)->{status}, 200);
    $h2->send(DATA, END_STREAM, $id, 'late');
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200, 'the connection is kept');
    is($h2->answer($id)->{reset}, STREAM_CLOSED, 'DATA of an ended stream');
    my $cancelled = $h2->request(method => 'POST', path => '/sink', body => 1);
    $h2->send(RST_STREAM, 0, $cancelled, pack 'N', 8);
    $h2->send(DATA, 0, $cancelled, 'late');
    is($h2->answer($cancelled)->{reset}, STREAM_CLOSED, 'DATA of one that the client has reset');
    my $refused = $h2->request(method => 'POST', path => '/refuse', body => 1);
    is($h2->answer($refused)->{status}, 403);
    $h2->data($refused, 'x' x 30_000, 0);
    $h2->send_block($refused, END_STREAM, Teagate::H2::literal('x-trailer', 'v'));
    is($h2->answer($h2->request(path => '/hello'))->{status}, 200, 'a request that was answered early may go on for a while');
    ok(!$h2->{answers}{$refused}{reset}, 'and is told to stop, no more');
    $h2->send_block($id, END_STREAM, $h2->block);
    is($h2->end, STREAM_CLOSED, 'HEADERS of an ended stream end the connection');
    $h2 = h2();
    $h2->answer($h2->request(path => '/hello'));
    $h2->send(DATA, 0, 1, 'late') or last for 1 .. 200;
    is($h2->end, ENHANCE_YOUR_CALM, 'DATA of an ended stream, again and again');
};

subtest 'an error that ends a connection is told' => sub {
    my $h2 = h2();
    $h2->send(WINDOW_UPDATE, 0, 0, pack 'N', 0);
    is($h2->end, PROTOCOL_ERROR);
    my $junk = http1($server->{h2});
    print $junk "nothing that is known as HTTP/2\r\n\r\n";
    $junk->flush;
    sleep 0.3;
    my $said = $server->stops_clean;
    my @error = $server->said =~ /^error (-\d+ .*)$/mg;
    is(scalar(grep { $_ eq '-11 too many frames without effect' } @error), 11, 'floods');
    is(scalar(grep { /^-5 / } @error), 2, 'closed streams');
    is(scalar(grep { $_ eq '-11 too many aborted streams' } @error), 1, 'aborted streams');
    is(scalar(grep { /^-1 / } @error), 1, 'a protocol error');
    is(scalar @error, 16, 'and a preface that is none') or diag join "\n", @error;
};

subtest 'what an answer waits for can be seen, and the stream be ended' => sub {
    my $own = Patchd->start;
    my $watch = sub { return exchange($own->{h1}, "GET /$_[0] HTTP/1.1\r\nHost: a\r\n\r\n")->{body} };
    my $h2 = Teagate::H2->new(port => $own->{h2}, settings => { 4 => 1000 });
    my $id = $h2->request(path => '/watched/100000');
    $h2->wait_for(0.3, sub { 0 });
    is($watch->('watch'), 'waits=1 sent=1000', 'the window of the stream');
    $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 500);
    $h2->wait_for(0.2, sub { 0 });
    is($watch->('watch'), 'waits=1 sent=1500', 'what it lets through is counted');
    $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 90_000);
    $h2->wait_for(0.3, sub { 0 });
    is($watch->('watch'), 'waits=2 sent=65535', 'the window of the connection');
    $watch->('cancel');
    is($h2->answer($id)->{reset}, 8, 'the stream is cancelled');
    is($watch->('watch'), 'gone', 'with its request');
    $h2->send(WINDOW_UPDATE, 0, 0, pack 'N', 20_000);
    $id = $h2->request(path => '/hello');
    is($h2->answer($id)->{status}, 200, 'the connection goes on');
    $id = $h2->request(path => '/watched/900');
    $h2->answer($id);
    is($watch->('watch'), 'gone', 'what has been sent waits for nothing');
    $h2->close;
    $own->stops_clean;
};

subtest 'a client that closes its side is answered' => sub {
    my $own = Patchd->start;
    my $h2 = Teagate::H2->new(port => $own->{h2});
    my @id = map { $h2->request(path => "/delay/$_") } 300, 1300;
    my $upload = $h2->request(method => 'POST', path => '/sink', body => 1, headers => ['content-length', 10]);
    $h2->data($upload, 'abc');
    shutdown $h2->{socket}, 1;
    is($h2->answer($_)->{body}, 'later') for @id;
    is($h2->answer($upload, 0.1)->{status}, undef, 'what it has not asked whole has no answer');
    $h2->end(1);
    ok($h2->{is_closed}, 'then the connection ends');
    $h2 = Teagate::H2->new(port => $own->{h2});
    my $id = $h2->request(path => '/bytes/3000000');
    shutdown $h2->{socket}, 1;
    $h2->wait_for(1, sub { length($h2->{answers}{$id}{body} // "") >= 65_535 });
    is(length $h2->{answers}{$id}{body}, 65_535, 'as far as the window goes');
    $h2->{socket}->close;
    $own->stops_clean;
};

subtest 'a client that leaves is noticed' => sub {
    my $own = Patchd->start;
    my $h2 = Teagate::H2->new(port => $own->{h2});
    $h2->request(path => '/delay/5000') for 1 .. 3;
    $h2->answer($h2->request(path => '/hello'));
    $h2->{socket}->close;
    sleep 0.9;
    my $stats = $own->stats;
    is($stats->{requests} - $stats->{disposed}, 1, 'within a second');
    $own->stops_clean;
};

subtest 'one connection is ended in peace' => sub {
    my $own = Patchd->start;
    my $ask = sub { return exchange($own->{h1}, "GET /$_[0] HTTP/1.1\r\nHost: a\r\n\r\n")->{body} };
    my ($h2, $other) = map { Teagate::H2->new(port => $own->{h2}, settings => { 4 => 1000 }) } 1 .. 2;
    my $id = $h2->request(path => '/watched/3000');
    $h2->wait_for(0.2, sub { 0 });
    $ask->('go-away/0');
    is(unpack('N', $h2->wait_for(2, sub { $_[0]{type} == GOAWAY })->{payload}), 2**31 - 1, 'it is told');
    my $late = $h2->request(path => '/hello');
    is($h2->answer($late)->{status}, 200, 'a request that was on its way is answered');
    $ask->('go-away/1');
    is(unpack('N', $h2->wait_for(2, sub { $_[0]{type} == GOAWAY })->{payload}), $late, 'then the last one is named');
    $h2->request(path => '/hello');
    $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 5000);
    is($h2->answer($id)->{body}, letters(3000), 'what was under way is completed');
    is($h2->end(3), 0, 'and the connection ends');
    is($h2->{answers}{ $late + 2 }, undef, 'without what came later');
    is($other->answer($other->request(path => '/hello'))->{status}, 200, 'another goes on');
    $_->close for $h2, $other;
    $own->stops_clean;
};

subtest 'what ends a connection reaches a client that goes on sending' => sub {
    my $own = Patchd->start(tls => 1);
    my $connect = sub {
        my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $own->{tls}, SSL_verify_mode => 0, SSL_alpn_protocols => ['h2']) or die;
        return Teagate::H2->new(socket => $socket);
    };
    local $SIG{PIPE} = 'IGNORE';
    my $told = 0;
    for (1 .. 20) {
        my $h2 = $connect->();
        $h2->{socket}->syswrite(Teagate::H2::frame(DATA, 0, $h2->request(method => 'POST', path => '/sink', body => 1), 'x' x 20_000));
        $h2->{socket}->syswrite('y' x 16_000) or last for 1 .. 20;
        $told++ if ($h2->end(5) // 0) == 6; # FRAME_SIZE_ERROR
        $h2->close;
    }
    is($told, 20, 'all are told');
    my $h2 = $connect->();
    $h2->send(SETTINGS, 0, 0, 'x');
    $h2->wait_for(1, sub { $_[0]{type} == GOAWAY });
    my ($sent, $until) = (0, time + 5);
    $sent++ while time < $until && $sent < 1000 && $h2->{socket}->syswrite('y' x 16_000);
    ok($sent < 1000, 'but are not listened to without end');
    $h2->close;
    $own->stops_clean;
};

subtest 'a slow client gets the last answer whole' => sub {
    my $own = Patchd->start;
    my $slow = Teagate::H2->new(socket => slow_socket($own->{h2}), window => 1 << 24, settings => { 4 => 1 << 24 });
    my $id = $slow->request(path => '/bytes/8000000');
    $slow->wait_for(1, sub { $_[0]{type} == DATA });
    is(exchange($own->{h1}, "GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200);
    my $got = 0;
    $slow->wait_for(20, sub {
        my ($frame) = @_;
        return 0 unless $frame->{type} == DATA && $frame->{id} == $id;
        $slow->send(WINDOW_UPDATE, 0, 0, pack 'N', length $frame->{payload}) if length $frame->{payload};
        sleep 0.003;
        return $frame->{flags} & END_STREAM;
    });
    is(length $slow->answer($id, 0)->{body}, 8_000_000, 'all of it has come');
    $slow->close;
    $own->stops_clean;
};

subtest 'a CONTINUATION during shutdown is answered and does not spin' => sub {
    $server = Patchd->start;
    my $h2 = h2();
    my $running = $h2->request(path => '/delay/1800');
    $h2->wait_for(1, sub { $_[0]{type} == SETTINGS && $_[0]{flags} });
    my $block = $h2->block(path => '/hello');
    my $id = $running + 2;
    $h2->send(HEADERS, END_STREAM, $id, substr $block, 0, 10);
    is(exchange($server->{h1}, "GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200);
    my $last_id;
    $h2->wait_for(3, sub { $_[0]{type} == GOAWAY && ($last_id = unpack 'N', $_[0]{payload}) < 0x7fffffff });
    is($last_id, $id, 'the final GOAWAY promises to answer both');
    $h2->send(CONTINUATION, END_HEADERS, $id, substr $block, 10);
    is($h2->answer($id, 3)->{status}, 200, 'the continued one');
    is($h2->answer($running, 3)->{status}, 200, 'the running one');
    is($h2->end(2), NO_ERROR, 'then the connection ends');
    $server->stops_clean;
};

done_testing;
