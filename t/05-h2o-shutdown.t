# Graceful shutdown of the patched libh2o: nobody's request is lost

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Patchd;
use IO::Socket::IP;
use Teagate::H2 qw(SETTINGS GOAWAY);
use Test::More;
use Time::HiRes qw(sleep);

subtest 'a connection that is new at the shutdown is served' => sub {
    my $server = Patchd->start;
    my $socket = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $server->{h2});
    sleep 0.2;
    is(exchange($server->{h1}, "GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200, 'a shutdown begins');
    sleep 0.2;
    my $h2 = Teagate::H2->new(socket => $socket);
    my $first = $h2->read_frame(2);
    is($first && $first->{type}, SETTINGS, 'the first frame is SETTINGS');
    my $answer = $h2->answer($h2->request(path => '/hello'));
    is($answer->{status}, 200, 'its request is answered');
    ok(defined $h2->{goaway} || $h2->wait_for(2, sub { $_[0]{type} == GOAWAY }), 'and it is told that the server goes');
    $h2->close;
};

done_testing;
