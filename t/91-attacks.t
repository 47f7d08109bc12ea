# Attacks on the HTTP server: it lives, stays small, cuts the attacker off, counts and names him once; others are served meanwhile

use strict;
use warnings;
use FindBin;
use POSIX ();
use lib "$FindBin::Bin/lib";
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $tool = "$FindBin::Bin/fault/attack";
my $dir = $Teagate::Http::dir;
my ($https, $back, $admin) = (listen_on('127.0.0.1'), listen_on('127.0.0.1'), listen_on("$dir/admin.sock"));
my %option = (ca => "$dir/ca", names => ['localhost'], max => 20_000, 'head-timeout' => 2, handshake => 2, 'body-idle' => 2, 'write-stall' => 3);
my $server = Teagate::Http->start(https => [$https], backchannel => [$back], admin => [$admin], %option);
my $is_plain = ($ENV{TG_VARIANT} // 'plain') eq 'plain';
my $address = 10;

sub metrics { return { curl('--unix-socket', "$dir/admin.sock", 'http://localhost/metrics') =~ /^teagate_(\S+) ([0-9.]+)$/mg } }

sub pss_kb { return read_file("/proc/$server->{pid}/smaps_rollup") =~ /^Pss:\s+(\d+)/m ? $1 : 0 }

sub peak_kb { return read_file("/proc/$server->{pid}/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : 0 }

# Another client: asks again and again until it is told to stop, and says how that went.
sub start_witness {
    my ($port) = @_;
    pipe my $out, my $in or die;
    my $pid = fork // die;
    return { pid => $pid, out => $out } if $pid;
    my ($stop, $good, $bad, $worst) = (0, 0, 0, 0);
    $SIG{TERM} = sub { $stop = 1 };
    while (!$stop) {
        my $start = time;
        my $answer = curl('-k', "https://localhost:$port/hello");
        last if $stop;
        $answer =~ /^hello / ? $good++ : $bad++;
        $worst = time - $start if time - $start > $worst;
        sleep 0.1;
    }
    syswrite $in, "$good $bad $worst";
    POSIX::_exit(0);
}

sub stop_witness {
    my ($witness) = @_;
    kill 'TERM', $witness->{pid};
    sysread $witness->{out}, my $text, 100;
    waitpid $witness->{pid}, 0;
    return split / /, $text // '0 1 99';
}

# The counts of what the tool says, and whether the server lives
sub attack {
    my ($name, $port, $seconds, $from) = @_;
    my $text = run('perl', $tool, $name, $port, $from // "127.0.0." . ++$address, $seconds // 8);
    my %result = (cut => 0, open => 0);
    $result{$_}++ for $text =~ /^(cut|open)$/mg;
    $server->is_alive;
    note $text =~ s/^(cut|open)\n//gmr if $text =~ /[^\ncutopen]/;
    return \%result;
}

sub logged { my ($client) = @_; my @lines = read_file($server->{stderr}) =~ / warn attack (kind=\S+) client=\Q$client\E /g; return "@lines" }

my $witness = start_witness($https->sockport);
attack('ping', $https->sockport, 8, '127.0.0.9'); # whatever is allocated once
my $idle = pss_kb();

my @cases = ( # attack, what counts it
    ['bomb-headers', 'header-block'],
    ['bomb-cookies', 'header-block'],
    ['bomb-streams', 'header-block'],
    ['bomb-cookies-streams', 'header-block'],
    ['continuation', 'header-block'],
    ['continuation-empty', 'header-block'],
    ['rapid-reset', 'resets'],
    ['made-you-reset', 'resets'],
    ['settings', 'frames'],
    ['ping', 'frames'],
    ['ping-unread', 'frames'],
    ['empty-data', 'frames'],
    ['priority', 'frames'],
    ['window-updates', 'frames'],
    ['window-updates-stream', 'frames'],
    ['random', 'protocol'],
    ['slow-head', 'slow-head'],
    ['slow-frame', 'slow-head'],
    ['slow-frame-busy', 'slow-head'],
    ['slow-block-busy', 'slow-head'],
    ['slow-handshake', 'slow-handshake'],
    ['slow-body', 'slow-body'],
    ['slow-read', 'slow-read'],
    ['zero-window', 'slow-read'],
);
for my $case (@cases) {
    my ($name, $kind) = @$case;
    subtest "$name: cut, counted, logged once" => sub {
        my $before = metrics()->{"attacks_total{kind=\"$kind\"}"};
        my $result = attack($name, $https->sockport);
        cmp_ok($result->{cut}, '>', 0, 'cut');
        is($result->{open}, 0, 'none is left open') if $name ne 'random';
        cmp_ok(metrics()->{"attacks_total{kind=\"$kind\"}"}, '>', $before, 'counted');
        like(logged("127.0.0.$address"), qr/^kind=\S+$/, 'logged once');
        like(logged("127.0.0.$address"), qr/^kind=\Q$kind\E$/, 'by its kind') if $name ne 'random';
        cmp_ok(pss_kb() - $idle, '<', 65_536, 'memory') if $is_plain;
    };
}

subtest 'what is no offence by itself costs nothing' => sub {
    is(attack('window-abort', $https->sockport)->{open}, 1, 'a window that opens late');
    cmp_ok(pss_kb() - $idle, '<', 65_536, 'memory') if $is_plain;
};

subtest 'an upload that nobody wants is cut before its end' => sub {
    is(attack('large-upload', $https->sockport)->{cut}, 1);
    cmp_ok(pss_kb() - $idle, '<', 65_536, 'memory') if $is_plain;
};

my ($good, $bad, $worst) = stop_witness($witness);
cmp_ok($good, '>', 20, "another client was answered meanwhile, $good times");
is($bad, 0, 'each time');
cmp_ok($worst, '<', 2, 'soon');
$server->stops_clean('the server ends in order, without a leak');

subtest 'thousands of idle connections cost little' => sub {
    my $own = listen_on('127.0.0.1');
    $server = Teagate::Http->start(backchannel => [$own], admin => [$admin], %option, 'head-timeout' => 60, keepalive => 60);
    curl("http://localhost:@{[$own->sockport]}/hello");
    my $empty = peak_kb();
    my $result = attack('plain-idle', $own->sockport, 4);
    cmp_ok($result->{open}, '>', 500, "$result->{open} were open");
    is($result->{cut}, 0, 'none was closed');
    cmp_ok(peak_kb() - $empty, '<', 65_536, 'memory at its peak') if $is_plain;
    $server->stops_clean('the server ends');
};

for my $name (qw(idle-handshakes idle-sessions idle-sessions-old idle-requests idle-requests-old)) {
    subtest "$name: the oldest make room when they take too much memory" => sub {
        my $own = listen_on('127.0.0.1');
        $server = Teagate::Http->start(https => [$own], admin => [$admin], %option, handshake => 60, keepalive => 60, 'idle-memory' => 4 << 20);
        curl('-k', "https://localhost:@{[$own->sockport]}/hello");
        my $empty = peak_kb();
        my $result = attack($name, $own->sockport, 6, '127.0.99.1');
        cmp_ok($result->{cut}, '>', 100, "$result->{cut} were cut");
        cmp_ok(metrics()->{'attacks_total{kind="crowd"}'}, '>', 100, 'and counted');
        is(logged('127.0.99.7'), 'kind=crowd', 'logged once for each address');
        cmp_ok(peak_kb() - $empty, '<', 24_576, 'memory at its peak: ' . (peak_kb() - $empty) . ' KiB') if $is_plain;
        like(curl('-k', "https://localhost:@{[$own->sockport]}/hello"), qr/^hello /, 'others are served');
        $server->stops_clean('the server ends');
    };
}

subtest 'one address has so many connections and no more' => sub {
    my $own = listen_on('127.0.0.1');
    $server = Teagate::Http->start(https => [$own], admin => [$admin], %option, handshake => 20, 'per-address' => 50);
    my $result = attack('plain-thousands', $own->sockport, 2, '127.0.0.200');
    is($result->{open}, 50, 'as many as are allowed');
    is($result->{cut}, 1950, 'the others are closed at once');
    is(metrics()->{'attacks_total{kind="connections"}'}, 1950, 'counted');
    is(logged('127.0.0.200'), 'kind=connections', 'logged once');
    like(curl('-k', "https://localhost:@{[$own->sockport]}/hello"), qr/^hello /, 'another address is served');
    like(curl('-k', '--interface', '127.0.0.200', "https://localhost:@{[$own->sockport]}/hello"), qr/^hello /, 'and that one, once it has closed some');
    $server->stops_clean('the server ends');
};

done_testing;
