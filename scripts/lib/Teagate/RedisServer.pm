package Teagate::RedisServer;

# A Redis of a quickstart's own: on a unix socket, nothing on disk, nothing beyond 64 MB. It may be stopped at any time; nobody needs it.

use strict;
use warnings;
use IO::Socket::UNIX;
use Teagate::Shell qw(fail spawn stop is_alive wait_until slurp make_own ids_of);

# Debian's server and tools are one program that looks at its name, and the package of the tools starts no service.
my @PROGRAMS = qw(/usr/bin/redis-server /usr/bin/redis-check-rdb);

sub locate { return (grep { -x } @PROGRAMS)[0] }

# dir, user (undef: ours)
sub new {
    my ($class, %options) = @_;
    my $self = bless {%options}, $class;
    $self->{socket} = "$self->{dir}/redis.sock";
    $self->{log} = "$self->{dir}/redis.log";
    return $self;
}

sub prepare {
    my ($self) = @_;
    make_own($self->{dir}, 0700, $self->{user} ? [ ids_of($self->{user}) ] : undef);
    unlink "$self->{dir}/redis-server", $self->{socket};
    symlink locate(), "$self->{dir}/redis-server" or fail "$self->{dir}/redis-server: $!";
}

sub start {
    my ($self) = @_;
    $self->{pid} = spawn({ log => $self->{log}, dir => $self->{dir}, user => $self->{user} }, "$self->{dir}/redis-server", '--port', 0,
        '--unixsocket', $self->{socket}, '--unixsocketperm', 700, '--save', '', '--appendonly', 'no', '--dir', $self->{dir},
        '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru');
    wait_until(10, sub {
        fail "Redis stopped at its start:\n" . slurp($self->{log}) unless is_alive($self->{pid});
        return IO::Socket::UNIX->new(Peer => $self->{socket});
    }) or fail "Redis was not ready within 10 s:\n" . slurp($self->{log});
}

sub stop_server {
    my ($self) = @_;
    return unless $self->{pid};
    kill CONT => $self->{pid} if is_alive($self->{pid});
    stop($self->{pid}, 10);
    undef $self->{pid};
}

1;
