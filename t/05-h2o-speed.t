# what makes the patched libh2o fast must not be seen from outside, except in the number of system calls and TLS records

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use IO::Socket::SSL;
use Patchd;
use Teagate::H2;
use Test::More;
use Time::HiRes qw(time sleep);

my $server = Patchd->start(tls => 1);

sub get { my ($path, @line) = @_; return join "\r\n", "GET $path HTTP/1.1", 'Host: a', @line, '', '' }

sub tls {
    my ($alpn, $port) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $port // $server->{tls}, SSL_verify_mode => 0, SSL_alpn_protocols => [$alpn])
        // die "no TLS: $SSL_ERROR";
}

sub growth {
    my ($name, $code) = @_;
    my $before = $server->stats->{$name};
    $code->();
    return $server->stats->{$name} - $before;
}

subtest 'answering later needs no epoll_ctl' => sub {
    my $socket = http1($server->{h1});
    exchange($socket, get('/hello'));
    my $calls = growth(epoll_ctl => sub { exchange($socket, get('/delay/1')) for 1 .. 20 });
    ok($calls < 10, "$calls calls for 20 requests");
};

subtest 'a client that leaves or sends meanwhile does not make the loop spin' => sub {
    my %meanwhile = (
        'closes'                => sub { close $_[0] },
        'closes its sending side' => sub { shutdown $_[0], 1 },
        'resets'                => sub { setsockopt $_[0], Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'II', 1, 0; close $_[0] },
        'sends another request' => sub { syswrite $_[0], get('/hello') },
    );
    for my $name (sort keys %meanwhile) {
        my $socket = http1($server->{h1});
        my $calls = growth(
            epoll_wait => sub {
                syswrite $socket, get('/delay/500');
                sleep 0.1;
                $meanwhile{$name}->($socket);
                sleep 0.3;
            });
        ok($calls < 200, "$name: $calls turns");
        next unless $name =~ /^sends|side$/;
        my $first = read_answer($socket);
        is($first->{body}, 'later', "$name: the answer comes");
        is(read_answer($socket, before => $first->{rest})->{body}, 'hello', 'and the next') if $name =~ /^sends/;
    }
};

subtest 'pipelined requests, split at odd places, are answered in order, plain and over TLS' => sub {
    my @path = ('/delay/5', '/hello', '/bytes/3000', '/delay/1', '/bytes/0', '/bytes/20000');
    my $bytes = join '', map { get($_) } @path;
    for my $size (1, 13, 50, 1000) {
        for my $is_tls (0, 1) {
            my $socket = $is_tls ? tls('http/1.1') : http1($server->{h1});
            for my $piece (unpack "(a$size)*", $bytes) {
                syswrite $socket, $piece;
                sleep 0.001 if $size > 1;
            }
            my ($before, @got) = ('');
            for (@path) {
                my $answer = read_answer($socket, before => $before);
                push @got, $answer->{body};
                $before = $answer->{rest} // '';
            }
            is_deeply(\@got, ['later', 'hello', letters(3000), 'later', '', letters(20_000)], "$size bytes at a time" . ($is_tls ? ', TLS' : ''));
        }
    }
};

subtest 'a single buffer is sent by send' => sub {
    my $h2 = Teagate::H2->new(port => $server->{h2});
    my $calls = growth(writev => sub { is($h2->answer($h2->request(path => '/hello'))->{status}, 200) for 1 .. 10 });
    ok($calls < 5, "$calls calls of writev for 10 responses");
};

subtest 'the head of a response says what is needed' => sub {
    my $keep = qr/\r\nConnection: keep-alive\r\n/;
    my $head = exchange($server->{h1}, get('/bytes/1234'))->{head};
    like($head, qr/\AHTTP\/1\.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Length: 1234\r\ncontent-type: text\/plain\r\n\r\n\z/, 'HTTP/1.1');
    like(exchange($server->{h1}, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->{head}, $keep, 'HTTP/1.0 that wants to stay');
    like(exchange($server->{h1}, "GET /hello HTTP/1.0\r\n\r\n")->{head}, qr/\r\nConnection: close\r\n/, 'HTTP/1.0');
    like(exchange($server->{h1}, get('/hello', 'Connection: close'))->{head}, qr/\r\nConnection: close\r\n/, 'HTTP/1.1 that leaves');
    like(exchange($server->{h1}, get('/refuse'))->{head}, qr/\AHTTP\/1\.1 403 As Asked\r\n/, 'another status');
    like(exchange($server->{h1}, get('/bytes/0'))->{head}, qr/\r\nContent-Length: 0\r\n/, 'an empty body');
};

# a relay that counts the records of application data that the server sends: what it returns tells them, once the client has closed
sub counted {
    my ($requests) = @_;
    my $listener = IO::Socket::IP->new(Listen => 1, LocalHost => '127.0.0.1') or die;
    pipe my $out, my $in or die;
    my $pid = fork // die;
    if (!$pid) {
        my ($client, $upstream) = (scalar $listener->accept, http1($server->{tls}));
        my ($records, $bytes) = (0, '');
        my $select = IO::Select->new($client, $upstream);
        RELAY: while (1) {
            for my $from ($select->can_read(10)) {
                sysread($from, my $some, 65536) or last RELAY;
                syswrite $from == $client ? $upstream : $client, $some;
                $bytes .= $some if $from == $upstream;
            }
            while (length $bytes >= 5 && length $bytes >= 5 + unpack 'x3n', $bytes) {
                ++$records if ord $bytes == 23;
                substr($bytes, 0, 5 + unpack 'x3n', $bytes) = '';
            }
        }
        syswrite $in, $records;
        POSIX::_exit(0);
    }
    close $in;
    my $socket = tls('http/1.1', $listener->sockport);
    $requests->($socket);
    close $socket;
    waitpid $pid, 0;
    return readline $out;
}

subtest 'a response over TLS has few records' => sub {
    require POSIX;
    my $base = counted(sub { exchange($_[0], get('/hello')) });
    my $count = sub { my ($n) = @_; return counted(sub { exchange($_[0], get('/hello')); exchange($_[0], get("/bytes/$n")) }) - $base };
    is($count->(5), 1, 'a small one: one');
    is($count->(10_240), 1, '10 KiB: one');
    is($count->(60_000), 15, '60 KB: of 4 KiB each');
    ok($count->(1 << 20) <= 90, '1 MiB: most of 16 KiB');
};

subtest 'large bodies arrive whole over TLS, whatever the reader' => sub {
    for my $size (0, 1, 16_383, 16_384, 16_385, 70_000, 3_000_001) {
        is(crc32_of(exchange(tls('http/1.1'), get("/bytes/$size"), seconds => 20)->{body}), crc32_of(letters($size)), "HTTP/1, $size");
        my $h2 = Teagate::H2->new(socket => tls('h2'), settings => { 4 => 1 << 24 }, window => 1 << 24);
        is(crc32_of($h2->answer($h2->request(path => "/bytes/$size"), 20)->{body}), crc32_of(letters($size)), "HTTP/2, $size");
    }
    my $socket = tls('http/1.1');
    print $socket get('/bytes/9000000');
    sleep 0.3;
    is(crc32_of(read_answer($socket, seconds => 30)->{body}), crc32_of(letters(9_000_000)), 'a slow reader');
    my @gone = map { my $gone = tls('http/1.1'); print $gone get('/bytes/9000000'); $gone } 1 .. 5;
    sleep 0.1;
    close $_ for @gone;
};

$server->stops_clean;
done_testing;
