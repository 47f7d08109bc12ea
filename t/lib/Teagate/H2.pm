package Teagate::H2;

# An HTTP/2 client that says exactly what it is told to, frame by frame; for tests of what a server does with odd ones.
# It sends header fields as literals (no Huffman code) and understands of a response's fields the status only.

use strict;
use warnings;
use Exporter 'import';
use IO::Select;
use IO::Socket::IP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION
    END_STREAM END_HEADERS PADDED NO_ERROR PROTOCOL_ERROR FLOW_CONTROL_ERROR STREAM_CLOSED REFUSED_STREAM COMPRESSION_ERROR
    ENHANCE_YOUR_CALM literal literal_kept indexed);

use constant { DATA => 0, HEADERS => 1, PRIORITY => 2, RST_STREAM => 3, SETTINGS => 4, PUSH_PROMISE => 5, PING => 6, GOAWAY => 7,
    WINDOW_UPDATE => 8, CONTINUATION => 9 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8 };
use constant { NO_ERROR => 0, PROTOCOL_ERROR => 1, FLOW_CONTROL_ERROR => 3, STREAM_CLOSED => 5, REFUSED_STREAM => 7, COMPRESSION_ERROR => 9,
    ENHANCE_YOUR_CALM => 11 };

# --- HPACK, as far as it is needed ---

sub integer {
    my ($first, $bits, $value) = @_;
    my $max = (1 << $bits) - 1;
    return chr($first | $value) if $value < $max;
    my $out = chr($first | $max);
    for ($value -= $max; $value >= 128; $value >>= 7) {
        $out .= chr(128 | $value & 127);
    }
    return $out . chr($value);
}

sub text { return integer(0, 7, length $_[0]) . $_[0] }

# a field that the compression table does not keep, one that it does, and a reference (the newest kept field is number 62)
sub literal      { my ($name, $value) = @_; return "\x00" . text($name) . text($value) }
sub literal_kept { my ($name, $value) = @_; return "\x40" . text($name) . text($value) }
sub indexed      { return integer(0x80, 7, $_[0]) }

# --- connection ---

# new(port => N) or new(socket => $connected); settings => {id => value}; window => what to open the connection's window to
sub new {
    my ($class, %arg) = @_;
    my $socket = $arg{socket} // IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $arg{port}, Timeout => 5);
    die "no connection: $@" unless $socket;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    my $self = bless { socket => $socket, in => '', frames => [], next_id => 1 }, $class;
    $self->{select} = IO::Select->new($socket);
    my $settings = join '', map { pack 'nN', $_, $arg{settings}{$_} } sort keys %{ $arg{settings} || {} };
    $self->send_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(SETTINGS, 0, 0, $settings));
    $self->send(WINDOW_UPDATE, 0, 0, pack 'N', $arg{window} - 65535) if ($arg{window} // 0) > 65535;
    return $self;
}

sub frame {
    my ($type, $flags, $id, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $id) . $payload;
}

sub send_bytes {
    my ($self, $bytes) = @_;
    my $until = time + 20;
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes, 65536;
        if (!defined $n) {
            return 0 if !($!{EINTR} || $!{EAGAIN}) || time > $until;
            select undef, undef, undef, 0.005;
            next;
        }
        substr($bytes, 0, $n) = '';
    }
    return 1;
}

sub send {
    my ($self, $type, $flags, $id, $payload) = @_;
    return $self->send_bytes(frame($type, $flags, $id, $payload // ''));
}

sub close { my ($self) = @_; close $self->{socket}; return }

# the header block of a request; pseudo-headers may be overridden, or left out by giving undef
sub block {
    my ($self, %arg) = @_;
    my @pseudo = map { exists $arg{$_->[0]} ? [":$_->[0]", $arg{$_->[0]}] : [":$_->[0]", $_->[1]] }
        ['method', 'GET'], ['scheme', 'http'], ['authority', 'localhost'], ['path', '/hello'];
    my $headers = $arg{headers} // [];
    my $block = join '', map { literal(@$_) } grep { defined $_->[1] } @pseudo;
    for (my $i = 0; $i < @$headers; $i += 2) {
        $block .= literal($headers->[$i], $headers->[ $i + 1 ]);
    }
    return $block . ($arg{raw} // '');
}

# sends a header block, continued if it is long; flags are those of the HEADERS frame except END_HEADERS
sub send_block {
    my ($self, $id, $flags, $block) = @_;
    my $type = HEADERS;
    do {
        my $piece = substr $block, 0, 16384, '';
        $self->send($type, ($type == HEADERS ? $flags : 0) | (length $block ? 0 : END_HEADERS), $id, $piece) or return 0;
        $type = CONTINUATION;
    } while (length $block);
    return 1;
}

# opens a stream and returns its id; body => 1 leaves it open for DATA
sub request {
    my ($self, %arg) = @_;
    my $id = $self->{next_id};
    $self->{next_id} += 2;
    $self->send_block($id, $arg{body} ? 0 : END_STREAM, $arg{block} // $self->block(%arg));
    return $id;
}

# sends a body without regard to windows
sub data {
    my ($self, $id, $bytes, $is_end) = @_;
    do {
        my $piece = substr $bytes, 0, 16384, '';
        $self->send(DATA, !length $bytes && $is_end ? END_STREAM : 0, $id, $piece) or return 0;
    } while (length $bytes);
    return 1;
}

# --- what comes back ---

# the next frame as {type, flags, id, payload}; undef at the end of the connection (is_closed is set) or of the time
sub read_frame {
    my ($self, $seconds) = @_;
    my $until = time + ($seconds // 5);
    while (1) {
        if (length $self->{in} >= 9) {
            my $len = unpack 'N', "\0" . substr $self->{in}, 0, 3;
            if (length $self->{in} >= 9 + $len) {
                my ($type, $flags, $id) = unpack 'x3CCN', substr $self->{in}, 0, 9;
                my $payload = substr $self->{in}, 9, $len;
                substr($self->{in}, 0, 9 + $len) = '';
                $self->send(SETTINGS, ACK, 0) if $type == SETTINGS && !($flags & ACK);
                return { type => $type, flags => $flags, id => $id & 0x7fffffff, payload => $payload };
            }
        }
        return if $self->{is_closed};
        my $pending = $self->{socket}->can('pending') && $self->{socket}->pending;
        my $wait = $until - time;
        return unless $pending || ($wait > 0 && $self->{select}->can_read($wait));
        my $n = sysread $self->{socket}, $self->{in}, 65536, length $self->{in};
        next if !defined $n && ($!{EINTR} || $!{EAGAIN});
        $self->{is_closed} = 1 unless $n;
    }
}

sub error_name { return unpack 'N', $_[0] }

# reads until the predicate is true of a frame, which is returned; frames of responses met on the way are remembered
sub wait_for {
    my ($self, $seconds, $is_wanted) = @_;
    my $until = time + $seconds;
    while (defined(my $frame = $self->read_frame($until - time))) {
        $self->remember($frame);
        return $frame if $is_wanted->($frame);
    }
    return;
}

sub remember {
    my ($self, $frame) = @_;
    my $answer = $self->{answers}{ $frame->{id} } //= { status => undef, body => '', is_complete => 0 };
    my ($type, $payload) = @$frame{qw(type payload)};
    if ($type == HEADERS && ($answer->{status} // 0) >= 200) {
        $answer->{trailers} = $payload;
    } elsif ($type == HEADERS) {
        $answer->{status} = status_of($payload);
    } elsif ($type == CONTINUATION && defined $answer->{trailers}) {
        $answer->{trailers} .= $payload;
    } elsif ($type == DATA) {
        $answer->{body} .= $payload;
    } elsif ($type == RST_STREAM) {
        $answer->{reset} = unpack 'N', $payload;
    } elsif ($type == GOAWAY) {
        $self->{goaway} = unpack 'x4N', $payload;
    } elsif ($type == WINDOW_UPDATE) {
        $self->{credit}{ $frame->{id} } += unpack 'N', $payload;
    }
    $answer->{is_complete} = 1 if ($type == HEADERS || $type == DATA) && $frame->{flags} & END_STREAM;
    return;
}

# the status is always first, either a number of the static table or a literal
sub status_of {
    my ($block) = @_;
    my %known = (0x88 => 200, 0x89 => 204, 0x8a => 206, 0x8b => 304, 0x8c => 400, 0x8d => 404, 0x8e => 500);
    my $first = ord $block;
    return $known{$first} if $known{$first};
    return $first == 8 && ord(substr $block, 1) == 3 ? substr $block, 2, 3 : undef;
}

# waits until the stream is answered or reset, or the connection ends: {status, body, is_complete, reset}
sub answer {
    my ($self, $id, $seconds) = @_;
    my $is_done = sub { my $answer = $self->{answers}{$id}; return $answer && ($answer->{is_complete} || defined $answer->{reset}) };
    $self->wait_for($seconds // 5, sub { $is_done->() }) unless $is_done->();
    return $self->{answers}{$id} // { status => undef, body => '', is_complete => 0 };
}

# the error code of the GOAWAY that ends the connection, or undef; the connection must have been closed, too
sub end {
    my ($self, $seconds) = @_;
    $self->wait_for($seconds // 5, sub { 0 });
    return $self->{is_closed} ? $self->{goaway} : undef;
}

1;
