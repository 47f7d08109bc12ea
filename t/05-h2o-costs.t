# what makes the patched libh2o cheap, counted in instructions and calls for each request

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Callgrind;
use IO::Socket::SSL;
use Patchd;
use Teagate::H2;
use Test::More;

plan skip_all => 'valgrind is not here' if !Callgrind::is_here();
plan skip_all => 'valgrind and a sanitizer do not go together' if ($ENV{TG_VARIANT} // '') =~ /san|fault/;

my $server = Callgrind->start(tls => 1);
my @field = (['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'], ['accept-language', 'en-US,en;q=0.5'],
    ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'], ['accept-encoding', 'gzip, deflate, br'],
    ['cookie', 'lang=en-US; session=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'], ['upgrade-insecure-requests', '1']);

sub at_most {
    my ($got, $limit, $name) = @_;
    my $ok = defined $got && $got <= $limit;
    return ok($ok, sprintf '%s: at most %s', $name, $limit) || diag(sprintf 'it was %s', $got // 'never called');
}

my $head = join "\r\n", 'GET /hello HTTP/1.1', 'Host: example.test', (map { "$_->[0]: $_->[1]" } @field), '', '';

subtest 'HTTP/1' => sub {
    my $socket = http1($server->{h1});
    my $cost = $server->cost_of(50, sub { my ($n) = @_; exchange($socket, $head)->{body} eq 'hello' or die 'no answer' for 1 .. $n });
    at_most($cost->{inclusive}{phr_parse_request}, 1500, 'instructions to parse a head of 400 bytes');
    at_most($cost->{calls}{h2o_timeout_run} / $cost->{calls}{h2o_evloop_run}, 3, 'timers looked at in a turn of the loop');
    at_most($cost->{calls}{clock_gettime} / $cost->{calls}{h2o_evloop_run}, 2.5, 'clock readings in a turn of the loop');
    note sprintf '%.0f instructions a request', $cost->{total};
};

subtest 'HTTP/1 over TLS' => sub {
    my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $server->{tls}, SSL_verify_mode => 0) // die "no TLS: $SSL_ERROR";
    my $cost = $server->cost_of(50, sub { my ($n) = @_; exchange($socket, $head)->{body} eq 'hello' or die 'no answer' for 1 .. $n });
    at_most(($cost->{calls}{SSL_read} // 0) + ($cost->{calls}{SSL_write} // 0), 0, 'calls of SSL_read and SSL_write');
    at_most($cost->{inclusive}{decode_ssl_input} + $cost->{inclusive}{h2o_tls13_seal}, 8000, 'instructions to open a record and seal one');
    note sprintf '%.0f instructions a request', $cost->{total};
};

# A client sends its fields once and then refers to them: blocks of the first request, and of those that follow.
sub blocks {
    my @kept = ([':authority', 'example.test'], [':path', '/fields'], @field);
    my $fixed = Teagate::H2::indexed(2) . Teagate::H2::indexed(6);
    return ($fixed . join('', map { Teagate::H2::literal_kept(@$_) } @kept), $fixed . join '', map { Teagate::H2::indexed(61 + @kept - $_) } 0 .. $#kept);
}

# as many requests as a busy client has at the same time, again and again
sub on_streams {
    my ($h2, $block, $count) = @_;
    for (1 .. $count / 20) {
        my @stream = map { $h2->request(block => $block) } 1 .. 20;
        $h2->answer($_)->{status} == 200 or die 'no answer' for @stream;
    }
    return;
}

subtest 'HTTP/2, 20 streams at a time' => sub {
    my ($first, $next) = blocks();
    my $h2 = Teagate::H2->new(port => $server->{h2});
    $h2->answer($h2->request(block => $first))->{status} == 200 or die 'no answer';
    my $cost = $server->cost_of(100, sub { on_streams($h2, $next, $_[0]) });
    at_most($cost->{calls}{malloc} // 0, 0.5, 'allocations of a request');
    at_most($cost->{calls}{h2o_mem_alloc_pool} // 0, 3, 'calls for memory of a pool');
    at_most($cost->{self}{h2o_hpack_flatten_response} + $cost->{self}{encode_header}, 1000, 'instructions to write seven fields that the client knows');
    at_most($cost->{inclusive}{h2o_strict_is_authority}, 120, 'instructions to see that a name is one');
    note sprintf '%.0f instructions a request', $cost->{total};
};

$server->stops_clean;
done_testing;
