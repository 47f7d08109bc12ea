package Teagate::Service;

# The real program in a directory of its own, without a Gitea behind it: for tests of processes and commands.

use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp;
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);
use Exporter 'import';

our @EXPORT = qw(wait_until spew slurp free_port);

my @running;
END { local $?; kill 'KILL', $_ for grep { waitpid($_, WNOHANG) == 0 } @running }

sub program { return $ENV{TG_TEAGATE} // ($ENV{TG_BUILD} // "$FindBin::Bin/../build") . '/teagate' }

sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f or die "$path: $!"; return }
sub slurp { my ($path) = @_; local $/; open my $f, '<', $path or return ''; my $text = <$f>; return $text // '' }

# Below the ports that connections get by themselves, and by chance: other tests look for theirs at the same time.
sub free_port {
    for (1 .. 100) {
        my $port = 10000 + int rand 20000;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1);
    }
    die 'there is no free port';
}

sub wait_until {
    my ($seconds, $what) = @_;
    my $end = time + $seconds;
    while (time < $end) { my $answer = $what->(); return $answer if $answer; sleep 0.02 }
    return 0;
}

# user: the key of the configuration, for tests that run as root.
sub new {
    my ($class, %with) = @_;
    my $dir = File::Temp->newdir('teagate-test-XXXXXX', TMPDIR => 1);
    my $self = bless { dir => $dir, program => program(), port => free_port(), backchannel => free_port(), %with }, $class;
    if ($self->{user}) {
        chown((getpwnam $self->{user})[2, 3], "$dir");
        chmod 0755, "$dir";
        copy($self->{program}, "$dir/teagate") or die "$dir/teagate: $!"; # where that user reaches it, wherever the build is
        chmod 0755, "$dir/teagate";
        $self->{program} = "$dir/teagate";
    }
    $self->configure;
    return $self;
}

sub config { my ($self) = @_; return "$self->{dir}/teagate.yaml" }

sub configure {
    my ($self, $more) = @_;
    my $user = $self->{user} ? "user: $self->{user}\n" : '';
    spew($self->config, <<"YAML" . ($more // ''));
state: $self->{dir}/state
run: $self->{dir}/run
${user}listen:
  https: "127.0.0.1:$self->{port}"
  backchannel: "127.0.0.1:$self->{backchannel}"
tls:
  internal-ca: [localhost, auth.localhost]
log:
  access: $self->{dir}/access.log
  events: $self->{dir}/events.log
oidc:
  issuer: https://auth.localhost:$self->{port}
accounts:
  password-memory: 8m
  password-passes: 1
subscription:
  renew-url: https://auth.localhost:$self->{port}/renew
gitea:
  - host: localhost:$self->{port}
    upstream: unix:$self->{dir}/gitea.sock
    admin-token-file: $self->{dir}/token
    app-ini: $self->{dir}/app.ini
YAML
    return;
}

sub start {
    my ($self) = @_;
    my $pid = fork // die $!;
    if (!$pid) {
        open STDERR, '>>', "$self->{dir}/serve.err" or POSIX::_exit(126);
        exec { $self->{program} } $self->{program}, 'serve', '--config', $self->config or POSIX::_exit(127);
    }
    push @running, $pid;
    $self->{pid} = $pid;
    return wait_until(20, sub { my $status = $self->status; $status && $status->{pids}{front} });
}

# The exit status, once it has ended; undef when it has not.
sub ended {
    my ($self, $seconds) = @_;
    return wait_until($seconds, sub { waitpid($self->{pid}, WNOHANG) == $self->{pid} }) ? $? : undef;
}

sub stop {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    return $self->ended(30);
}

# (exit status, standard output, standard error)
sub command {
    my ($self, @arguments) = @_;
    my $input = ref $arguments[0] ? ${ shift @arguments } : '';
    spew("$self->{dir}/in", $input);
    my $pid = fork // die $!;
    if (!$pid) {
        open STDIN, '<', "$self->{dir}/in" or POSIX::_exit(126);
        open STDOUT, '>', "$self->{dir}/out" or POSIX::_exit(126);
        open STDERR, '>', "$self->{dir}/err" or POSIX::_exit(126);
        exec { $self->{program} } $self->{program}, @arguments, '--config', $self->config or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    return ($? & 127 ? -($? & 127) : $? >> 8, slurp("$self->{dir}/out"), slurp("$self->{dir}/err"));
}

sub status {
    my ($self) = @_;
    my ($code, $out) = $self->command('status', '--json');
    return $code == 0 ? decode_json($out) : undef;
}

sub pid_of { my ($self, $role) = @_; my $status = $self->status // return; return $status->{pids}{$role} }

# The status code of the provider's page, over a connection of its own; 000 when there was no answer.
sub get {
    my ($self, @options) = @_;
    my $code = `curl -sk -m 10 --resolve auth.localhost:$self->{port}:127.0.0.1 -o /dev/null -w '%{http_code}' @options https://auth.localhost:$self->{port}/sign-in`;
    return $code;
}

sub events { my ($self) = @_; return slurp("$self->{dir}/events.log") . slurp("$self->{dir}/serve.err") }

1;
