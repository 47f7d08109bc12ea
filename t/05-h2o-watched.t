# where AddressSanitizer watches, libh2o recycles no memory: each use after the end is seen

use strict;
use warnings;
use Test::More;

plan skip_all => 'ThreadSanitizer and AddressSanitizer do not go together' if ($ENV{TG_VARIANT} // '') eq 'tsan';

my $build = $ENV{TG_BUILD} // 'build';
my @lines = qx{$build/t/h2o/watched};
is($?, 0, 'it ends well');
is(scalar(@lines), 7, 'all is told');
/^(not )?ok \d+ - (.*)/ and ok(!$1, "it sees $2") for @lines;
done_testing;
