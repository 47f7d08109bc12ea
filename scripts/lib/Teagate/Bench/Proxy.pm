package Teagate::Bench::Proxy;

# The gateway beside nginx and HAProxy: processor time of a request, in one run, one after the other and again, each alone on the first
# processor, the load and the upstream on the second.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Getopt::Long qw(GetOptionsFromArray);
use JSON::PP;
use POSIX ();
use Teagate::Bench::Peers;
use Teagate::Bench::Rig;
use Teagate::Shell qw(fail capture slurp spew);
use Time::HiRes qw(time);

# The first two that we may use
my @CPU = map { /^(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /[,\n]/, slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m ? $1 : '';
my @NAMES = qw(gateway nginx haproxy);
my @BROWSER = map { ('-H', $_) } 'accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'accept-language: en-US,en;q=0.5', 'accept-encoding: gzip, deflate, br', 'cache-control: max-age=0', 'dnt: 1', 'pragma: no-cache',
    'referer: https://git.example.net/ada/project/issues?state=open', 'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"',
    'sec-ch-ua-mobile: ?0', 'sec-ch-ua-platform: "Linux"', 'sec-fetch-dest: document', 'sec-fetch-mode: navigate',
    'sec-fetch-site: same-origin', 'sec-fetch-user: ?1', 'upgrade-insecure-requests: 1';

# least: how many times as much a peer must cost, nginx and HAProxy. "hs" makes a connection for each request.
my @WORKS = (
    { name => 'h1tls',        path => '1k',  tool => 'wrk',    option => [qw(-c 64)],              least => [1.2, 1.25],  about => 'HTTP/1.1, 1 KiB, 64 connections' },
    { name => 'h2m10',        path => '1k',  tool => 'h2load', option => [qw(-c 32 -m 10)],        least => [1.7, 1.6],   about => 'HTTP/2, 1 KiB, 32 connections of 10 streams' },
    { name => 'h2m1',         path => '1k',  tool => 'h2load', option => [qw(-c 100 -m 1)],        least => [1.2, 1.2],   about => 'HTTP/2, 1 KiB, 100 connections of 1 stream' },
    { name => 'h2m1-headers', path => '1k',  tool => 'h2load', option => [qw(-c 100 -m 1), @BROWSER], least => [1.15, 1.15], about => 'the same with 15 header fields of a browser' },
    { name => 'hs',           path => '1k',  tool => 'h2load', option => [qw(--h1)], each => 400,  least => [1.05, 1.1],  about => 'full TLS handshake and one request' },
    { name => 'h1tls-10k',    path => '10k', tool => 'wrk',    option => [qw(-c 64)],              least => [1.2, 1.2],   about => 'HTTP/1.1, 10 KiB, 64 connections' },
    { name => 'h2-10k',       path => '10k', tool => 'h2load', option => [qw(-c 32 -m 10)],        least => [1.6, 1.4],   about => 'HTTP/2, 10 KiB, 32 connections of 10 streams' },
    { name => 'h1tls-1m',     path => '1m',  tool => 'wrk',    option => [qw(-c 16)],              least => [1.0, 1.0],   about => 'HTTP/1.1, 1 MiB, 16 connections' },
    { name => 'h2-1m',        path => '1m',  tool => 'h2load', option => [qw(-c 16 -m 1)],         least => [1.0, 1.0],   about => 'HTTP/2, 1 MiB, 16 connections' },
);

sub main {
    my ($build, @arguments) = @_;
    my %wish = (seconds => 2, rounds => 5);
    GetOptionsFromArray(\@arguments, \%wish, 'seconds=f', 'rounds=i', 'json=s', 'readme', 'works=s')
        or fail 'proxy [--seconds S] [--rounds N] [--works NAME,...] [--json FILE] [--readme]';
    my %wanted = map { $_ => 1 } split /,/, $wish{works} // '';
    my @works = grep { !%wanted || $wanted{ $_->{name} } } @WORKS;
    @works && !@arguments or fail 'works are: ', join ' ', map { $_->{name} } @WORKS;
    @CPU >= 2 or fail 'this needs two processors';
    my ($rig, $servers) = start_all($build);
    my $noise = { foreign => 0, steal => 0, wall => 0 };
    my $measured = measure_all($rig, $servers, \@works, \%wish, $noise);
    $_->stop_all for @{$servers}{qw(nginx haproxy)}, $rig;
    my ($table, $missed) = table($measured, \@works);
    my $setting = setting($noise, \%wish);
    print "\n$table\n$setting\n";
    spew($wish{json}, JSON::PP->new->canonical->pretty->encode({ works => $measured, noise => $noise })) if $wish{json};
    rewrite_readme($table, $setting) if $wish{readme};
    print 'bench: not reached: ', join(', ', @$missed), "\n" if @$missed;
    return @$missed ? 1 : 0;
}

sub start_all {
    my ($build) = @_;
    my @pin = ('taskset', '-c', $CPU[0]);
    my $rig = Teagate::Bench::Rig->new(build => $build, certified => 1, before => \@pin, upstream_before => ['taskset', '-c', $CPU[1]]);
    Teagate::Bench::Peers::certify("$rig->{dir}/certs");
    $rig->start;
    my %servers = (gateway => $rig);
    $servers{$_} = Teagate::Bench::Peers->start(kind => $_, dir => $rig->{dir}, upstream => $rig->{upstream_port}, before => \@pin) for qw(nginx haproxy);
    $rig->check_answers($servers{$_}{url}) for @NAMES;
    $rig->is_judged or fail 'the session was not judged, or not logged';
    return ($rig, \%servers);
}

# { work => { server => { us, busy } } }
sub measure_all {
    my ($rig, $servers, $works, $wish, $noise) = @_;
    my (%samples, %size, %result);
    for my $round (0 .. $wish->{rounds}) { # the first one is for warmth, and tells how much the others are to do
        for my $work (@$works) {
            for my $name (@NAMES[map { ($_ + $round) % @NAMES } 0 .. $#NAMES]) {
                my $requests = $round ? $size{ $work->{name} }{$name} : $work->{path} eq '1m' ? 200 : $work->{each} ? 400 : 5000;
                my $sample = measure($rig, $servers->{$name}, $work, $requests, $round ? $wish->{seconds} : 0.5, $noise);
                $size{ $work->{name} }{$name} //= rounded($sample->{requests} / $sample->{wall} * $wish->{seconds}, $work);
                push @{ $samples{ $work->{name} }{$name} }, $sample if $round;
            }
        }
        print STDERR "bench: round $round of $wish->{rounds} is done\n";
    }
    for my $work (map { $_->{name} } @$works) {
        for my $name (@NAMES) {
            my @of = @{ $samples{$work}{$name} };
            $result{$work}{$name} = { us => 0 + sprintf('%.2f', median(map { $_->{us} } @of)), busy => 0 + sprintf('%.2f', median(map { $_->{busy} } @of)) };
        }
    }
    return \%result;
}

sub rounded {
    my ($requests, $work) = @_;
    my $unit = $work->{each} // 320;
    my $units = int($requests / $unit + 0.5);
    return $unit * ($units || 1);
}

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[@sorted / 2] }

# ---- one measurement

sub measure {
    my ($rig, $server, $work, $requests, $seconds, $noise) = @_;
    my @pids = family($server->{pid});
    my $before = clocks($rig, @pids);
    my $start = time;
    my $done = $work->{tool} eq 'wrk' ? wrk($rig, $server, $work, $seconds) : $work->{each} ? connections($rig, $server, $work, $requests)
        : h2load($rig, $server, $work, $requests);
    my $wall = time - $start;
    my $after = clocks($rig, @pids);
    my $used = $after->{server} - $before->{server};
    my $foreign = $after->{all} - $before->{all} - $used - ($after->{others} - $before->{others});
    if ($seconds >= 1) {
        $noise->{wall} += $wall;
        $noise->{foreign} += $foreign > 0 ? $foreign : 0;
        $noise->{steal} += $after->{steal} - $before->{steal};
    }
    $rig->forget_log;
    return { requests => $done, wall => $wall, us => $used / $done * 1e6, busy => $used / $wall };
}

# Of a server's processes: it, and those it started.
sub family {
    my ($root) = @_;
    my (%children, @family);
    for my $file (glob '/proc/[0-9]*/stat') {
        my $text = eval { slurp($file) } // next;
        push @{ $children{$2} }, $1 if $text =~ /^(\d+) \(.*\) \S (\d+)/s;
    }
    my @left = ($root);
    while (defined(my $pid = shift @left)) {
        push @family, $pid;
        push @left, @{ $children{$pid} // [] };
    }
    return @family;
}

# Seconds so far: server: of its threads; others: of load and upstream; all: of both processors
sub clocks {
    my ($rig, @pids) = @_;
    my %clock = (server => run_time(@pids), others => run_time($rig->{upstream_pid}) + children_time(), all => 0, steal => 0);
    my $hertz = POSIX::sysconf(POSIX::_SC_CLK_TCK());
    for my $line (grep { /^cpu(?:$CPU[0]|$CPU[1]) / } split /\n/, slurp('/proc/stat')) {
        my (undef, $user, $nice, $system, $idle, $iowait, $irq, $softirq, $steal) = split ' ', $line;
        $clock{all} += ($user + $nice + $system + $irq + $softirq) / $hertz;
        $clock{steal} += $steal / $hertz;
    }
    return \%clock;
}

sub run_time {
    my (@pids) = @_;
    my $ns = 0;
    for my $file (map { glob "/proc/$_/task/*/schedstat" } @pids) {
        $ns += (split ' ', eval { slurp($file) } // 0)[0];
    }
    return $ns / 1e9;
}

sub children_time { my @spent = times; return $spent[2] + $spent[3] }

sub url { my ($server, $work) = @_; return "$server->{url}$Teagate::Bench::Rig::PATHS{$work->{path}}" }

sub wrk {
    my ($rig, $server, $work, $seconds) = @_;
    my $whole = $seconds < 1 ? 1 : int $seconds;
    my $said = capture('taskset', '-c', $CPU[1], qw(wrk -t 1), @{ $work->{option} }, '-d', "${whole}s", '-H', "Cookie: $rig->{cookie}", url($server, $work));
    fail "wrk saw errors:\n$said" if $said =~ /Non-2xx|Socket errors/;
    return $said =~ /(\d+) requests in/ ? $1 : fail "wrk said:\n$said";
}

sub h2load {
    my ($rig, $server, $work, $requests, @more) = @_;
    my $said = capture('taskset', '-c', $CPU[1], qw(h2load -n), $requests, @{ $work->{option} }, @more, '-H', "cookie: $rig->{cookie}", url($server, $work));
    $said =~ /^status codes: $requests 2xx/m or fail "h2load saw errors:\n$said";
    return $requests;
}

# As many at a time as an address may have.
sub connections {
    my ($rig, $server, $work, $requests) = @_;
    h2load($rig, $server, $work, $work->{each}, '-c', $work->{each}) for 1 .. $requests / $work->{each};
    return $requests;
}

# ---- what is told

sub table {
    my ($measured, $works) = @_;
    my @missed;
    my $text = "| work | gateway | nginx | HAProxy | x nginx | wanted | x HAProxy | wanted |\n|---|---|---|---|---|---|---|---|\n";
    for my $work (@$works) {
        my $of = $measured->{ $work->{name} };
        my @ratio = map { $of->{$_}{us} / $of->{gateway}{us} } qw(nginx haproxy);
        $text .= sprintf "| %s (%s) | %.2f | %.2f | %.2f |", $work->{about}, $work->{name}, map { $of->{$_}{us} } @NAMES;
        $text .= join(' |', map { sprintf ' %.2f | %.2f', $ratio[$_], $work->{least}[$_] } 0, 1) . " |\n";
        push @missed, $work->{name} if grep { $ratio[$_] < $work->{least}[$_] } 0, 1;
    }
    return ($text, \@missed);
}

sub setting {
    my ($noise, $wish) = @_;
    my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;
    my $share = sub { return sprintf '%.1f %%', 100 * $noise->{ $_[0] } / ($noise->{wall} * 2 || 1) };
    return sprintf "Microseconds of processor time a request, all processes and threads of each; x: how many times as much as the gateway's. Medians of %d runs of\n"
        . "%g s. nginx %s, HAProxy %s, %s; TLS 1.3, ECDSA P-256. Others took %s of the two processors, the host %s.\n",
        $wish->{rounds}, $wish->{seconds}, Teagate::Bench::Peers::version('nginx'), Teagate::Bench::Peers::version('haproxy'), $model // 'unknown processor',
        $share->('foreign'), $share->('steal');
}

sub rewrite_readme {
    my ($table, $setting) = @_;
    my ($file) = grep { -e } map { "$_/README.md" } map { m{(.*)/scripts/lib/} ? $1 : () } $INC{'Teagate/Bench/Proxy.pm'};
    my $text = slurp($file);
    $text =~ s{(<!-- scripts/bench proxy --readme writes this -->\n).*?(<!-- up to here -->)}{$1$table\n$setting$2}s or fail "$file has no place for the table";
    spew($file, $text);
}

1;
