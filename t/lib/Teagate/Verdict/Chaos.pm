package Teagate::Verdict::Chaos;

# A process in which one thing after another goes wrong, at random: Redis hangs, forgets, dies and comes back, fronts are killed, the
# service is reloaded. It writes down when it did what, and leaves a Redis that goes on.

use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP;
use List::Util qw(shuffle);
use POSIX ();
use Teagate::RedisServer;
use Teagate::Shell ();
use Teagate::Test;
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

my @FAULTS = (
    [ 'redis-hangs' => \&hang_redis ],
    [ 'redis-forgets' => \&flush_redis ],
    [ 'redis-dies' => \&kill_redis ],
    [ 'front-killed' => \&kill_front ],
    [ 'reload' => \&reload ],
);

# journal, seed. Returns the process's id; TERM ends it.
sub start {
    my ($class, %options) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $self = bless { %options, stop => 0, redis => contract()->{pids}{redis}, socket => contract()->{redis} }, $class;
    srand $options{seed};
    $SIG{TERM} = sub { $self->{stop} = 1 };
    $SIG{INT} = 'IGNORE';
    open $self->{out}, '>', $options{journal} or POSIX::_exit(1);
    $self->{out}->autoflush(1);
    my @next;
    until ($self->{stop}) {
        @next = shuffle(@FAULTS) unless @next; # each comes before any comes again
        my ($name, $fault) = @{ shift @next };
        next if $name =~ /^redis/ && !$self->{redis};
        printf { $self->{out} } "%.3f %s\n", clock_gettime(CLOCK_MONOTONIC), $name;
        eval { $fault->($self); 1 } or printf { $self->{out} } "%.3f failed: %s", clock_gettime(CLOCK_MONOTONIC), $@;
        $self->rest(0.5 + rand 2);
    }
    $self->{own_redis}->stop_server if $self->{own_redis};
    POSIX::_exit(0);
}

sub rest {
    my ($self, $seconds) = @_;
    my $end = clock_gettime(CLOCK_MONOTONIC) + $seconds;
    sleep 0.05 while !$self->{stop} && clock_gettime(CLOCK_MONOTONIC) < $end;
    return;
}

sub hang_redis {
    my ($self) = @_;
    kill STOP => $self->{redis};
    $self->rest(0.2 + rand 3);
    kill CONT => $self->{redis};
    return;
}

sub flush_redis {
    my ($self) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or return;
    for (1 .. 20) {
        print {$socket} "FLUSHALL\r\n";
        <$socket>;
        $self->rest(0.05);
    }
    return;
}

# The next one begins empty, and is ours.
sub kill_redis {
    my ($self) = @_;
    my $user = $> == 0 ? getpwuid((stat $self->{socket})[4]) : undef;
    kill KILL => $self->{redis};
    $self->rest(0.2 + rand 2);
    waitpid $self->{redis}, 0 if $self->{own_redis};
    $self->{own_redis} = Teagate::RedisServer->new(dir => $self->{socket} =~ s{/[^/]+$}{}r, user => $user);
    $self->{own_redis}->prepare;
    $self->{own_redis}->start;
    $self->{redis} = $self->{own_redis}{pid};
    return;
}

# Of the service itself: what quickstart says may be a moment old.
sub kill_front {
    my ($status, $text) = teagate('status', '--json');
    my $front = $status == 0 && eval { decode_json($text)->{pids}{front} };
    kill KILL => $front if $front;
    return;
}

sub reload {
    my ($status, $text) = teagate('reload');
    die "reload: $text" if $status;
    return;
}

1;
