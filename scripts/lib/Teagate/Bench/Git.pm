package Teagate::Bench::Git;

# A large repository pushed and cloned by git, through the gateway and through nginx without buffers, to and from the same real Gitea.

use strict;
use warnings;
use File::Path qw(remove_tree);
use File::Temp;
use Getopt::Long qw(GetOptionsFromArray);
use JSON::PP;
use Teagate::Bench::Peers;
use Teagate::Bench::Rig;
use Teagate::GiteaServer;
use Teagate::Shell qw(fail capture run spawn stop is_alive wait_until free_port slurp spew);
use Time::HiRes qw(time);

use constant WANTED => 1.05;

my @NAMES = qw(gateway nginx);
my @PROTOCOLS = ('HTTP/1.1', 'HTTP/2');
# what git itself does with the bytes is kept small
my @FAST = map { ('-c', $_) } qw(core.compression=0 pack.compression=0 pack.window=0 core.bigFileThreshold=1m gc.auto=0 pack.threads=1
    user.name=Bench user.email=bench@example.invalid);

sub main {
    my ($build, @arguments) = @_;
    my %wish = (mib => 2048, rounds => 3);
    GetOptionsFromArray(\@arguments, \%wish, 'mib=i', 'rounds=i', 'json=s') && !@arguments or fail 'git [--mib N] [--rounds N] [--json FILE]';
    Teagate::GiteaServer::kind_of(Teagate::GiteaServer::version_of(Teagate::GiteaServer::choose() // fail 'there is no Gitea')) eq 'gitea'
        or fail 'this needs a real Gitea: --gitea, $GITEA or "gitea" on PATH';
    my $self = bless { dir => File::Temp->newdir('teagate-bench-XXXXXX', TMPDIR => 1), build => $build }, __PACKAGE__;
    chmod 0755, $self->{dir}; # its users look into it
    Teagate::Bench::Rig::to_end($self);
    my $result = eval { $self->start; $self->make_source($wish{mib}); $self->measure_all($wish{rounds}) };
    my $why = $@;
    $self->stop_all;
    $result or die $why;
    spew($wish{json}, JSON::PP->new->canonical->pretty->encode({ git => $result, mib => $wish{mib} })) if $wish{json};
    return show($result, \%wish);
}

sub start {
    my ($self) = @_;
    my ($top) = $INC{'Teagate/Bench/Git.pm'} =~ m{(.*)/scripts/lib/};
    my $contract = "$self->{dir}/state/quickstart.json";
    $self->{quickstart} = spawn({ log => "$self->{dir}/quickstart.out", dir => $top, env => { TG_BUILD => $self->{build} } },
        'scripts/quickstart', '--state', "$self->{dir}/state", '--port', free_port());
    wait_until(240, sub { -e $contract || !is_alive($self->{quickstart}) });
    -e $contract or fail "the system did not start:\n", slurp("$self->{dir}/quickstart.out");
    my $system = $self->{system} = decode_json(slurp($contract));
    my ($account) = grep { $_->{state} eq 'active' } @{ $system->{accounts} };
    $self->{login} = $account->{login};
    my $socket = "$system->{gitea}{work_dir}/run/gitea.sock";
    my $owner = getpwuid((stat $system->{gitea}{config})[4]);
    ($self->{token}) = capture({ user => $owner, env => { GITEA_WORK_DIR => $system->{gitea}{work_dir}, HOME => "$system->{gitea}{work_dir}/home" } },
        $system->{gitea}{binary}, '--config', $system->{gitea}{config}, qw(admin user generate-access-token --raw --scopes all --token-name bench
        --username), $self->{login}) =~ /\b([0-9a-f]{40})\b/ or fail 'Gitea made no token';
    Teagate::Bench::Peers::certify("$self->{dir}/certs");
    $self->{nginx} = Teagate::Bench::Peers->start(kind => 'nginx', dir => "$self->{dir}", upstream => $socket, user => $owner, unbuffered => 1);
    $self->{urls} = { gateway => $system->{git_url}, nginx => $self->{nginx}{url} };
    spew("$self->{dir}/trusted.pem", slurp($system->{ca_file}) . slurp("$self->{dir}/certs/localhost.crt"));
}

sub git {
    my ($self, @arguments) = @_;
    return capture({ env => { GIT_TERMINAL_PROMPT => 0, GIT_CONFIG_NOSYSTEM => 1, GIT_CONFIG_GLOBAL => '/dev/null', HOME => '/nonexistent',
        GIT_SSL_CAINFO => "$self->{dir}/trusted.pem" } }, 'git', @FAST, @arguments);
}

sub make_source {
    my ($self, $mib) = @_;
    my $source = $self->{source} = "$self->{dir}/source";
    run('git', 'init', '-q', '-b', 'main', $source);
    run(qw(dd if=/dev/urandom bs=1M), 'count=' . int($mib / 4), "of=$source/part$_") for 1 .. 4;
    $self->git('-C', $source, 'add', '.');
    $self->git('-C', $source, 'commit', '-q', '-m', 'large');
    unlink glob "$source/part*";
    chomp($self->{commit} = capture('git', '-C', $source, 'rev-parse', 'HEAD'));
}

sub repository {
    my ($self, $method, $path, @more) = @_;
    my $code = capture('curl', '-sk', '-o', '/dev/null', '-w', '%{http_code}', '-X', $method, '-H', "Authorization: token $self->{token}",
        '-H', 'Content-Type: application/json', @more, "$self->{system}{git_url}/api/v1/$path");
    $code =~ /^2/ or fail "$method $path was answered with $code";
}

# (seconds of the push, of the clone)
sub measure {
    my ($self, $name, $protocol) = @_;
    my @protocol = ('-c', "http.version=$protocol");
    (my $url = "$self->{urls}{$name}/$self->{login}/bench.git") =~ s{//}{//git:$self->{token}@};
    my $copy = "$self->{dir}/copy";
    $self->repository('POST', 'user/repos', '--data-binary', '{"name":"bench","private":true}');
    my $start = time;
    $self->git(@protocol, '-C', $self->{source}, 'push', '-q', $url, 'main');
    my $pushed = time;
    $self->git(@protocol, 'clone', '-q', '--bare', $url, $copy);
    my $cloned = time;
    chomp(my $commit = capture('git', '-C', $copy, 'rev-parse', 'main'));
    $commit eq $self->{commit} or fail 'another commit came back';
    remove_tree($copy);
    $self->repository('DELETE', "repos/$self->{login}/bench");
    return ($pushed - $start, $cloned - $pushed);
}

# { protocol => { push => { gateway => { s }, nginx => { s }, ratio }, clone => ... } }
sub measure_all {
    my ($self, $rounds) = @_;
    my (%took, %result);
    for my $round (1 .. $rounds) {
        for my $protocol (@PROTOCOLS) {
            for my $name ($round % 2 ? @NAMES : reverse @NAMES) {
                my ($push, $clone) = $self->measure($name, $protocol);
                push @{ $took{$protocol}{push}{$name} }, $push;
                push @{ $took{$protocol}{clone}{$name} }, $clone;
                printf STDERR "bench: %s through %s: pushed in %.1f s, cloned in %.1f s\n", $protocol, $name, $push, $clone;
            }
        }
    }
    for my $protocol (@PROTOCOLS) {
        for my $what (qw(push clone)) {
            my %s = map { my @sorted = sort { $a <=> $b } @{ $took{$protocol}{$what}{$_} }; $_ => $sorted[$#sorted / 2] } @NAMES;
            $result{$protocol}{$what} = { ratio => 0 + sprintf('%.3f', $s{gateway} / $s{nginx}), map { $_ => { s => 0 + sprintf '%.2f', $s{$_} } } @NAMES };
        }
    }
    return \%result;
}

sub show {
    my ($result, $wish) = @_;
    my $missed = 0;
    printf "A repository of %d MiB, seconds\n\n%-16s %10s %10s %12s\n", $wish->{mib}, '', @NAMES, 'of nginx';
    for my $protocol (@PROTOCOLS) {
        for my $what (qw(push clone)) {
            my $of = $result->{$protocol}{$what};
            printf "%-8s %-7s %10.1f %10.1f %12.2f%s\n", $protocol, $what, $of->{gateway}{s}, $of->{nginx}{s}, $of->{ratio}, $of->{ratio} > WANTED ? '   TOO SLOW' : '';
            $missed ||= $of->{ratio} > WANTED;
        }
    }
    return $missed ? 1 : 0;
}

sub stop_all {
    my ($self) = @_;
    $self->{nginx}->stop_all if $self->{nginx};
    stop(delete $self->{quickstart}, 60) if $self->{quickstart};
}

1;
