# What the service costs a machine on which nothing happens, and after the first hundred people have signed in

use strict;
use warnings;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
plan skip_all => 'sanitizers need memory of their own' if sanitized();

my $LIMIT_KIB = 25 * 1024;

# The proportional set size of all processes of the service
sub pss_kib {
    my $sum = 0;
    for my $name (qw(supervisor front jobs)) {
        my ($kib) = slurp("/proc/$contract->{pids}{$name}/smaps_rollup") =~ /^Pss:\s+(\d+)/m or die "$name has no size";
        $sum += $kib;
    }
    return $sum;
}

my $idle = pss_kib();
cmp_ok($idle, '<', $LIMIT_KIB, 'KiB when idle');
note "idle: $idle KiB";

my $account = account('active');
my $good = grep { browser()->sign_in($contract->{git_url}, $account->{login}, $account->{password})->{status} == 200 } 1 .. 100;
is($good, 100, 'people signed in');
my $used = pss_kib();
cmp_ok($used, '<', $LIMIT_KIB, 'KiB after that');
note "after a hundred sign-ins: $used KiB";

done_testing;
