package Teagate::Http;

# Starts the test server of gateway/http on sockets made here, as the supervisor does, and talks to it.

use strict;
use warnings;
use Exporter 'import';
use Fcntl;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::SSL;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(curl listen_on plain secure ask answer_of closes_within run read_file write_file alert_of certify relay);

our $dir = tempdir(CLEANUP => 1);
my $count = 0;

# Each socket is inherited by every server that is started later.
sub listen_on {
    my ($address) = @_;
    my $socket = $address =~ m{^/}
        ? IO::Socket::UNIX->new(Local => $address, Listen => 64)
        : IO::Socket::IP->new(LocalHost => $address, LocalPort => 0, Listen => 512, ReuseAddr => 1);
    $socket or BAIL_OUT("cannot listen on $address: $@ $!");
    fcntl $socket, F_SETFD, 0;
    return $socket;
}

# Teagate::Http->start(https => [sockets], option => value, names => [...]); option names as in serverd.c
sub start {
    my ($class, %option) = @_;
    my $binary = ($ENV{TG_BUILD} // './build') . '/t/unit/http/serverd';
    -x $binary or BAIL_OUT("$binary is missing");
    $count++;
    my $self = bless { stderr => "$dir/stderr.$count", owner => $$, lines => '', log => "$dir/access.$count" }, $class;
    my @argument = ('--log', $self->{log});
    for my $kind (qw(https http backchannel admin)) {
        my $sockets = delete $option{$kind} // next;
        push @argument, "--$kind", fileno $_ for @$sockets;
    }
    push @argument, '--name', $_ for @{ delete $option{names} // [] };
    push @argument, "--$_", $option{$_} for sort keys %option;
    local $ENV{LSAN_OPTIONS} = join ':', grep { $_ } $ENV{LSAN_OPTIONS}, 'suppressions=' . dirname(__FILE__) . '/../../h2o/lsan.supp', 'print_suppressions=0';
    pipe my $out, my $in or die;
    $self->{pid} = fork // die;
    if (!$self->{pid}) {
        open STDOUT, '>&', $in or die;
        open STDERR, '>', $self->{stderr} or die;
        exec $binary, @argument or die;
    }
    close $in;
    $self->{out} = $out;
    defined $self->says(qr/^ready$/m, 20) or BAIL_OUT('the server did not start: ' . read_file($self->{stderr}));
    return $self;
}

# Seconds until the server has said a line that matches; undef: it did not in time. Lines are taken once.
sub says {
    my ($self, $pattern, $seconds) = @_;
    my $start = time;
    my $select = IO::Select->new($self->{out});
    while (1) {
        return time - $start if $self->{lines} =~ s/\A.*?$pattern//ms;
        my $left = $start + $seconds - time;
        return undef if $left <= 0 || !$select->can_read($left);
        sysread $self->{out}, $self->{lines}, 65536, length $self->{lines} or return undef;
    }
}

sub tell { my ($self, $signal) = @_; kill $signal, $self->{pid}; return }

sub ends {
    my ($self, $seconds) = @_;
    my $pid = $self->{pid} // return 'was not running';
    my $until = time + $seconds;
    my $got;
    sleep 0.02 while ($got = waitpid $pid, 1) == 0 && time < $until;
    return 'hangs' if $got == 0;
    delete $self->{pid};
    my $errors = read_file($self->{stderr});
    return $? == 0 && $errors !~ /runtime error|ThreadSanitizer|Sanitizer:/ ? '' : "status $?\n" . substr $errors, 0, 6000;
}

# Nothing else is worth testing when it is not
sub is_alive {
    my ($self) = @_;
    BAIL_OUT("the server has died\n" . substr read_file($self->{stderr}), 0, 6000) if waitpid($self->{pid}, 1) != 0;
    return 1;
}

sub stops_clean {
    my ($self, $name) = @_;
    $self->tell('TERM');
    my $why = $self->ends(30);
    ok($why eq '', $name) or diag $why;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    return if $self->{owner} != $$;
    kill 'KILL', $self->{pid} and waitpid $self->{pid}, 0 if $self->{pid};
    return;
}

sub read_file {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    local $/;
    return readline($file) // '';
}

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', "$path.new" or die "$path: $!";
    print $file $text;
    close $file;
    return rename "$path.new", $path;
}

# (output, exit status) of a program, without a shell
sub run {
    my @command = @_;
    my $pid = open(my $out, '-|') // die;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec @command;
        exit 127;
    }
    my $text = do { local $/; readline $out } // '';
    close $out;
    return wantarray ? ($text, $? >> 8) : $text;
}

sub curl { return run('curl', '-sS', '--max-time', 20, @_) }

sub plain {
    my ($port, $host) = @_;
    return IO::Socket::IP->new(PeerHost => $host // '127.0.0.1', PeerPort => $port, Timeout => 5) // die "connect: $@";
}

# A relay for one client, in a process of its own: (port, pid). $begin gets the client's first bytes and makes the connection to the server,
# on which it sends them as it likes.
sub relay {
    my ($begin) = @_;
    my $relay = listen_on('127.0.0.1');
    my $pid = fork // die;
    return ($relay->sockport, $pid) if $pid;
    my $client = $relay->accept;
    sysread $client, my $first, 65536;
    my $upstream = $begin->($first);
    my $select = IO::Select->new($client, $upstream);
    while (my @ready = $select->can_read(5)) {
        for my $from (@ready) {
            sysread $from, my $bytes, 65536 or POSIX::_exit(0);
            syswrite $from == $client ? $upstream : $client, $bytes;
        }
    }
    POSIX::_exit(0);
}

sub secure {
    my ($port, %option) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $port, SSL_hostname => 'localhost', SSL_verify_mode => 0, Timeout => 5,
        %option);
}

# The alert that a client of the given ClientHello gets, by number; or what else happens
sub alert_of {
    my ($port, @option) = @_;
    my $text = run('timeout', 10, 'openssl', 's_client', '-connect', "127.0.0.1:$port", @option);
    return $1 if $text =~ /SSL alert number (\d+)/;
    return $text =~ /Cipher is (?!\(NONE\))/ ? 'accepted' : 'closed';
}

sub answer_of {
    my ($socket) = @_;
    local $SIG{ALRM} = sub { die "no answer\n" };
    my $text = '';
    eval {
        alarm 10;
        while ($text !~ /\r\n\r\n/) { sysread $socket, $text, 65536, length $text or last }
        if ($text =~ /\r\ncontent-length: (\d+)/i) {
            my $wanted = $1 + index($text, "\r\n\r\n") + 4;
            while (length $text < $wanted) { sysread $socket, $text, 65536, length $text or last }
        }
    };
    alarm 0;
    return $text;
}

sub ask {
    my ($socket, $path, @line) = @_;
    print $socket join "\r\n", "GET $path HTTP/1.1", 'Host: localhost', @line, '', '';
    $socket->flush;
    return answer_of($socket);
}

# Seconds until the other side closes; undef: it does not in time
sub closes_within {
    my ($socket, $seconds) = @_;
    my $start = time;
    my $select = IO::Select->new($socket);
    while ((my $left = $start + $seconds - time) > 0) {
        next if !(ref $socket eq 'IO::Socket::SSL' && $socket->pending) && !$select->can_read($left);
        my $n = sysread $socket, my $bytes, 65536;
        return time - $start if !$n;
    }
    return undef;
}

# DIRECTORY/FILE.crt and .key of an own self-signed certificate
sub certify {
    my ($path, @names) = @_;
    my $text = run(qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj), "/CN=$names[0]", '-addext',
        'subjectAltName=' . join(',', map { "DNS:$_" } @names), '-keyout', "$path.key.new", '-out', "$path.crt.new");
    rename "$path.key.new", "$path.key" or BAIL_OUT("openssl made no certificate: $text");
    return rename "$path.crt.new", "$path.crt";
}

1;
