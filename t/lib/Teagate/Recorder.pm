package Teagate::Recorder;

# The real program before an upstream that trusts what it is sent and notes it: what reaches it, and what a client is told, by the bytes.

use strict;
use warnings;
use Exporter 'import';
use IO::Select;
use IO::Socket::SSL;
use Teagate::Front;
use Teagate::H2;
use Teagate::Http;
use Teagate::Service;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(start_recorder stop_recorder head get post poison told check check_all connection shown requests_seen host_name heads_seen trailers_seen);

my ($service, $host, $answer);

# Takes a body as it is framed; whatever follows is another request.
sub take_body {
    my ($socket, $head, $rest) = @_;
    my $more = sub { sysread $socket, $$rest, 65536, length $$rest };
    if ($head =~ /^Transfer-Encoding: *chunked\r$/mi) {
        while (1) {
            until ($$rest =~ /\r\n/) { $more->() or return 0 }
            $$rest =~ s/\A([0-9a-f]+)[^\r\n]*\r\n//i or return 0;
            my $length = hex $1;
            last if !$length;
            while (length $$rest < $length + 2) { $more->() or return 0 }
            substr $$rest, 0, $length + 2, '';
        }
        until ($$rest =~ /\A(?:[^\r\n]+\r\n)*\r\n/) { $more->() or return 0 }
        my $trailers = substr $$rest, 0, $+[0], '';
        Teagate::Front::note_seen("trailers $trailers") if $trailers ne "\r\n";
    } elsif ($head =~ /^Content-Length: *(\d+)\r$/mi) {
        my $length = $1;
        while (length $$rest < $length) { $more->() or return 0 }
        substr $$rest, 0, $length, '';
    }
    return 1;
}

sub serve {
    my ($socket, $head, $rest) = @_;
    take_body($socket, $head, $rest) or return 0;
    return $answer->($socket, $head) if $answer;
    print $socket "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    return 1;
}

# start_recorder(\&answer): answer gets the socket and the head, once the body was taken; false ends the connection
sub start_recorder {
    ($answer) = @_;
    $SIG{PIPE} = 'IGNORE';
    plan skip_all => 'the program is not built' unless -x Teagate::Service::program();
    $service = Teagate::Service->new;
    upstream(\&serve, "$service->{dir}/gitea.sock");
    $service->start or BAIL_OUT($service->events);
    $host = "localhost:$service->{port}";
    return;
}

sub stop_recorder {
    is($service->stop, 0, 'the program ends in order') or diag $service->events;
    unlike($service->events, qr/runtime error|Sanitizer/, 'no sanitizer has complained');
    return;
}

sub host_name { return $host }

sub head   { my ($line, @fields) = @_; return join "\r\n", $line, @fields, '', '' }
sub get    { my ($path, @fields) = @_; return head("GET $path HTTP/1.1", "Host: $host", @fields) }
sub post   { my (@fields) = @_; return head('POST /o/r HTTP/1.1', "Host: $host", @fields) }
sub poison { return get('/poison') }

sub shown { return $_[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger }

sub connection {
    my (@protocol) = @_;
    return IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $service->{port}, SSL_hostname => 'localhost', SSL_verify_mode => 0,
        Timeout => 5, @protocol ? (SSL_alpn_protocols => [@protocol]) : ());
}

# All bytes at once; the statuses that come back, and "closed" when the server then ends the connection. After `least` answers a moment
# is enough to see that there are no more.
sub told {
    my ($bytes, $least) = @_;
    my $socket = connection() or return 'no connection';
    my ($text, $select, $until, $is_closed) = ('', IO::Select->new($socket), time + 5, 0);
    print $socket $bytes;
    $socket->flush;
    while (time < $until) {
        my $answers = () = $text =~ m{^(?:ok)?HTTP/1\.[01] [2-5]}mg;
        last if !$socket->pending && !$select->can_read($answers < ($least || 1) ? 3 : 0.1);
        next if sysread $socket, $text, 65536, length $text;
        $is_closed = 1;
        last;
    }
    return join ' ', $text =~ m{^(?:ok)?HTTP/1\.[01] (\d+) }mg, $is_closed ? 'closed' : ();
}

# The program itself asks Gitea things, too.
sub heads_seen { return map { s/\Ahead //r } grep { !/^User-Agent: teagate/mi } seen('^head ') }

# What stood behind bodies, by the line.
sub trailers_seen { return map { /(.+)\r\n/g } map { s/\Atrailers //r } seen('^trailers ') }

sub requests_seen { return map { m{^(\S+ \S+) } ? $1 : $_ } heads_seen() }

# check(name, bytes, what the client is told, requests that the upstream may see)
sub check {
    my ($name, $bytes, $wanted, @seen) = @_;
    $name = shown($name);
    forget_seen();
    like(told($bytes, scalar @seen), $wanted, $name);
    is(join(', ', requests_seen()), join(', ', @seen), "$name: the upstream sees " . (@seen ? 'what was asked for' : 'nothing'));
    return;
}

# The same of many: [name, bytes]
sub check_all {
    my ($wanted, $seen, @cases) = @_;
    check(@$_, $wanted, @$seen) for @cases;
    return;
}

1;
