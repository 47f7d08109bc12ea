# the event loop of the patched libh2o: clocks, wake-ups, how much is read at a time

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Patchd;
use Test::More;
use Time::HiRes qw(time sleep);

sub get { my ($path) = @_; return "GET $path HTTP/1.1\r\nHost: a\r\n\r\n" }

my $server = Patchd->start('keepalive' => 1500, 'body-idle' => 1500);

subtest 'timers work on a machine that has just started' => sub {
    # the server's monotonic clock starts at one second (patchd_system.c), which is less than the timeouts
    my $socket = http1($server->{h1});
    is(exchange($socket, get('/hello'))->{status}, 200);
    sleep 0.4;
    is(exchange($socket, get('/hello'))->{status}, 200, 'an idle connection is not cut at once');
    my $begin = time;
    read_answer($socket, seconds => 5);
    my $waited = time - $begin;
    ok($waited > 1.2 && $waited < 3, "but after its time ($waited)");
};

subtest 'timers do not follow the wall clock' => sub {
    for my $shift (86_400, -86_400 * 2) {
        my $idle = http1($server->{h1});
        is(exchange($idle, get('/hello'))->{status}, 200);
        my $upload = http1($server->{h1});
        syswrite $upload, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
        my ($before) = exchange($server->{h1}, get('/hello'))->{head} =~ /\r\nDate: ([^\r]+)/i;
        is(exchange($server->{h1}, get("/clock/$shift"))->{status}, 200, "the clock is set by $shift seconds");
        sleep 0.2;
        my $begin = time;
        my $answer = exchange($idle, get('/hello'));
        is($answer->{status}, 200, 'an idle connection is not cut');
        my ($after) = $answer->{head} =~ /\r\nDate: ([^\r]+)/i;
        isnt(substr($after, 0, 16), substr($before, 0, 16), "Date is that of the wall clock ($after)");
        is(read_answer($upload, seconds => 5)->{status}, 408, 'a silent upload is');
        my $waited = time - $begin;
        ok($waited > 0.8 && $waited < 3, "after its time ($waited)");
    }
};

subtest 'one read event is bounded' => sub {
    my ($got) = exchange($server->{h1}, get('/flood'))->{body} =~ /got=(\d+)/;
    ok($got >= 65_536 && $got <= 262_144, "$got bytes at once");
};

subtest 'one read event takes as much as is wanted' => sub {
    is(exchange($server->{h1}, get('/read-cap/16000'))->{status}, 200);
    my ($got) = exchange($server->{h1}, get('/flood'))->{body} =~ /got=(\d+)/;
    ok($got >= 8192 && $got <= 32_768, "$got bytes at once");
    is(exchange($server->{h1}, get('/read-cap/131072'))->{status}, 200);
};

$server->stops_clean;

subtest 'a connection wakes one loop' => sub {
    my $count = 100;
    my %vain;
    for my $exclusive (0, 1) {
        my $shared = Patchd->start(threads => 4, exclusive => $exclusive, 'accept-delay' => 1000);
        for (1 .. $count) {
            is(exchange($shared->{h1}, get('/hello'))->{status}, 200) or last if $_ == 1;
            my $socket = http1($shared->{h1});
            sleep 0.004;
            close $socket;
        }
        my $stats = $shared->stats;
        is($stats->{accepted}, $count + 2, 'each connection is accepted once');
        $vain{$exclusive} = $stats->{woken_in_vain};
        $shared->stops_clean;
    }
    # a loop that begins to wait while another is about to accept still sees the connection
    ok($vain{0} > $count * 2, "without the flag all loops wake ($vain{0} in vain)");
    ok($vain{1} < $count, "with it one does ($vain{1} in vain)");
};

subtest 'a thread costs little' => sub {
    my ($bytes) = map { hex((split)[5]) } grep { /^\s*TLS\s/ } readpipe "readelf -lW '" . ($ENV{TG_BUILD} // './build') . "/t/h2o/patchd'";
    cmp_ok($bytes // 1e9, '<', 4096, 'thread-local memory, which the C library clears for each');
};

done_testing;
