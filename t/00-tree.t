# The tree keeps its own rules: layers, sizes, generated files.

use strict;
use warnings;
use Test::More;

for my $check (qw(check-layers check-sizes)) {
    my $text = `scripts/$check 2>&1`;
    is($?, 0, "scripts/$check finds nothing") or diag $text;
}

my $teagate = ($ENV{TG_BUILD} // 'build') . '/teagate';
for my $generated ([ 'conf/teagate.yaml', 'example' ], [ 'doc/configuration.md', 'reference' ]) {
    my ($file, $noun) = @$generated;
    my $text = `$teagate conf $noun`;
    is($?, 0, "teagate conf $noun prints it");
    open my $in, '<', $file or die "$file: $!";
    is(do { local $/; <$in> }, $text, "$file is what the key tables say; if not: $teagate conf $noun > $file");
}

done_testing;
