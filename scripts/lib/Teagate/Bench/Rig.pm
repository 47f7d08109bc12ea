package Teagate::Bench::Rig;

# What is measured: the real program with everything on (one front thread, a session that is judged, the access log written) before an
# upstream that costs nearly nothing, and somebody who is signed in.

use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Temp;
use JSON::PP;
use Teagate::Shell qw(fail capture spawn stop is_alive wait_until free_port slurp spew);

our %PATHS = ('1k' => '/ada/project/1k', '10k' => '/ada/project/10k', '1m' => '/ada/project/1m',
    up => '/ada/project.git/git-receive-pack');

# build; certified: there is DIR/certs/localhost.crt; before: words put before the program's (valgrind, strace, taskset ...), with DIR for the rig's directory; limits: lines of the
# configuration's section; upstream_before: the same for the upstream
sub new {
    my ($class, %options) = @_;
    my $self = bless { before => [], upstream_before => [], limits => '', patience_s => 30, %options }, $class;
    to_end($self);
    $self->{build} = abs_path($self->{build});
    $self->{dir} = File::Temp->newdir('teagate-bench-XXXXXX', TMPDIR => 1);
    return $self;
}

sub program { my ($self, $name) = @_; return $name eq 'teagate' ? "$self->{build}/teagate" : "$self->{build}/t/bench/bench-$name" }

sub start {
    my ($self) = @_;
    $self->start_upstream;
    $self->{backchannel} = free_port();
    $self->use_port(free_port());
    $self->{pid} = spawn({ log => "$self->{dir}/serve.out", dir => "$self->{dir}" }, $self->words, $self->program('teagate'), 'serve',
        '--config', $self->write_config);
    wait_until($self->{patience_s}, sub {
        fail "teagate stopped at its start:\n", $self->log_tail unless is_alive($self->{pid});
        my $status = $self->status;
        return $status && $status->{pids}{front};
    }) or fail "teagate was not ready in time:\n", $self->log_tail;
    $self->{pids} = $self->status->{pids};
    $self->sign_in;
    return $self;
}

sub words { my ($self) = @_; return map { s/DIR/$self->{dir}/r } @{ $self->{before} } }

sub use_port { my ($self, $port) = @_; $self->{port} = $port; $self->{host} = "localhost:$port"; $self->{url} = "https://$self->{host}"; return }

sub write_config { my ($self) = @_; spew("$self->{dir}/teagate.yaml", $self->config); return "$self->{dir}/teagate.yaml" }

sub sign_in { my ($self) = @_; chomp($self->{cookie} = capture($self->program('signed-in'), "$self->{dir}/state", $self->{host})); return }

sub start_upstream {
    my ($self) = @_;
    my $out = "$self->{dir}/upstream.out";
    $self->{upstream_pid} = spawn({ log => $out }, @{ $self->{upstream_before} }, $self->program('upstream'), 0);
    ($self->{upstream_port}) = wait_until(10, sub { -e $out && slurp($out) =~ /^port (\d+)/ ? $1 : 0 }) or fail 'the upstream did not start';
}

sub config {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $tls = $self->{certified} ? "  directory: $dir/certs\n  internal-ca: auth.localhost" : '  internal-ca: [localhost, auth.localhost]';
    return <<"YAML";
state: $dir/state
run: $dir/run
listen:
  https: "127.0.0.1:$self->{port}"
  backchannel: "127.0.0.1:$self->{backchannel}"
tls:
$tls
limits:
  threads: 1
$self->{limits}log:
  access: $dir/access.log
  events: $dir/events.log
oidc:
  issuer: https://auth.localhost:$self->{port}
subscription:
  renew-url: https://auth.localhost:$self->{port}/renew
gitea:
  - host: $self->{host}
    upstream: 127.0.0.1:$self->{upstream_port}
    admin-token-file: $dir/token
YAML
}

sub status {
    my ($self) = @_;
    my ($failed, $text) = capture({ any_status => 1 }, $self->program('teagate'), 'status', '--json', '--config', "$self->{dir}/teagate.yaml");
    return $failed ? undef : eval { decode_json($text) };
}

sub log_tail {
    my ($self) = @_;
    my @lines = map { split /\n/, slurp($_) } grep { -e } map { "$self->{dir}/$_" } qw(events.log serve.out);
    return join '', map { "    $_\n" } @lines > 20 ? @lines[-20 .. -1] : @lines;
}

sub fetch {
    my ($url, @option) = @_;
    return scalar capture('curl', '-sk', '--max-time', 60, @option, $url);
}

# Dies unless each answer arrives as the upstream sends it, in both protocols, for who is signed in, and the log has a line of each.
sub check_answers {
    my ($self, $url) = @_;
    $url //= $self->{url};
    for my $path (@PATHS{qw(1k 10k 1m)}) {
        my $wanted = sha256_hex(fetch("http://127.0.0.1:$self->{upstream_port}$path"));
        for my $protocol (qw(--http1.1 --http2)) {
            sha256_hex(fetch("$url$path", $protocol, '-H', "Cookie: $self->{cookie}")) eq $wanted or fail "$url$path, $protocol: not what the upstream sent";
        }
    }
}

# Whether what was asked for is in the log by its name: the last line may take a second.
sub is_judged { my ($self) = @_; return wait_until(3, sub { -e "$self->{dir}/access.log" && slurp("$self->{dir}/access.log") =~ / login=bench .* verdict=allow / }) }

# The log is written on, from its beginning.
sub forget_log { my ($self) = @_; truncate "$self->{dir}/access.log", 0; return }

sub stop_all {
    my ($self) = @_;
    stop(delete $self->{pid}, 60) if $self->{pid};
    stop(delete $self->{upstream_pid}, 5) if $self->{upstream_pid};
}

# What still runs when we end is ended, whatever the reason.
my ($owner, @to_end) = $$;

sub to_end { my ($server) = @_; push @to_end, $server; return }

END {
    local ($?, $@);
    if ($$ == $owner) { $_->stop_all for reverse @to_end }
}

1;
