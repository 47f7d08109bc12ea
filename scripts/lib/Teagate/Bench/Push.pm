package Teagate::Bench::Push;

# A large body going up over a long line: client, a relay that delays everything in both directions, then the gateway or nginx without
# buffers, then an upstream that throws it away.

use strict;
use warnings;
use Getopt::Long qw(GetOptionsFromArray);
use JSON::PP;
use Teagate::Bench::Peers;
use Teagate::Bench::Rig;
use Teagate::Shell qw(fail capture spawn stop wait_until slurp spew);

use constant { PATH => '/ada/project.git/info/lfs/objects/' . 'ab' x 32, PATIENCE_S => 8, WANTED => 0.9 };

my @NAMES = qw(gateway nginx);
my @PROTOCOLS = qw(http1.1 http2);

sub main {
    my ($build, @arguments) = @_;
    my %wish = (mib => 256, delay => 50, rounds => 3);
    GetOptionsFromArray(\@arguments, \%wish, 'mib=i', 'delay=i', 'rounds=i', 'json=s') && !@arguments
        or fail 'push [--mib N] [--delay MS] [--rounds N] [--json FILE]';
    my $rig = Teagate::Bench::Rig->new(build => $build, certified => 1);
    Teagate::Bench::Peers::certify("$rig->{dir}/certs");
    $rig->start;
    my $nginx = Teagate::Bench::Peers->start(kind => 'nginx', dir => $rig->{dir}, upstream => $rig->{upstream_port});
    my %lines = (gateway => line($rig, 'gateway', $rig->{port}, $wish{delay}), nginx => line($rig, 'nginx', $nginx->{port}, $wish{delay}));
    my $result = eval { measure_all($rig, \%lines, \%wish) };
    my $why = $@;
    stop($_->{pid}, 5) for values %lines;
    $nginx->stop_all;
    $rig->stop_all;
    $result or die $why;
    spew($wish{json}, JSON::PP->new->canonical->pretty->encode({ push => $result, delay_ms => $wish{delay}, mib => $wish{mib} })) if $wish{json};
    return show($result, \%wish);
}

# A relay before a port of ours
sub line {
    my ($rig, $name, $port, $delay_ms) = @_;
    my $out = "$rig->{dir}/relay-$name.out";
    my $pid = spawn({ log => $out }, $rig->program('relay'), $port, $delay_ms);
    my ($relay) = wait_until(10, sub { -e $out && slurp($out) =~ /^port (\d+)/ ? $1 : 0 }) or fail 'the relay did not start';
    return { pid => $pid, host => "localhost:$port", relay => $relay };
}

# { protocol => { gateway => { mib_s }, nginx => { mib_s }, ratio } }
sub measure_all {
    my ($rig, $lines, $wish) = @_;
    my $file = "$rig->{dir}/body";
    spew($file, '');
    truncate $file, $wish->{mib} << 20 or fail "$file: $!";
    my (%speeds, %result);
    for my $round (0 .. $wish->{rounds}) {
        for my $protocol (@PROTOCOLS) {
            for my $name (@NAMES) {
                my $speed = upload($lines->{$name}, $protocol, $file);
                push @{ $speeds{$protocol}{$name} }, $speed if $round;
            }
        }
    }
    for my $protocol (@PROTOCOLS) {
        my ($gateway, $nginx) = map { my @sorted = sort { $a <=> $b } @$_; $sorted[@sorted / 2] } @{ $speeds{$protocol} }{@NAMES};
        $result{$protocol} = { gateway => { mib_s => 0 + sprintf '%.1f', $gateway }, nginx => { mib_s => 0 + sprintf '%.1f', $nginx },
            ratio => 0 + sprintf '%.3f', $gateway / $nginx };
    }
    return \%result;
}

# MiB a second from the handshake's end to the answer; who is not done in time is measured by how far he came.
sub upload {
    my ($line, $protocol, $file) = @_;
    my ($status, $said) = capture({ any_status => 1 }, 'curl', '-sk', "--$protocol", '--connect-to', "$line->{host}:localhost:$line->{relay}", '-T', $file,
        '-H', 'Expect:', '-o', '/dev/null', '--max-time', PATIENCE_S, '-w', '%{http_code} %{size_upload} %{time_total} %{time_appconnect}', "https://$line->{host}" . PATH);
    my ($code, $bytes, $total, $connected) = split ' ', $said;
    fail "an upload was answered with $code ($said)" unless $code == 200 || $status == 28;
    return $bytes / 2**20 / ($total - $connected);
}

sub show {
    my ($result, $wish) = @_;
    my $missed = 0;
    printf "Uploads of %d MiB over a line on which everything arrives %d ms later, MiB/s\n\n%-10s %10s %10s %12s\n", @$wish{qw(mib delay)}, '', @NAMES, 'of nginx';
    for my $protocol (@PROTOCOLS) {
        my $of = $result->{$protocol};
        printf "%-10s %10.1f %10.1f %12.2f%s\n", $protocol, $of->{gateway}{mib_s}, $of->{nginx}{mib_s}, $of->{ratio}, $of->{ratio} < WANTED ? '   TOO SLOW' : '';
        $missed ||= $of->{ratio} < WANTED;
    }
    return $missed ? 1 : 0;
}

1;
