package Teagate::Bench::Front;

# The rig with the front's process alone, and this one as its supervisor (gateway/supervisor/control.h): under valgrind it takes longer to
# start than a supervisor waits, and jobs would only make it slower.

use strict;
use warnings;
use parent 'Teagate::Bench::Rig';
use Fcntl qw(F_SETFD);
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(AF_UNIX SOCK_SEQPACKET);
use Teagate::Shell qw(fail capture free_port spew);

# before: as for a rig; the words must keep the process's id
sub start {
    my ($self) = @_;
    $self->start_upstream;
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 512) or fail "no port: $!";
    $self->{backchannel} = free_port();
    $self->use_port($listener->sockport);
    my $file = $self->write_config;
    mkdir "$self->{dir}/run";
    my $prepare = $self->run_role($file, 'prepare', []);
    1 while defined $self->hear;
    waitpid $prepare, 0;
    $? == 0 or fail "teagate prepare failed:\n", $self->log_tail;
    $self->{pid} = $self->run_role($file, 'front', [$listener], $self->words);
    $self->tell('ticket-keys ' . unpack 'H*', join '', map { chr int rand 256 } 1 .. 48);
    $self->await('ready');
    $self->tell('go');
    $self->await('serving');
    $self->{pids} = { front => $self->{pid} };
    $self->sign_in;
    return $self;
}

sub run_role {
    my ($self, $file, $role, $listeners, @before) = @_;
    socketpair $self->{control}, my $theirs, AF_UNIX, SOCK_SEQPACKET, 0 or fail "socketpair: $!";
    my $pid = fork // fail "fork: $!";
    return $pid if $pid;
    POSIX::setsid();
    open my $snapshot, '<', $file or POSIX::_exit(126);
    fcntl $_, F_SETFD, 0 for $theirs, $snapshot, @$listeners;
    open STDOUT, '>>', "$self->{dir}/serve.out" or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
    my @listen = map { ('--listen', 'https=' . fileno $_) } @$listeners;
    exec @before, $self->program('teagate'), $role, '--config', $file, '--control', fileno $theirs, '--snapshot', fileno $snapshot,
        '--generation', 1, @listen or POSIX::_exit(127);
}

sub stop_all {
    my ($self) = @_;
    $self->tell('stop') if $self->{pid};
    return $self->SUPER::stop_all;
}

sub tell { my ($self, $message) = @_; return defined syswrite $self->{control}, $message }

# The next message; undef when the process has closed its end.
sub hear {
    my ($self) = @_;
    IO::Select->new($self->{control})->can_read($self->{patience_s}) or fail "teagate said nothing for $self->{patience_s} s:\n", $self->log_tail;
    my $got = sysread $self->{control}, my $message, 1 << 16;
    return $got ? $message : undef;
}

sub await {
    my ($self, $verb) = @_;
    while (defined(my $message = $self->hear)) {
        fail "teagate: $1" if $message =~ /^failed (.*)/s;
        return $message if $message =~ /^\Q$verb\E\b/;
    }
    fail "teagate ended:\n", $self->log_tail;
}

# Asks for the status, which is made by tg_site_status.
sub touch { my ($self) = @_; $self->tell('status'); return $self->await('status') }

1;
