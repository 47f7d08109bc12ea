#!/usr/bin/perl
# What a steady request costs the front in instructions and system calls stays within t/bench/budget.txt.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../scripts/lib";
use Teagate::Bench::Count;
use Test::More;

my $build = $ENV{TG_BUILD} // "$FindBin::Bin/../build";
plan skip_all => 'sanitizers count, too' if ($ENV{TG_VARIANT} // 'plain') ne 'plain';
plan skip_all => 'valgrind or h2load is missing; scripts/setup --tests brings them' unless Teagate::Bench::Count::can_count();
plan skip_all => 'the program is not built' unless -x "$build/teagate" && -x "$build/t/bench/bench-upstream";

use constant SELDOM => 0.2; # a request in five: what a connection does at its start and end, and when a busy machine lets somebody wait

my $budget = Teagate::Bench::Count::budget("$FindBin::Bin/bench/budget.txt");
my $rig = Teagate::Bench::Count::start($build);

for my $row (@{ $budget->{works} }) {
    subtest "$row->{work} costs no more than written down" => sub {
        my $cost = Teagate::Bench::Count::count($rig, $row->{work});
        my $calls = Teagate::Bench::Count::sum($cost->{calls});
        diag sprintf '%-10s %8.0f instructions, %5.2f calls (%s)', $row->{work}, $cost->{instructions}, $calls, Teagate::Bench::Count::list($cost->{calls});
        cmp_ok $cost->{instructions}, '>', 5000, 'requests are counted at all';
        cmp_ok $cost->{instructions}, '<=', $row->{instructions}, 'instructions' if defined $row->{instructions};
        cmp_ok $calls, '<=', $row->{calls}, 'system calls' if defined $row->{calls};
        makes_none($cost->{calls}) unless $row->{work} =~ /-(?:1m|up)\z|\Ahs\z/;
    };
}
$rig->stop_all;

sub makes_none {
    my ($calls) = @_;
    cmp_ok $calls->{$_} // 0, '<', SELDOM, "no $_" for grep { $_ ne 'clock_gettime' } @{ $budget->{never} };
    return;
}

SKIP: {
    skip 'this machine does not let strace look on', 1 unless Teagate::Bench::Count::can_count_clocks();
    cmp_ok Teagate::Bench::Count::clocks($build, 'h1tls'), '<', SELDOM, 'no clock is asked by a system call';
}

done_testing;
