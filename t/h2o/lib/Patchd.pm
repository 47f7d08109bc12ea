package Patchd;

# Starts the test server of the patch queue, talks HTTP/1 to it byte by byte, and sees that it ends without a leak.

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Select;
use Compress::Raw::Zlib qw(crc32);
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(http1 read_answer exchange resident_kb crc32_of letters);

my $dir = tempdir(CLEANUP => 1);

# Patchd->start(key => value ...), see settings in patchd.c; tls => 1 makes a certificate; under => [command that runs it]
sub start {
    my ($class, %setting) = @_;
    my $binary = ($ENV{TG_BUILD} // './build') . '/t/h2o/patchd';
    my $tls = delete $setting{tls};
    -x $binary or BAIL_OUT("$binary is missing");
    my @under = @{ delete $setting{under} // [] };
    my @argument = map { "$_=$setting{$_}" } sort keys %setting;
    push @argument, "cert=$dir/cert.pem", "key=$dir/key.pem" if $tls && make_certificate();
    my $self = bless { stderr => "$dir/stderr." . time }, $class;
    local $ENV{LSAN_OPTIONS} = join ':', grep { $_ } $ENV{LSAN_OPTIONS}, 'suppressions=' . dirname(__FILE__) . '/../lsan.supp', 'print_suppressions=0';
    pipe my $out, my $in or die;
    $self->{pid} = fork // die;
    if (!$self->{pid}) {
        open STDOUT, '>&', $in or die;
        open STDERR, '>', $self->{stderr} or die;
        exec @under, $binary, @argument or die;
    }
    close $in;
    $self->{out} = $out;
    my $line = readline($out) // BAIL_OUT('patchd did not start: ' . $self->errors);
    @$self{qw(h1 h2 tls)} = $line =~ /h1=(\d+) h2=(\d+) tls=(\d+)/ or BAIL_OUT("unexpected: $line");
    return $self;
}

sub make_certificate {
    return 1 if -e "$dir/cert.pem";
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2"
            . " -keyout $dir/key.pem -out $dir/cert.pem >$dir/openssl.log 2>&1") == 0 or BAIL_OUT('openssl made no certificate');
    return 1;
}

sub errors {
    my ($self) = @_;
    open my $file, '<', $self->{stderr} or return '';
    local $/;
    return readline($file) // '';
}

sub is_alive { my ($self) = @_; return $self->{pid} && waitpid($self->{pid}, 1) == 0 }

# the last subtest: the server has not died, disposed of every request, and leaked nothing
sub stops_clean {
    my ($self, $name) = @_;
    my $pid = delete $self->{pid};
    kill 'TERM', $pid;
    my $until = time + 20;
    my $got = 0;
    sleep 0.02 while ($got = waitpid($pid, 1)) == 0 && time < $until;
    kill 'KILL', $pid and waitpid($pid, 0) if $got == 0;
    my $status = $got == 0 ? 'hangs' : $?;
    my $errors = $self->errors;
    ok($status eq '0', $name // 'the server ends in order, without a leak')
        or diag("status $status\n" . join('', readline $self->{out}) . substr($errors, 0, 6000));
    return $errors;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!);
    kill 'KILL', $self->{pid} and waitpid($self->{pid}, 0) if $self->{pid};
    return;
}

# what it has printed since it started; waits for its end
sub said { my ($self) = @_; local $/; return $self->{printed} //= readline($self->{out}) // '' }

sub stats {
    my ($self) = @_;
    my $answer = exchange($self->{h1}, "GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return { $answer->{body} =~ /(\w+)=(\d+)/g };
}

# --- HTTP/1, byte by byte ---

sub http1 {
    my ($port) = @_;
    my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Timeout => 5) // die "no connection: $@";
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return $socket;
}

# one response: {status, head, body, rest}; rest is what came after it; status is undef if the connection ended before
sub read_answer {
    my ($socket, %arg) = @_;
    my ($in, $until) = ($arg{before} // '', time + ($arg{seconds} // 5));
    my $select = IO::Select->new($socket);
    while (1) {
        if ($in =~ /\A(HTTP\/1\.[01] (\d+).*?\r\n\r\n)/s) {
            my ($head, $status) = ($1, $2);
            my $body = substr $in, length $head;
            return { status => $status, head => $head, body => '', rest => $body } if $status < 200;
            if ($head =~ /\r\ncontent-length: (\d+)/i && length $body >= $1) {
                return { status => $status, head => $head, body => substr($body, 0, $1), rest => substr($body, $1) };
            }
            if ($head =~ /\r\ntransfer-encoding: chunked/i) {
                my ($decoded, $rest) = unchunk($body);
                return { status => $status, head => $head, body => $decoded, rest => $rest } if defined $decoded;
            }
        }
        my $pending = $socket->can('pending') && $socket->pending;
        my $wait = $until - time;
        return { status => undef, body => $in, is_late => 1 } unless $pending || ($wait > 0 && $select->can_read($wait));
        my $n = sysread $socket, $in, 1 << 20, length $in;
        next if !defined $n && ($!{EINTR} || $!{EAGAIN});
        next if $n;
        my ($head, $status) = $in =~ /\A(HTTP\/1\.[01] (\d+).*?\r\n\r\n)/s;
        return { status => $status, head => $head, body => $head ? substr($in, length $head) : $in, is_closed => 1, error => defined $n ? '' : "$!" };
    }
}

sub unchunk {
    my ($in) = @_;
    my $out = '';
    while ($in =~ /\G([0-9a-fA-F]+)\r\n/gc) {
        my ($len, $at) = (hex $1, pos $in);
        return if length $in < $at + $len + 2;
        return ($out, substr $in, $at + 2) if $len == 0;
        $out .= substr $in, $at, $len;
        pos($in) = $at + $len + 2;
    }
    return;
}

# sends, then reads one response
sub exchange {
    my ($port, $bytes, %arg) = @_;
    my $socket = ref $port ? $port : http1($port);
    local $SIG{PIPE} = 'IGNORE';
    print $socket $bytes;
    $socket->flush;
    return read_answer($socket, %arg);
}

# --- odds and ends ---

# what the process has in memory; 0 if a sanitizer, which keeps what was freed, makes the figure meaningless
sub resident_kb {
    my ($pid) = @_;
    open my $maps, '<', "/proc/$pid/maps" or return 0;
    return 0 if grep { /lib[at]san/ } readline $maps;
    open my $file, '<', "/proc/$pid/status" or return 0;
    my ($kb) = join('', readline $file) =~ /VmRSS:\s+(\d+)/;
    return $kb;
}

# what patchd says of these bytes: "LENGTH CRC32"
sub crc32_of { my ($bytes) = @_; return sprintf '%d %08x', length $bytes, crc32($bytes) }

# what /bytes/N answers
sub letters {
    my ($n) = @_;
    my ($alphabet, $out) = (join('', 'a' .. 'z') x 11, '');
    for (my $block = 0; length $out < $n; ++$block) {
        $out .= substr $alphabet, $block * 252 % 26, 251;
    }
    return substr $out, 0, $n;
}

1;
