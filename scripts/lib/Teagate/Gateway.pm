package Teagate::Gateway;

# Our own service in a quickstart: its configuration, its process, its commands.

use strict;
use warnings;
use JSON::PP;
use Teagate::Shell qw(fail run capture spawn stop is_alive wait_until spew make_own ids_of);

# binary, dir, user, redis (path of a socket, or undef), git_host, auth_host, port, backchannel, admin_port, gitea (Teagate::GiteaServer)
sub new {
    my ($class, %options) = @_;
    my $self = bless {%options}, $class;
    $self->{config} = "$self->{dir}/teagate.yaml";
    $self->{log} = "$self->{dir}/log/events.log";
    $self->{access_log} = "$self->{dir}/log/access.log";
    return $self;
}

sub prepare {
    my ($self) = @_;
    my $owner = $self->{user} ? [ ids_of($self->{user}) ] : undef;
    make_own("$self->{dir}$_", $_ eq '/state' ? 0700 : 0755, $owner) for '', qw(/log /run /state /certs);
}

sub write_config {
    my ($self) = @_;
    my $user = $self->{user} ? "user: $self->{user}\n" : '';
    my $redis = $self->{redis} ? "redis:\n  address: unix:$self->{redis}\n" : '';
    my $port = $self->{port};
    my $listen = join ', ', map { "\"$_:$port\"" } '127.0.0.1', ($self->{has_ipv6} ? '[::1]' : ());
    my $http = $self->{http_port} ? "\n  http: [\"127.0.0.1:$self->{http_port}\"]" : '';
    spew($self->{config}, <<"YAML", 0640, $self->{user} ? [ 0, (ids_of($self->{user}))[1] ] : undef);
# Written by scripts/quickstart at each start; conf/teagate.yaml explains every key.
state: $self->{dir}/state
run: $self->{dir}/run
${user}listen:
  https: [$listen]$http
  backchannel: "127.0.0.1:$self->{backchannel}"
  admin: "127.0.0.1:$self->{admin_port}"
tls:
  directory: $self->{dir}/certs
  internal-ca: [localhost, auth.localhost]
log:
  access: $self->{access_log}
  events: $self->{log}
operator:
  name: Teagate quickstart
  help: https://$self->{auth_host}/help
oidc:
  issuer: https://$self->{auth_host}
subscription:
  warning: 14d
  grace: 7d
  retention: 90d
  renew-url: https://$self->{auth_host}/renew
${redis}gitea:
  - host: $self->{git_host}
    upstream: unix:$self->{gitea}{socket}
    admin-token-file: $self->{gitea}{token_file}
    binary: $self->{gitea}{binary}
    app-ini: $self->{gitea}{config}
    unmanaged: allow
YAML
}

# (status, text) of one of the program's own commands.
sub command {
    my ($self, @arguments) = @_;
    return capture({ any_status => 1 }, $self->{binary}, @arguments, '--config', $self->{config});
}

sub must {
    my ($self, @arguments) = @_;
    my ($status, $text) = $self->command(@arguments);
    fail "teagate @arguments ended with $status:\n$text" if $status;
    return $text;
}

sub start {
    my ($self) = @_;
    $self->must('check');
    $self->{pid} = spawn({ log => "$self->{dir}/log/serve.out", dir => $self->{dir} }, $self->{binary}, 'serve', '--config', $self->{config});
    wait_until(30, sub {
        fail "teagate stopped at its start:\n" . $self->log_tail unless is_alive($self->{pid});
        my $status = $self->status;
        return $status && $status->{pids}{front};
    }) or fail "teagate was not ready within 30 s:\n" . $self->log_tail;
}

# What `teagate status --json` says; undef while it cannot be asked.
sub status {
    my ($self) = @_;
    my ($failed, $text) = $self->command('status', '--json');
    return $failed ? undef : eval { decode_json($text) };
}

sub stop_server {
    my ($self) = @_;
    stop($self->{pid}, 40);
    undef $self->{pid};
}

sub log_tail {
    my ($self) = @_;
    my @lines;
    for my $file ($self->{log}, "$self->{dir}/log/serve.out") {
        push @lines, split /\n/, Teagate::Shell::slurp($file) if -e $file;
    }
    return join '', map { "    $_\n" } @lines > 20 ? @lines[-20 .. -1] : @lines;
}

1;
