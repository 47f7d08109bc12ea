# the records of TLS 1.3 are sealed and opened by code of ours once OpenSSL has done the handshake; here its partner is OpenSSL

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::IP;
use IO::Socket::SSL;
use IPC::Open2;
use Patchd;
use POSIX ();
use Teagate::H2;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
use constant { DATA_RECORD => 23, SSL_CB_ALERT => 0x4000 };
my $server = Patchd->start(tls => 1);

sub get { my ($path, @line) = @_; return join "\r\n", "GET $path HTTP/1.1", 'Host: a', @line, '', '' }

sub post { my ($body) = @_; return join("\r\n", 'POST /sink HTTP/1.1', 'Host: a', 'Content-Length: ' . length $body, '', '') . $body }

sub tls {
    my (%arg) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $server->{tls}, SSL_verify_mode => 0, SSL_alpn_protocols => ['http/1.1'], %arg)
        // die "no TLS: $SSL_ERROR";
}

sub goes_both_ways {
    my ($socket, $name) = @_;
    for my $size (0, 1, 5000, 16_383, 16_384, 16_385, 300_000) {
        is(exchange($socket, get("/bytes/$size"))->{body}, letters($size), "$name, $size bytes down");
        is(exchange($socket, post(letters($size)))->{body}, crc32_of(letters($size)), "$name, $size bytes up") if $size;
    }
    return;
}

subtest 'bytes go both ways, with each cipher' => sub {
    for my $cipher (qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256)) {
        my $socket = tls(SSL_ciphersuites => $cipher);
        is($socket->get_cipher, $cipher, $cipher);
        goes_both_ways($socket, $cipher);
    }
};

subtest 'TLS 1.2 stays with OpenSSL' => sub {
    my $socket = tls(SSL_version => 'TLSv1_2');
    is($socket->get_sslversion, 'TLSv1_2', 'TLS 1.2');
    goes_both_ways($socket, 'TLS 1.2');
};

# What s_client shows when it is given these lines, each followed by what has to be shown before the next: its commands are lines that
# it reads by themselves.
sub s_client {
    my ($port, $option, @line) = @_;
    my $pid = open2(my $out, my $in, "exec openssl s_client -connect 127.0.0.1:$port -alpn http/1.1 $option 2>&1");
    my ($select, $all, $is_over) = (IO::Select->new($out), '', 0);
    while (!$is_over && @line) {
        my ($line, $answer, $shown, $until) = (shift @line, shift @line, '', time + 5);
        syswrite $in, $line;
        while (!$is_over && $shown !~ $answer && time < $until && $select->can_read($until - time)) {
            $is_over = !sysread $out, $shown, 1 << 16, length $shown;
        }
        $all .= $shown;
    }
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return $all;
}

my $whole = letters(3000); # one record
my @body = (get('/bytes/3000') => qr/\Q$whole\E/);
my @last = (get('/hello', 'Connection: close') => qr/hello.*\n(?:closed|.*:error:)/s);
my @request = (@body, @last);

subtest 'a session is resumed' => sub {
    my $file = File::Temp->new;
    like(s_client($server->{tls}, "-sess_out $file", @request), qr/hello/, 'the first connection');
    my $shown = s_client($server->{tls}, "-sess_in $file", @request);
    like($shown, qr/^Reused, TLSv1.3/m, 'the second is one of the same session');
    like($shown, qr/hello/, 'and is answered');
};

subtest 'keys are updated' => sub {
    for my $what ('K', 'k') { # with a request for the server's, and without
        my @update = ("$what\n" => qr/KEYUPDATE\n/);
        my $shown = s_client($server->{tls}, '-msg', @update, @body, @update, @update, @request);
        is(() = $shown =~ /KEYUPDATE$/mg, 3, "$what: the client has sent its updates");
        is(() = $shown =~ /\Q$whole\E/g, 2, 'bodies are whole');
        like($shown, qr/hello/, 'to the end');
        is(() = $shown =~ /<<< .*KeyUpdate/g, $what eq 'K' ? 2 : 0, "the server's, if they were asked for, once before each answer");
    }
    my $worn = Patchd->start(tls => 1, 'key-records' => 3);
    my $shown = s_client($worn->{tls}, '-msg', (get('/hello') => qr/hello/) x 12, @last);
    is(() = $shown =~ /hello/g, 13, 'keys that are worn out: all is answered');
    cmp_ok(scalar(() = $shown =~ /<<< .*KeyUpdate/g), '>=', 4, 'with new keys again and again');
    $worn->stops_clean;
};

subtest 'many updates in a row cost the connection' => sub {
    my $shown = s_client($server->{tls}, '', ("K\n" => qr/KEYUPDATE\n/) x 40, @last);
    unlike($shown, qr/hello/, 'no answer');
};

subtest 'padding is taken off' => sub {
    like(s_client($server->{tls}, '-record_padding 4096', @request), qr/hello/, 'of each record');
};

# A relay between client and server that shows each record which the client sends after the handshake to a function, which answers
# what is to be sent in its place: a list of pieces.
sub through_relay {
    my ($alter, $use) = @_;
    my $listener = IO::Socket::IP->new(Listen => 1, LocalHost => '127.0.0.1') or die;
    my $pid = fork // die;
    if (!$pid) {
        relay($listener, $alter);
        POSIX::_exit(0);
    }
    my $socket = tls(PeerPort => $listener->sockport);
    my $got = $use->($socket);
    CORE::close $socket;
    waitpid $pid, 0;
    return $got;
}

sub relay {
    my ($listener, $alter) = @_;
    my ($client, $upstream) = (scalar $listener->accept, http1($server->{tls}));
    my ($bytes, $data_records, $number) = ('', 0, 0);
    my $select = IO::Select->new($client, $upstream);
    while (1) {
        for my $from ($select->can_read(10)) {
            sysread($from, my $some, 65536) or return;
            if ($from == $upstream) {
                syswrite $client, $some;
                next;
            }
            $bytes .= $some;
            while (length $bytes >= 5 && length $bytes >= 5 + unpack 'x3n', $bytes) {
                my $record = substr $bytes, 0, 5 + unpack('x3n', $bytes), '';
                my $is_after = ord $record == DATA_RECORD && $data_records++ > 0; # the first is the client's Finished
                for my $piece ($is_after ? $alter->($record, $number++) : $record) {
                    syswrite $upstream, $piece;
                    sleep 0.002 if $is_after;
                }
            }
        }
    }
}

sub hello { my ($socket) = @_; return exchange($socket, get('/hello'), seconds => 2) }

subtest 'records may come in pieces, or many at once' => sub {
    for my $size (1, 4, 5, 6, 21, 1000) {
        my $got = through_relay(sub { return unpack "(a$size)*", $_[0] }, \&hello);
        is($got->{body}, 'hello', "$size bytes at a time");
    }
    my $kept = '';
    my $got = through_relay(
        sub { $kept .= $_[0]; return $_[1] == 4 ? $kept : () },
        sub { my ($socket) = @_; print $socket $_ for map { get("/bytes/$_") } 1 .. 5; my ($in, $all) = ('', '');
            for (1 .. 5) { my $answer = read_answer($socket, before => $in); $in = $answer->{rest} // ''; $all .= $answer->{body} . ' ' } return $all });
    is($got, 'a ab abc abcd abcde ', 'five at once');
};

subtest 'a record that the client has not sealed so costs the connection' => sub {
    my %alter = (
        'a bit of the text'     => sub { my ($r) = @_; substr($r, 7, 1) ^= "\x01"; return $r },
        'a bit of the tag'      => sub { my ($r) = @_; substr($r, -1, 1) ^= "\x80"; return $r },
        'a shorter length'      => sub { my ($r) = @_; return pack('CnnA*', 23, 0x303, length($r) - 6) . substr $r, 5, -1 },
        'the type'              => sub { my ($r) = @_; return "\x16" . substr $r, 1 },
        'a record twice'        => sub { my ($r) = @_; return $r . $r },
        'an empty record'       => sub { return pack 'Cnn', 23, 0x303, 0 },
        'a tag alone'           => sub { return pack('Cnn', 23, 0x303, 16) . 'x' x 16 },
        'a record too large'    => sub { return pack('Cnn', 23, 0x303, 16_641) . 'x' x 16_641 },
        'an alert in clear'     => sub { return pack 'CnnCC', 21, 0x303, 2, 1, 0 },
        'another cipher change' => sub { my ($r) = @_; return pack('CnnC', 20, 0x303, 1, 1) . $r },
        'no TLS at all'         => sub { return get('/hello') },
    );
    my %alert = ((map { $_ => 'unexpected_message' } 'the type', 'an alert in clear', 'another cipher change', 'no TLS at all'),
        'a record too large' => 'record overflow');
    for my $what (sort keys %alter) {
        my $got = through_relay($alter{$what}, sub {
            my ($socket) = @_;
            my $alert = '';
            Net::SSLeay::set_info_callback($socket->_get_ssl_object,
                sub { my ($ssl, $where, $value) = @_; $alert = Net::SSLeay::alert_desc_string_long($value) if $where & SSL_CB_ALERT });
            my $answer = hello($socket);
            $answer = hello($socket) if $what eq 'a record twice';
            return { %$answer, alert => $alert };
        });
        ok(!defined $got->{status} && $got->{is_closed}, $what) or diag explain $got;
        my $alert = $alert{$what} // 'bad record mac';
        is($got->{alert}, $alert, "$what: $alert");
    }
    is(hello(tls())->{body}, 'hello', 'others are not touched');
};

subtest 'a client that ends its side is still answered, and leaves in order' => sub {
    my $shown = s_client($server->{tls}, '-msg', @last);
    like($shown, qr/hello.*<<< TLS 1\.3, Alert.*close_notify/s, 'the server says that it closes');
    my $socket = tls();
    print $socket get('/delay/200');
    $socket->flush;
    Net::SSLeay::shutdown($socket->_get_ssl_object);
    is(read_answer($socket)->{body}, 'later', 'close_notify, then the answer');
};

subtest 'an idle connection costs little' => sub {
    my $fresh = Patchd->start(tls => 1);
    my @idle = map { tls(PeerPort => $fresh->{tls}) } 1 .. 20; # whatever is allocated once
    my $before = resident_kb($fresh->{pid});
    plan skip_all => 'sanitizers need memory of their own' if !$before;
    push @idle, tls(PeerPort => $fresh->{tls}) for 1 .. 300;
    is(hello($idle[-1])->{body}, 'hello', 'the last one is served');
    my $each = (resident_kb($fresh->{pid}) - $before) / 300;
    cmp_ok($each, '<', 5, sprintf '%.1f KiB each', $each);
    undef @idle;
    $fresh->stops_clean;
};

$server->stops_clean;
done_testing;
