# The HTTP server behind proxies, and its limits of time and number: for each listener its own

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::H2 qw(DATA HEADERS RST_STREAM GOAWAY WINDOW_UPDATE END_STREAM END_HEADERS);
use Teagate::Http;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::SSL;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
my %sockets = map { $_ => listen_on('127.0.0.1') } qw(proxied plain cdn quick);
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
  http:
    - address: 127.0.0.1:@{[$http->sockport]}
      proxy-protocol: v2
      trusted-proxies: 127.0.0.1
limits: {threads: 2, max-connections-per-address: 6}
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

    my $relay = listen_on('127.0.0.1');
    my $pid = fork // die;
    if (!$pid) {
        my $client = $relay->accept;
        sysread $client, my $hello, 65536;
        my $upstream = sent($port{proxied}, header4('203.0.113.10') . $hello);
        my $select = IO::Select->new($client, $upstream);
        while (my @ready = $select->can_read(5)) {
            for my $from (@ready) {
                sysread $from, my $bytes, 65536 or POSIX::_exit(0);
                syswrite $from == $client ? $upstream : $client, $bytes;
            }
        }
        POSIX::_exit(0);
    }
    is(client_seen(tcp($relay->sockport)), '203.0.113.10', 'with the first message of TLS');
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

$server->stops_clean('the server ends in order');
done_testing;
