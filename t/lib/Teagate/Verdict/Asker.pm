package Teagate::Verdict::Asker;

# A process that asks at random doors for random accounts, as fast as it is answered, on connections that are kept for a while; it writes
# down what it asked when, and what it was told.

use strict;
use warnings;
use IO::Socket::SSL;
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO);
use Teagate::Verdict::Model;
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

use constant { KEPT => 300, PATIENCE_S => 10 };

# port, host, ca_file, accounts (hashes of login, cookie, token), journal, seed. Returns the process's id; TERM ends it.
sub start {
    my ($class, %options) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $self = bless { %options, stop => 0, lost => 0 }, $class;
    srand $options{seed};
    $SIG{TERM} = sub { $self->{stop} = 1 };
    $SIG{INT} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    open $self->{out}, '>', $options{journal} or POSIX::_exit(1);
    my $done = eval { $self->ask until $self->{stop}; 1 };
    print { $self->{out} } "lost $self->{lost}\n";
    print { $self->{out} } 'died ', $@ =~ s/\n.*//sr, "\n" unless $done;
    close $self->{out};
    POSIX::_exit($done ? 0 : 1);
}

sub connect {
    my ($self) = @_;
    my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $self->{port}, SSL_ca_file => $self->{ca_file},
        SSL_hostname => 'localhost', SSL_verifycn_name => 'localhost', SSL_verifycn_scheme => 'http', SSL_alpn_protocols => ['http/1.1'],
        Timeout => PATIENCE_S) or return;
    setsockopt $socket, SOL_SOCKET, $_, pack 'l!l!', PATIENCE_S, 0 for SO_RCVTIMEO, SO_SNDTIMEO;
    return $socket;
}

sub ask {
    my ($self) = @_;
    unless ($self->{socket}) {
        $self->{left} = 1 + int rand KEPT;
        $self->{socket} = $self->connect or return sleep 0.02;
    }
    my $account = $self->{accounts}[ rand @{ $self->{accounts} } ];
    my @names = sort keys %Teagate::Verdict::Model::DOORS;
    my $name = $names[ rand @names ];
    my $sent = clock_gettime(CLOCK_MONOTONIC);
    my ($status, $body) = $self->exchange($Teagate::Verdict::Model::DOORS{$name}, $account);
    if (!$status) { # a front that was killed
        ++$self->{lost};
        undef $self->{socket};
        return;
    }
    printf { $self->{out} } "%.6f %.6f %s %s %s %d\n", $sent, clock_gettime(CLOCK_MONOTONIC), $account->{login}, $name, $status,
        $body =~ /Sign-In Prohibited|prohibited from signing in/ ? 1 : 0;
    undef $self->{socket} if --$self->{left} <= 0;
    return;
}

# (status, body); nothing when the connection broke
sub exchange {
    my ($self, $door, $account) = @_;
    my $socket = $self->{socket};
    my $credential = $door->{by} eq 'token' ? "Authorization: token $account->{token}" : "Cookie: $account->{cookie}";
    my $length = $door->{method} eq 'GET' ? '' : "Content-Length: 0\r\n";
    print {$socket} "$door->{method} $door->{path} HTTP/1.1\r\nHost: $self->{host}\r\n$credential\r\n$length\r\n" or return;
    my $head = '';
    while ($head !~ /\r\n\r\n/) {
        my $line = <$socket> // return;
        $head .= $line;
    }
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)} or return;
    my $body = $self->body($head) // return;
    $self->{left} = 0 if $head =~ /^connection:\s*close/mi;
    return ($status, $body);
}

sub body {
    my ($self, $head) = @_;
    my ($socket, $body) = ($self->{socket}, '');
    if ($head =~ /^transfer-encoding:\s*chunked/mi) {
        while (defined(my $size = <$socket>)) {
            my $length = hex $size =~ s/[^0-9a-fA-F].*//sr;
            read($socket, my $chunk, $length + 2) == $length + 2 or return;
            return $body if $length == 0;
            $body .= substr $chunk, 0, $length;
        }
        return;
    }
    my ($length) = $head =~ /^content-length:\s*(\d+)/mi;
    return '' unless $length;
    return read($socket, $body, $length) == $length ? $body : undef;
}

1;
