# Every unit, header and fuzz corpus of this build, as meson lists them.

use strict;
use warnings;
use JSON::PP;
use Test::More;

my $build = $ENV{TG_BUILD} // 'build';
my @targets = targets();
is(system("ninja -C $build @targets >$build/units.log 2>&1"), 0, 'the unit tests are built') or diag `tail -n 40 $build/units.log`;
for my $test (@{ decode_json(scalar `meson introspect $build --tests`) }) {
    next if $ENV{TG_VARIANT} && $ENV{TG_VARIANT} ne 'plain' && $test->{suite}[0] =~ /headers/;
    run_test($test);
}
done_testing;

sub targets {
    my %seen;
    for my $test (@{ decode_json(scalar `meson introspect $build --tests`) }) {
        $seen{$1}++ if $test->{cmd}[0] =~ m{/\Q$build\E/(.*)};
    }
    return sort keys %seen;
}

sub run_test {
    my ($test) = @_;
    my $pid = open my $out, '-|';
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        %ENV = (%ENV, %{ $test->{env} });
        chdir $test->{workdir} if $test->{workdir};
        exec { $test->{cmd}[0] } @{ $test->{cmd} };
        exit 127;
    }
    my $text = do { local $/; <$out> } // '';
    close $out;
    ok($? == 0, "$test->{suite}[0]: $test->{name}") or diag $text;
}
