package Teagate::Bench;

# What scripts/bench does once everything is built.

use strict;
use warnings;
use File::Temp;
use Teagate::RedisServer;
use Teagate::Shell qw(fail);

my %verbs = (
    judge        => \&judge,
    instructions => \&instructions,
    git          => sub { require Teagate::Bench::Git; return Teagate::Bench::Git::main(@_) },
    push         => sub { require Teagate::Bench::Push; return Teagate::Bench::Push::main(@_) },
    proxy        => sub { require Teagate::Bench::Proxy; return Teagate::Bench::Proxy::main(@_) },
);

sub main {
    my ($build, $verb, @arguments) = @_;
    local $SIG{INT} = local $SIG{TERM} = local $SIG{HUP} = sub { die "stopped by a signal\n" };
    my $status = eval { $verbs{$verb}->($build, @arguments) };
    return $status if defined $status;
    print STDERR "bench: $@";
    return 1;
}

# With a Redis of its own, where this machine has one: its socket is TG_BENCH_REDIS. Ends with 1 when a median of 2001 measurements is
# above what it may be, or when something on the loop asked for a lock, or for memory besides the request's pool.
sub judge {
    my ($build) = @_;
    my $dir = File::Temp->newdir('teagate-bench-XXXXXX', TMPDIR => 1);
    my $redis;
    if (Teagate::RedisServer::locate()) {
        $redis = Teagate::RedisServer->new(dir => "$dir");
        $redis->prepare;
        $redis->start;
        $ENV{TG_BENCH_REDIS} = $redis->{socket};
    }
    my $status = system "$build/t/bench/bench-judge";
    $redis->stop_server if $redis;
    return $status == 0 ? 0 : 1;
}

sub instructions {
    my ($build, @works) = @_;
    require Teagate::Bench::Count;
    my $rig = Teagate::Bench::Count::start($build);
    for my $work (@works ? @works : 'h1tls', 'h2m10') {
        my $cost = Teagate::Bench::Count::count($rig, $work);
        printf "%s: %.0f instructions a request\n%12s %12s  %s\n", $work, $cost->{instructions}, 'own', 'with calls', 'function, and who calls it';
        print_functions($cost);
        printf "%s: %.2f system calls a request: %s\n\n", $work, Teagate::Bench::Count::sum($cost->{calls}), Teagate::Bench::Count::list($cost->{calls});
    }
    return 0;
}

sub print_functions {
    my ($cost) = @_;
    my ($of, $from) = @$cost{qw(of from)};
    for my $function (sort { $of->{$b}[0] <=> $of->{$a}[0] } keys %$of) {
        last if $of->{$function}[0] < $cost->{instructions} / 1000;
        printf "%12.1f %12.1f  %s\n", @{ $of->{$function} }, $function;
        my $callers = $from->{ $function =~ s/ [^ ]+\z//r };
        my @most = grep { $_ && $callers->{$_} > $of->{$function}[1] / 20 } (sort { $callers->{$b} <=> $callers->{$a} } keys %$callers)[0 .. 3];
        printf "%25.1f      %s\n", $callers->{$_}, $_ for @most;
    }
    return;
}

1;
