# Nobody is judged wrongly, and by nothing that is older than a second, while accounts change many times a second and Redis, fronts and
# configurations come and go. TG_VERDICT_SECONDS=600 makes it long.

use strict;
use warnings;
use Test::More;
use Teagate::Test;

my $seconds = $ENV{TG_VERDICT_SECONDS} // (sanitized() ? 30 : 45);
my $patience = sanitized() ? 3 : 1;
$ENV{TG_VERDICT_PATIENCE} = $patience;
my ($status, $text) = capture({ any_status => 1 }, 't/fault/verdicts', '--seconds', $seconds, '--seed', $ENV{TG_VERDICT_SEED} // time);
my %count = $text =~ /^([\w-]+) (\S+)$/mg;
is($status, 0, 'the program ends well') or diag $text;
is($count{wrong}, 0, 'no verdict is wrong');
cmp_ok($count{judged} // 0, '>', 100 * $seconds, 'hundreds a second were compared: ' . ($count{judged} // 0));
cmp_ok($count{sharp} // 0, '>', 0.2 * ($count{judged} // 0), 'and many had one right answer only: ' . ($count{sharp} // 0));
cmp_ok($count{oldest_ms} // 9999, '<=', 1000 * $patience, 'none was older than a second; the oldest ' . ($count{oldest_ms} // '?') . ' ms');
cmp_ok($count{changes} // 0, '>', 30 * $seconds, 'accounts were changed ' . ($count{changes_per_s} // '?') . ' times a second');
cmp_ok($count{unavailable} // 9e9, '<', 0.01 * ($count{judged} // 0), 'hardly anybody had to come again: ' . ($count{unavailable} // '?'));
ok($count{"fault_$_"}, "there was: $_") for qw(front-killed reload);
cmp_ok($count{"status_$_"} // 0, '>', 0, "some were answered $_") for qw(200 402 403 404);
diag "seed $count{seed}" if $count{wrong};

done_testing;
