package Teagate::TestRun;

# What scripts/test does once everything is installed: builds each variant, then gives all tests of all variants to one TAP harness, so
# that there is one summary.

use strict;
use warnings;
use File::Temp;
use Getopt::Long qw(GetOptionsFromArray);
use TAP::Harness;
use TAP::Parser::Aggregator;
use Teagate::GiteaServer;
use Teagate::Shell qw(spawn stop slurp free_port wait_until is_alive);

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
    my $gitea = Teagate::GiteaServer::choose();
    my $which = $gitea ? Teagate::GiteaServer::name_of(Teagate::GiteaServer::version_of($gitea)) . " ($gitea)"
        : 'no Gitea: what needs one is skipped';
    print "test: against $which\n";
    return run_all(\%wish, \@variants, \@files) ? 0 : 1;
}

# A quickstart of this variant, for all tests of the whole system that do it no harm.
sub start_system {
    my ($name) = @_;
    my $dir = File::Temp->newdir('teagate-tests-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;
    local $ENV{TG_BUILD} = $VARIANTS{$name}{directory};
    my $system = { dir => $dir, log => "$dir/quickstart.log", contract => "$dir/state/quickstart.json" };
    require Cwd;
    $system->{pid} = spawn({ log => $system->{log}, dir => Cwd::getcwd(), env => { TG_BUILD => Cwd::getcwd() . "/$VARIANTS{$name}{directory}" } },
        'scripts/quickstart', '--state', "$dir/state", '--port', free_port());
    wait_until(240, sub { -e $system->{contract} || !is_alive($system->{pid}) });
    return $system if -e $system->{contract};
    print "test: the system of variant $name did not start:\n", slurp($system->{log});
    return;
}

# Ends it; true when neither it nor a sanitizer complained.
sub end_system {
    my ($name, $system) = @_;
    my @logs = glob "$system->{dir}/state/{,data/}teagate/log/serve.out";
    my $was_alive = is_alive($system->{pid});
    stop($system->{pid}, 60);
    my @reports = grep { /ERROR: \w+Sanitizer|runtime error:|WARNING: ThreadSanitizer/ } map { split /\n/, slurp($_) } grep { -e } @logs;
    print "test: the system of variant $name stopped by itself:\n", slurp($system->{log}) unless $was_alive;
    if (@reports) {
        print "test: a sanitizer complained of the system of variant $name:\n";
        print slurp($_) for grep { -e } @logs;
    }
    return $was_alive && !@reports;
}

sub run_all {
    my ($wish, $variants, $files) = @_;
    local @ENV{ keys %SANITIZER_ENV } = values %SANITIZER_ENV;
    my (@tests, %systems);
    for my $name (@$variants) {
        my @mine = grep { $_ =~ $VARIANTS{$name}{files} || @$variants == 1 } @$files;
        push @tests, map { [ "$name:$_", @$variants > 1 ? "$_ ($name)" : $_ ] } @mine;
        next unless grep { m{^t/8} } @mine;
        print "test: starting a system of variant $name\n";
        $systems{$name} = start_system($name) // return 0;
    }
    my $harness = Teagate::TestRun::Harness->new({
        verbosity => $wish->{verbose} ? 1 : 0, timer => 1, color => -t STDOUT, merge => 0, jobs => $wish->{jobs},
        exec => sub {
            my ($variant, $file) = $_[1] =~ /^(\w+):(.*)/;
            my $contract = $systems{$variant} ? $systems{$variant}{contract} : '';
            return [ 'env', "TG_BUILD=$VARIANTS{$variant}{directory}", "TG_VARIANT=$variant", "TG_QUICKSTART=$contract", $^X, '-w',
                '-Iscripts/lib', '-It/lib', $file ];
        },
    });
    my $result = run_tests($harness, @tests);
    # a machine that is busy with something else can make a file miss a deadline: what failed is tried once more, and said
    my %failed = map { $_ => 1 } map { $result->$_ } qw(failed parse_errors exit wait);
    if (my @again = grep { $failed{ $_->[1] } } @tests) {
        $harness->summary($result);
        print 'test: tried once more: ', join(', ', map { $_->[1] } @again), "\n";
        $result = run_tests($harness, @again);
    }
    my $clean = 1;
    end_system($_, $systems{$_}) or $clean = 0 for sort keys %systems;
    $harness->summary($result);
    return $clean && $result->all_passed;
}

sub run_tests {
    my ($harness, @tests) = @_;
    my $aggregate = TAP::Parser::Aggregator->new;
    $aggregate->start;
    $harness->aggregate_tests($aggregate, @tests);
    $aggregate->stop;
    return $aggregate;
}

# A file that bails out has failed, and only that file: the others go on, and it is tried once more.
package Teagate::TestRun::Harness;

use parent -norequire, 'TAP::Harness';

sub _bailout { return }

1;
