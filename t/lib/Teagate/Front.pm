package Teagate::Front;

# Starts proxyd (t/unit/front) before an upstream of this test's own, which is a process with one Perl function for each request.

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

our @ISA = ('Teagate::Http');
our @EXPORT = qw(upstream seen forget_seen over_http resident_kb);

my $dir = $Teagate::Http::dir;
my $count = 0;
my @upstreams;
my $owner = $$;

# Teagate::Front->start(https => socket, option => value or [values], ...); option names as in proxyd.c
sub start {
    my ($class, %option) = @_;
    my $binary = ($ENV{TG_BUILD} // './build') . '/t/unit/front/proxyd';
    -x $binary or BAIL_OUT("$binary is missing");
    certify("$dir/front/localhost", 'localhost') if mkdir "$dir/front";
    my $self = bless { stderr => "$dir/proxyd." . ++$count, lines => '', owner => $$ }, $class;
    my @argument = ('--https', fileno delete $option{https}, '--log', $self->{log} = "$dir/proxyd-access.$count");
    for my $name (sort keys %option) {
        push @argument, "--$name", $_ for ref $option{$name} ? @{ $option{$name} } : $option{$name};
    }
    local $ENV{PROXYD_CERTIFICATES} = "$dir/front";
    local $ENV{LSAN_OPTIONS} = join ':', grep { $_ } $ENV{LSAN_OPTIONS}, 'suppressions=' . dirname(__FILE__) . '/../../h2o/lsan.supp', 'print_suppressions=0';
    pipe my $out, my $in or die;
    pipe my $orders, $self->{orders} or die;
    $self->{pid} = fork // die;
    if (!$self->{pid}) {
        open STDIN, '<&', $orders or die;
        open STDOUT, '>&', $in or die;
        open STDERR, '>', $self->{stderr} or die;
        exec $binary, @argument or die;
    }
    close $in;
    close $orders;
    $self->{orders}->autoflush(1);
    $self->{out} = $out;
    my $ready = '';
    until ($ready =~ /^ready$/m) {
        sysread $out, $ready, 65536, length $ready or BAIL_OUT('proxyd did not start: ' . read_file($self->{stderr}));
    }
    $self->{said} = $ready;
    return $self;
}

# What it said before it was ready: value(s) of a line
sub told { my ($self, $pattern) = @_; return $self->{said} =~ $pattern }

# An order on its standard input; true when it was done
sub order {
    my ($self, $line) = @_;
    print { $self->{orders} } "$line\n";
    return defined $self->says(qr/^done$/m, 10);
}

# upstream(\&serve, where): serve gets a socket and each request's head, after which it writes what it likes; false ends the connection.
# where: a path for a unix socket, or nothing for TCP. Answers the path or the port.
sub upstream {
    my ($serve, $path) = @_;
    my $listener = $path ? IO::Socket::UNIX->new(Local => $path, Listen => 512)
        : IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 512, ReuseAddr => 1);
    $listener or BAIL_OUT("no upstream: $! $@");
    my $where = $path // $listener->sockport;
    my $pid = fork // die;
    if (!$pid) {
        local $SIG{CHLD} = 'IGNORE';
        $SIG{TERM} = sub { POSIX::_exit(0) };
        while (1) {
            my $socket = $listener->accept or next;
            if (!fork) {
                close $listener;
                note_seen('connect');
                serve_connection($socket, $serve);
                POSIX::_exit(0);
            }
            close $socket;
        }
    }
    close $listener;
    push @upstreams, $pid;
    return $where;
}

sub serve_connection {
    my ($socket, $serve) = @_;
    $socket->autoflush(1);
    my $bytes = '';
    while (1) {
        while ($bytes !~ /\r\n\r\n/) { sysread $socket, $bytes, 65536, length $bytes or return note_seen('closed') }
        $bytes =~ s/\A(.*?\r\n\r\n)//s;
        my $head = $1;
        note_seen("head $head");
        $serve->($socket, $head, \$bytes) or return;
    }
}

# Lines that upstreams noted, in order
sub note_seen {
    my ($text) = @_;
    open my $file, '>>', "$dir/seen" or die;
    syswrite $file, "$text\x01";
    return;
}

sub seen {
    my ($pattern, $seconds) = @_;
    my $until = time + ($seconds // 0);
    while (1) {
        my @found = grep { /$pattern/ } split /\x01/, read_file("$dir/seen");
        return wantarray ? @found : $found[-1] if @found || time >= $until;
        sleep 0.02;
    }
}

sub forget_seen { unlink "$dir/seen"; return }

# (status, headers, body) of a raw request over TLS, HTTP/1.1
sub over_http {
    my ($port, $text) = @_;
    my $socket = secure($port) or return (0, '', 'no connection');
    print $socket $text;
    $socket->flush;
    my $bytes = '';
    while (1) {
        my $n = sysread $socket, $bytes, 65536, length $bytes;
        last if !$n;
    }
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    return (($head // '') =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0, $head // '', $body // '');
}

sub resident_kb {
    my ($self) = @_;
    return read_file("/proc/$self->{pid}/status") =~ /VmHWM:\s+(\d+)/ ? $1 : 0;
}

END {
    if ($$ == $owner) {
        local $?;
        kill 'TERM', $_ and waitpid $_, 0 for @upstreams;
    }
}

1;
