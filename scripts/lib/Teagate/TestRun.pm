package Teagate::TestRun;

# What scripts/test does once everything is installed: builds each variant, then gives all tests of all variants to one TAP harness, so
# that there is one summary.

use strict;
use warnings;
use Getopt::Long qw(GetOptionsFromArray);
use TAP::Harness;
use Teagate::GiteaServer;

# needs_system: the whole service with a Gitea runs under this variant as well
my %VARIANTS = (
    plain => { directory => 'build', options => [], files => qr/./ },
    asan  => { directory => 'build-asan', options => [ '-Db_sanitize=address,undefined', '-Db_lundef=false' ], files => qr/./ },
    tsan  => { directory => 'build-tsan', options => [ '-Db_sanitize=thread', '-Db_lundef=false' ], files => qr{^t/0[01]-} },
);

my %SANITIZER_ENV = (
    ASAN_OPTIONS  => 'abort_on_error=0:exitcode=99:detect_leaks=1:detect_stack_use_after_return=0:print_suppressions=0',
    LSAN_OPTIONS  => 'suppressions=t/lib/lsan.supp:print_suppressions=0',
    UBSAN_OPTIONS => 'print_stacktrace=1:halt_on_error=1:exitcode=99',
    TSAN_OPTIONS  => 'halt_on_error=1:exitcode=99:suppressions=t/lib/tsan.supp',
);

sub main {
    my %wish = (jobs => 1);
    GetOptionsFromArray(\@_, \%wish, 'quick', 'asan', 'tsan', 'verbose', 'jobs=i') or return 2;
    my @variants = $wish{quick} || @_ ? ($wish{asan} ? 'asan' : $wish{tsan} ? 'tsan' : 'plain') : qw(plain asan tsan);
    my @files = @_ ? @_ : sort glob('t/*.t');
    for my $name (@variants) {
        my $variant = $VARIANTS{$name};
        print "test: building $name in $variant->{directory}\n";
        system('scripts/build', $variant->{directory}, @{ $variant->{options} }) == 0 or return 1;
    }
    my $gitea = Teagate::GiteaServer::locate();
    my $which = $gitea ? 'Gitea ' . Teagate::GiteaServer::version_of($gitea) . " ($gitea)" : 'no Gitea: what needs one is skipped';
    print "test: against $which\n";
    my $passed = run_all(\%wish, \@variants, \@files);
    print "test: ran against $which\n";
    return $passed ? 0 : 1;
}

sub run_all {
    my ($wish, $variants, $files) = @_;
    local @ENV{ keys %SANITIZER_ENV } = values %SANITIZER_ENV;
    my @tests;
    for my $name (@$variants) {
        push @tests, map { [ "$name:$_", @$variants > 1 ? "$_ ($name)" : $_ ] } grep { $_ =~ $VARIANTS{$name}{files} || @$variants == 1 } @$files;
    }
    my $harness = TAP::Harness->new({
        verbosity => $wish->{verbose} ? 1 : 0, timer => 1, color => -t STDOUT, merge => 0, jobs => $wish->{jobs},
        exec => sub {
            my ($variant, $file) = $_[1] =~ /^(\w+):(.*)/;
            return [ 'env', "TG_BUILD=$VARIANTS{$variant}{directory}", "TG_VARIANT=$variant", $^X, '-w', '-Iscripts/lib', '-It/lib', $file ];
        },
    });
    return $harness->runtests(@tests)->all_passed;
}

1;
