# What was read before a change and arrives after it. Each value rests 400 ms between the database and every memory; meanwhile the account
# changes. Whoever asks is judged by the new facts, also those who had asked before.

use strict;
use warnings;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Teagate::Test;

$ENV{TG_FAULT_DELAY_FILL} = 400;
my $contract = own_system();
my $api = "$contract->{git_url}/api/v1/user";
my $active = account('active');
my $header = 'Authorization: token ' . token($active->{login});

sub status { return curl('-H', $header, $api)->{status} }

# The status that a request gets which is asked now; call the result for it.
sub ask_aside {
    pipe my $out, my $in or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        print {$in} status();
        close $in;
        POSIX::_exit(0);
    }
    close $in;
    return sub { my $status = <$out>; waitpid $pid, 0; return $status };
}

sub set { my ($until) = @_; my ($status, $text) = teagate('subscription', 'set', $active->{login}, '--until', $until); return $status }

is(status(), 200, 'the account is let through');
my $start = time;
set('+301d');
is(status(), 200, 'and after a change');
cmp_ok(time - $start, '>', 0.4, 'its facts have rested: the fault is there');

for my $round (1 .. 6) {
    my ($other, $until, $wanted) = $round % 2 ? ('+299d', '-30d', 402) : ('-31d', '+300d', 200);
    set($other);
    sleep 0.3; # what was known is dropped
    my @asked = map { ask_aside() } 1 .. 4;
    sleep 0.2; # read, and resting
    is(set($until), 0, "round $round: the change is acknowledged while what was read before it rests");
    my $after = ask_aside();
    is(join(' ', map { $_->() } @asked), join(' ', ($wanted) x 4), 'those who had asked are judged by it');
    is($after->(), $wanted, 'and so is who asks behind them');
    is(join(' ', map { status() } 1 .. 5), join(' ', ($wanted) x 5), 'and everybody later');
}

my $metrics = curl($contract->{metrics_url})->{body};
my ($stale) = $metrics =~ /^teagate_cache_stale_total (\d+)/m;
cmp_ok($stale, '>', 0, 'values were thrown away');

done_testing;
