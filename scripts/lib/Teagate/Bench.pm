package Teagate::Bench;

# Runs a benchmark with a Redis of its own, where this machine has one: its socket is TG_BENCH_REDIS.

use strict;
use warnings;
use File::Temp;
use Teagate::RedisServer;

sub main {
    my (@command) = @_;
    my $dir = File::Temp->newdir('teagate-bench-XXXXXX', TMPDIR => 1);
    my $redis;
    if (Teagate::RedisServer::locate()) {
        $redis = Teagate::RedisServer->new(dir => "$dir");
        $redis->prepare;
        $redis->start;
        $ENV{TG_BENCH_REDIS} = $redis->{socket};
    }
    my $status = system { $command[0] } @command;
    $redis->stop_server if $redis;
    return $status == 0 ? 0 : 1;
}

1;
