# The HTTP server behind proxies, and its limits of time and number: for each listener its own

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::H2 qw(DATA HEADERS RST_STREAM GOAWAY WINDOW_UPDATE END_STREAM END_HEADERS);
use Teagate::Http;
use IO::Poll;
use IO::Socket::IP;
use IO::Socket::SSL;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
my %sockets = map { $_ => listen_on('127.0.0.1') } qw(proxied plain cdn quick young);
my $http = listen_on('127.0.0.1');
my $admin = listen_on("$dir/admin.sock");
my %port = map { $_ => $sockets{$_}->sockport } keys %sockets;

write_file("$dir/listen.yaml", <<"YAML");
listen:
  https:
    - address: 127.0.0.1:$port{proxied}
      proxy-protocol: v2
      trusted-proxies: [127.0.0.1, 10.0.0.0/8]
      limits: {max-connections-per-address: 3, handshake: 2}
    - address: 127.0.0.1:$port{cdn}
      trusted-proxies: [127.0.0.1, 10.0.0.0/8, "fd00::/8"]
    - 127.0.0.1:$port{plain}
    - address: 127.0.0.1:$port{quick}
      limits:
        head-timeout: 2
        body-idle: 3
        keepalive: 3
        handshake: 2
        write-stall: 3
        max-requests: 5
        min-rate: 2000
        max-connections-per-address: 100
    - address: 127.0.0.1:$port{young}
      limits: {max-age: 3}
  http:
    - address: 127.0.0.1:@{[$http->sockport]}
      proxy-protocol: v2
      trusted-proxies: 127.0.0.1
limits: {threads: 2, max-connections-per-address: 6, drain: 5}
YAML
my $server = Teagate::Http->start(https => [values %sockets], http => [$http], admin => [$admin], ca => "$dir/ca", names => ['localhost'],
    conf => "$dir/listen.yaml");

sub metrics { return { curl('--unix-socket', "$dir/admin.sock", 'http://localhost/metrics') =~ /^teagate_(\S+) ([0-9.]+)$/mg } }
sub attacks { my ($kind) = @_; return metrics()->{"attacks_total{kind=\"$kind\"}"} }
sub logged { my ($client) = @_; my @lines = read_file($server->{stderr}) =~ / warn attack (kind=\S+) client=\Q$client\E /g; return "@lines" }

sub tcp { my ($port, $from) = @_; return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, LocalHost => $from // '127.0.0.1', Timeout => 5) }

sub tls {
    my ($socket, $protocol) = @_;
    return IO::Socket::SSL->start_SSL($socket, SSL_hostname => 'localhost', SSL_verify_mode => 0, SSL_alpn_protocols => [ $protocol // 'http/1.1' ], Timeout => 5);
}

# A header of the PROXY protocol: command and version, family and transport, addresses
sub header { my ($command, $family, $bytes) = @_; return "\r\n\r\n\0\r\nQUIT\n" . pack 'CCn/a', $command, $family, $bytes }
sub header4 { my ($client) = @_; return header(0x21, 0x11, pack 'C4 C4 n2', split(/\./, $client), 10, 0, 0, 1, 4711, 443) }
sub header6 { my ($client) = @_; return header(0x21, 0x21, Socket::inet_pton(Socket::AF_INET6(), $client) . ("\0" x 16) . pack 'n2', 4711, 443) }

sub sent { my ($port, $bytes, $from) = @_; my $socket = tcp($port, $from); syswrite $socket, $bytes; return $socket }

sub client_seen {
    my ($socket, $protocol, @line) = @_;
    my $tls = tls($socket, $protocol) or return "no TLS: $IO::Socket::SSL::SSL_ERROR";
    return ask($tls, '/hello', @line) =~ /client=(\S+)/ ? $1 : 'nobody' if ($protocol // '') ne 'h2';
    my $h2 = Teagate::H2->new(socket => $tls);
    my $answer = $h2->answer($h2->request(path => '/hello', authority => 'localhost', headers => [ map { split /: / } @line ]));
    return ($answer->{body} // '') =~ /client=(\S+)/ ? $1 : 'nobody';
}

subtest 'the header of the PROXY protocol says who the client is' => sub {
    for my $protocol ('http/1.1', 'h2') {
        is(client_seen(sent($port{proxied}, header4('203.0.113.7')), $protocol), '203.0.113.7', "IPv4, $protocol");
        is(client_seen(sent($port{proxied}, header6('2001:db8::7')), $protocol), '2001:db8::7', "IPv6, $protocol");
        is(client_seen(sent($port{proxied}, header(0x20, 0, '')), $protocol), '127.0.0.1', "the proxy's own connection, $protocol");
        is(client_seen(sent($port{proxied}, header(0x21, 0, '')), $protocol), '127.0.0.1', "of an unknown family, $protocol");
    }
    is(client_seen(sent($port{proxied}, header(0x21, 0x11, pack('C4 C4 n2', 203, 0, 113, 8, (0) x 4, 1, 2) . pack('Cn/a', 2, 'localhost') x 20))),
        '203.0.113.8', 'with more behind the addresses');
    is(client_seen(sent($port{proxied}, header4('203.0.113.7')), 'http/1.1', 'X-Forwarded-For: 192.0.2.9'), '203.0.113.7',
        'X-Forwarded-For of a client that is no proxy is not believed');
    is(client_seen(sent($port{proxied}, header4('10.1.2.3')), 'http/1.1', 'X-Forwarded-For: 192.0.2.8, 192.0.2.9'), '192.0.2.9',
        'that of a proxy behind the proxy is');
    my $plain = sent($http->sockport, header4('203.0.113.7') . "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    like(answer_of($plain), qr{^HTTP/1\.1 301 }, 'before plain HTTP, in one piece with the request');
    sleep 1.5;
    like(read_file($server->{log}), qr/ client=203\.0\.113\.7 .* status=301 /, 'it is in the log');
};

subtest 'the header may come in any pieces, together with what follows' => sub {
    my $socket = tcp($port{proxied});
    for my $byte (split //, header4('203.0.113.9')) { syswrite $socket, $byte; sleep 0.005 }
    is(client_seen($socket), '203.0.113.9', 'byte by byte');

    my ($relay_port, $pid) = relay(sub { return sent($port{proxied}, header4('203.0.113.10') . $_[0]) });
    is(client_seen(tcp($relay_port)), '203.0.113.10', 'with the first message of TLS');
    kill 'KILL', $pid;
    waitpid $pid, 0;
};

subtest 'who is no proxy may not connect there, whatever he says' => sub {
    my ($refused, $counted) = (metrics()->{connections_refused_total}, attacks('untrusted-proxy'));
    my $stranger = sent($port{proxied}, header4('203.0.113.7'), '127.0.0.66');
    ok(defined closes_within($stranger, 1), 'closed');
    is(attacks('untrusted-proxy'), $counted + 1, 'counted');
    is(metrics()->{connections_refused_total}, $refused + 1, 'as refused, too');
    is(logged('127.0.0.66'), 'kind=untrusted-proxy', 'logged');
};

subtest 'a header that is none ends the connection' => sub {
    my %bad = (
        'no header' => "GET / HTTP/1.1\r\n\r\n", 'TLS at once' => "\x16\x03\x01\x00\x50\x01", 'version 1' => "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n",
        'an unknown version' => header(0x31, 0x11, "\0" x 12), 'an unknown command' => header(0x22, 0x11, "\0" x 12),
        'addresses that are too short' => header(0x21, 0x21, "\0" x 12), 'a datagram' => header(0x21, 0x12, "\0" x 12),
        'too long' => header(0x21, 0x11, "\0" x 5000),
    );
    my $counted = attacks('proxy-header');
    ok(defined closes_within(sent($port{proxied}, $bad{$_}), 1), $_) for sort keys %bad;
    is(attacks('proxy-header'), $counted + keys %bad, 'all are counted');
    is(logged('127.0.0.1'), 'kind=proxy-header', 'and logged once, under the address of the proxy');
    my $silent = sent($port{proxied}, substr header4('203.0.113.7'), 0, 20);
    my $seconds = closes_within($silent, 5);
    ok(defined $seconds && $seconds > 1.5 && $seconds < 3.5, 'half a header is waited for as long as a handshake') or diag $seconds // 'never';
};

subtest 'behind the PROXY protocol each client has its own number of connections' => sub {
    my @open = map { tls(sent($port{proxied}, header4('198.51.100.1'))) } 1 .. 3;
    is(scalar(grep { defined } @open), 3, 'three are allowed');
    my $counted = attacks('connections');
    ok(defined closes_within(sent($port{proxied}, header4('198.51.100.1')), 1), 'the fourth is closed');
    is(attacks('connections'), $counted + 1, 'counted');
    is(logged('198.51.100.1'), 'kind=connections', 'logged under the address of the client');
    is(client_seen(sent($port{proxied}, header4('198.51.100.2'))), '198.51.100.2', 'another address is served');
    close pop @open;
    sleep 0.2;
    is(client_seen(sent($port{proxied}, header4('198.51.100.1'))), '198.51.100.1', 'and the first again, after one was closed');

    my @six = map { tls(sent($port{proxied}, header6("2001:db8:1:2::$_"))) } 1 .. 3;
    ok(defined closes_within(sent($port{proxied}, header6('2001:db8:1:2:ffff::9')), 1), 'the addresses of a /64 count as one');
    is(client_seen(sent($port{proxied}, header6('2001:db8:1:3::1'))), '2001:db8:1:3::1', 'the next /64 is another');
    my @mine = map { tls(sent($port{proxied}, header(0x20, 0, ''))) } 1 .. 5;
    is(scalar(grep { defined } @mine), 5, 'the proxy itself is not counted');
};

subtest 'X-Forwarded-For is believed of trusted peers, up to the first hop that is not' => sub {
    my $to = sub { my ($from, @line) = @_; return client_seen(tcp($port{cdn}, $from), 'http/1.1', @line) };
    is($to->('127.0.0.1', 'X-Forwarded-For: 192.0.2.9'), '192.0.2.9', 'one hop');
    is($to->('127.0.0.1', 'X-Forwarded-For: 1.1.1.1, 192.0.2.9, 10.0.0.3'), '192.0.2.9', 'the last that is none of ours');
    is($to->('127.0.0.1', 'X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2001:db8::5', 'X-Forwarded-For: fd00::1'), '2001:db8::5', 'in several fields');
    is($to->('127.0.0.1', 'X-Forwarded-For: 1.1.1.1, unknown'), '127.0.0.1', 'what cannot be read ends the search');
    is($to->('127.0.0.1'), '127.0.0.1', 'without a header it is the peer');
    is($to->('127.0.0.67', 'X-Forwarded-For: 192.0.2.9'), '127.0.0.67', 'a stranger is not believed');
    is(client_seen(tcp($port{cdn}), 'h2', 'x-forwarded-for: 192.0.2.9'), '192.0.2.9', 'the same over HTTP/2');
    my $one = tls(tcp($port{cdn}));
    is(ask($one, '/hello', 'X-Forwarded-For: 192.0.2.10') =~ s/.*client=(\S+).*/$1/rs, '192.0.2.10', 'each request of a connection');
    is(ask($one, '/hello', 'X-Forwarded-For: 192.0.2.11') =~ s/.*client=(\S+).*/$1/rs, '192.0.2.11', 'has its own client');
    my @many = map { tls(tcp($port{cdn})) } 1 .. 8;
    is(scalar(grep { defined } @many), 8, 'connections of a proxy are not counted by address');
    is(client_seen(tcp($port{plain}), 'http/1.1', 'X-Forwarded-For: 192.0.2.9'), '127.0.0.1', 'without trusted proxies nobody is believed');
};

subtest 'each listener has its own limits' => sub {
    my @six = map { tls(tcp($port{plain}, '127.0.0.68')) } 1 .. 6;
    is(scalar(grep { defined } @six), 6, 'six connections where `limits` says so');
    ok(defined closes_within(tcp($port{plain}, '127.0.0.68'), 1), 'not a seventh');
};

# Runs cases at once for some seconds. A case has a socket or an h2 client, a `tick` that is called ten times a second, and may be `deaf`:
# what comes is not read. Each gets `ended`, the second when its connection was closed, if it was.
sub run_cases {
    my ($seconds, %case) = @_;
    my $start = time;
    $_->{socket} //= $_->{h2}{socket} for values %case;
    while (time < $start + $seconds) {
        for my $case (grep { !defined $_->{ended} } values %case) {
            $case->{tick}->($case) if $case->{tick};
            $case->{ended} = time - $start if is_closed($case);
        }
        sleep 0.1;
    }
    return \%case;
}

sub is_closed {
    my ($case) = @_;
    if ($case->{deaf}) {
        my $poll = IO::Poll->new;
        $poll->mask($case->{socket} => IO::Poll::POLLHUP() | IO::Poll::POLLERR());
        return $poll->poll(0) > 0;
    }
    if ($case->{h2}) {
        $case->{h2}->wait_for(0.001, sub { 0 });
        return $case->{h2}{is_closed};
    }
    $case->{socket}->blocking(0);
    my $n = sysread $case->{socket}, my $bytes, 4096;
    $case->{text} .= $bytes if $n;
    my $is_over = defined $n ? $n == 0 : !$!{EAGAIN};
    $case->{socket}->blocking(1);
    return $is_over;
}

sub between { my ($case, $from, $to, $name) = @_; my $at = $case->{ended}; return ok(defined $at && $at >= $from && $at <= $to, $name) || diag $at // 'never' }
sub lives { my ($case, $name) = @_; return ok(!defined $case->{ended}, $name) || diag $case->{ended} }
sub writes { my ($bytes) = @_; return sub { syswrite $_[0]{socket}, $bytes } }
sub h2_to { my ($port, %option) = @_; return Teagate::H2->new(socket => tls(tcp($port, $option{from}), 'h2'), %option) }
sub status_in { my ($h2, $id) = @_; return $h2->{answers}{$id}{status} }
sub post { my ($path, $length) = @_; return "POST $path HTTP/1.1\r\nHost: localhost\r\nContent-Length: $length\r\n\r\n" }
sub begun { my ($socket, $bytes) = @_; syswrite $socket, $bytes; return $socket }

subtest 'a head has to be complete in time, and a connection used' => sub {
    my ($slow, $busy) = (attacks('slow-head'), h2_to($port{quick}));
    $busy->answer($busy->request(path => '/hello')); # so that settings are exchanged
    my $wait = $busy->request(path => '/wait/60');
    my $block = $busy->block(path => '/hello', headers => [ 'x-long' => 'x' x 500 ]);
    $busy->send(HEADERS, END_STREAM, $wait + 2, substr $block, 0, 20, '');
    my $case = run_cases(5,
        h1 => { socket => begun(tls(tcp($port{quick})), "GET /hello HTTP/1.1\r\n"), tick => writes('X') },
        again => { socket => begun(tls(tcp($port{quick})), "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /"), tick => writes('x') },
        elsewhere => { socket => begun(tls(tcp($port{plain})), "GET /hello HTTP/1.1\r\n"), tick => writes('X') },
        h2 => { h2 => $busy, tick => sub { $busy->send(Teagate::H2::CONTINUATION(), 0, $wait + 2, substr $block, 0, 1, '') } },
        frame => { h2 => h2_to($port{quick}), tick => sub { $_[0]{sent}++ ? syswrite $_[0]{socket}, "\0" : syswrite $_[0]{socket}, "\0\x10\0\x01" } },
        silent => { socket => tls(tcp($port{quick})) },
    );
    between($case->{$_}, 0.8, 4.2, $_) for qw(h1 h2 frame);
    between($case->{again}, 0.8, 4.2, 'the second head of a connection');
    between($case->{silent}, 0.8, 4, 'a connection that is not used');
    lives($case->{elsewhere}, 'another listener has its own limit');
    is(attacks('slow-head'), $slow + 4, 'heads are counted, a client that says nothing is not');
};

subtest 'an idle connection is closed, over HTTP/2 in peace' => sub {
    my @h2 = map { h2_to($port{quick}) } 1, 2;
    $_->answer($_->request(path => '/hello')) for @h2;
    my $h1 = tls(tcp($port{quick}));
    ask($h1, '/hello');
    my $case = run_cases(6.5, h1 => { socket => $h1 }, h2 => { h2 => $h2[0] },
        pings => { h2 => $h2[1], tick => sub { $h2[1]->send(Teagate::H2::PING(), 0, 0, '12345678') } });
    between($case->{h1}, 1.8, 4.5, 'HTTP/1');
    between($case->{h2}, 1.8, 6.4, 'HTTP/2');
    between($case->{pings}, 1.8, 6.4, 'also when it is kept awake');
    is($_->{goaway}, 0, 'it was told to go, without an error') for @h2;
};

subtest 'a body has to go on, and not too slowly' => sub {
    my $slow = attacks('slow-body');
    my @h2 = map { h2_to($port{quick}) } 1 .. 3;
    my @id = map { $_->request(method => 'POST', path => '/post', body => 1) } @h2[ 0, 1, 2, 2, 2 ];
    my $held = h2_to($port{quick}, from => '127.0.0.69');
    my $hold = $held->request(method => 'POST', path => '/hold', body => 1);
    my $filled = 0;
    my $case = run_cases(7.5,
        stops => { socket => begun(tls(tcp($port{quick})), post('/post', 100_000) . 'abc') },
        drips => { socket => begun(tls(tcp($port{quick})), post('/post', 100_000)), tick => writes('x') },
        flows => { socket => begun(tls(tcp($port{quick})), post('/post', 23_000)), tick => writes('x' x 400) },
        rests => { socket => begun(tls(tcp($port{quick})), post('/post', 20_001)), tick => sub { writes('x' x 10_000)->(@_) if $_[0]{n}++ % 22 == 0 && $_[0]{n} < 30; writes('x')->(@_) if $_[0]{n} == 44 } },
        held => { socket => begun(tls(tcp($port{quick})), post('/hold', 1_000_000)), tick => sub { $_[0]{n}++ < 20 && writes('x' x 16_000)->(@_) } },
        'h2 stops' => { h2 => $h2[0], tick => sub { $_[0]{n}++ || $h2[0]->data($id[0], 'abc') } },
        'h2 drips' => { h2 => $h2[1], tick => sub { $h2[1]->send(DATA, 0, $id[1], 'x') } },
        'h2 shares' => { h2 => $h2[2], tick => sub { $h2[2]->send(DATA, 0, $_, 'x' x 100) for @id[ 2 .. 4 ] } },
        'h2 held' => { h2 => $held, tick => sub { ($filled += 16_000) < 900_000 && $held->send(DATA, 0, $hold, 'x' x 16_000) } },
    );
    like($case->{$_}{text}, qr{^HTTP/1\.1 408 }, "$_: 408"), between($case->{$_}, 1.8, 7.5, "$_: closed") for qw(stops drips);
    like($case->{$_}{text}, qr{^HTTP/1\.1 200 .*\r\n\r\n2\d00\d$}s, "$_: taken") for qw(flows rests);
    is(status_in($h2[$_], $id[$_]), 408, 'HTTP/2: 408') for 0, 1;
    is(status_in($h2[2], $_), undef, 'HTTP/2: several share what they need not have each') for @id[ 2 .. 4 ];
    is($case->{held}{text}, undef, 'who may not send is not hurried');
    is(status_in($held, $hold), undef, 'over HTTP/2 neither');
    is(attacks('slow-body'), $slow + 4, 'counted');
};

subtest 'an answer has to be taken, and not too slowly' => sub {
    my $slow = attacks('slow-read');
    my $small = sub { # a socket that holds little
        my $socket = IO::Socket::IP->new(Proto => 'tcp', LocalHost => '127.0.0.70');
        setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 8192;
        connect $socket, Socket::pack_sockaddr_in($port{quick}, Socket::inet_aton('127.0.0.1'));
        return tls($socket);
    };
    my $get = "GET /big/20000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my @shut = map { h2_to($port{quick}, settings => { 4 => 1000 }) } 1 .. 3;
    my @id = map { $_->request(path => '/big/500000') } @shut;
    my @narrow = map { h2_to($port{quick}, settings => { 4 => 1 << 20 }) } 1, 2;
    $_->request(path => '/big/500000') for @narrow;
    my $stalled = h2_to($port{quick});
    $stalled->request(path => '/stall');
    my $again;
    my $case = run_cases(7.5,
        deaf => { socket => begun($small->(), $get), deaf => 1 },
        drips => { socket => begun($small->(), $get), deaf => 1, tick => sub { $_[0]{n}++ % 10 or sysread $_[0]{socket}, my $bytes, 100 } },
        reads => { socket => begun($small->(), $get) },
        stall => { socket => begun(tls(tcp($port{quick})), "GET /stall HTTP/1.1\r\nHost: localhost\r\n\r\n") },
        'h2 shut' => { h2 => $shut[0], tick => sub { $_[0]{n}++ == 40 and $again = $shut[0]->request(path => '/hello') } },
        'h2 drips' => { h2 => $shut[1], tick => sub { $shut[1]->send(WINDOW_UPDATE, 0, $id[1], pack 'N', 50) } },
        'h2 opens' => { h2 => $shut[2], tick => sub { $shut[2]->send(WINDOW_UPDATE, 0, $id[2], pack 'N', 400) } },
        'h2 narrow' => { h2 => $narrow[0], tick => sub { $narrow[0]->send(WINDOW_UPDATE, 0, 0, pack 'N', 50) } },
        'h2 wider' => { h2 => $narrow[1], tick => sub { $narrow[1]->send(WINDOW_UPDATE, 0, 0, pack 'N', 400) } },
        'h2 stall' => { h2 => $stalled },
    );
    between($case->{$_}, 1.8, 6.5, "$_: cut") for qw(deaf drips), 'h2 narrow';
    lives($case->{$_}, "$_: goes on") for 'reads', 'stall', 'h2 shut', 'h2 opens', 'h2 wider', 'h2 stall';
    is($shut[$_]{answers}{ $id[$_] }{reset}, 8, 'a stream whose window stays shut is cancelled') for 0, 1;
    is($shut[2]{answers}{ $id[2] }{reset}, undef, 'one that opens is not');
    is(status_in($shut[0], $again), 200, 'and its connection goes on');
    is(attacks('slow-read'), $slow + 5, 'counted');
    is(logged('127.0.0.70'), 'kind=slow-read', 'logged once for an address');
};

subtest 'a connection has so many requests, and ends in peace' => sub {
    my $h1 = tls(tcp($port{quick}));
    unlike(ask($h1, '/hello'), qr/^connection: close/mi, "request $_") for 1 .. 4;
    like(ask($h1, '/hello'), qr/^connection: close/mi, 'the fifth is the last');
    ok(defined closes_within($h1, 1), 'closed');
    my $h2 = h2_to($port{quick});
    my @id = map { $h2->request(path => '/wait/25') } 1 .. 7;
    ok($h2->wait_for(2, sub { $_[0]{type} == GOAWAY }), 'HTTP/2: it is told within a second or two');
    is($h2->answer($_)->{status}, 200, 'what is under way is answered') for @id;
    is($h2->end(4), 0, 'then it ends');
};

subtest 'a connection gets so old, and ends in peace' => sub {
    my ($h1, $h2) = (tls(tcp($port{young})), h2_to($port{young}));
    my $idle = tls(tcp($port{young}));
    ask($idle, '/hello');
    my $long = $h2->request(path => '/wait/45');
    my $start = time;
    my ($answers, $text) = (0, '');
    while (time < $start + 6 && ($text = ask($h1, '/hello')) !~ /^connection: close/mi) { $answers++; sleep 0.1 }
    my $at = time - $start;
    ok($answers > 15 && $at > 2.4 && $at < 4.5, 'HTTP/1: answered until its age, then asked to leave') or diag "$answers $at";
    like($text, qr{^HTTP/1\.1 200 .*hello}s, 'by a whole answer');
    is($h2->answer($long)->{status}, 200, 'HTTP/2: what is under way is answered');
    is($h2->{goaway}, 0, 'it was told to leave');
    is($h2->end(4), 0, 'then it ends');
    ok(defined closes_within($idle, 4), 'an idle one is closed');
};

$server->stops_clean('the server ends in order');

subtest 'what connections are busy with can be seen' => sub {
    my $own = listen_on('127.0.0.1');
    my $port = $own->sockport;
    $server = Teagate::Http->start(https => [$own], admin => [$admin], ca => "$dir/ca", names => ['localhost']);
    my @open = map { tls(tcp($port)) } 1 .. 5;
    syswrite $open[1], 'GET /hel';
    syswrite $open[2], post('/post', 1000) . 'abc';
    syswrite $open[3], "GET /wait/50 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    syswrite $open[4], "GET /big/50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $silent = tcp($port);
    sleep 1.7;
    my %seen = %{ metrics() };
    is($seen{"connections{state=\"$_\"}"}, 1, $_) for qw(handshake idle reading-head reading-body writing);
    is($seen{'connections{state="upstream"}'}, 1, 'waiting for an answer');
    $server->stops_clean('the server ends, in spite of all of them');
};

done_testing;
