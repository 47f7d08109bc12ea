package Callgrind;

# Counts what patchd executes: it runs under valgrind's callgrind, whose numbers no other load on the machine moves.

use strict;
use warnings;
use File::Temp qw(tempdir);
use Patchd;

our @ISA = ('Patchd');
my $dir = tempdir(CLEANUP => 1);

sub is_here { return system('valgrind --version >/dev/null 2>&1 && callgrind_control --version >/dev/null 2>&1') == 0 }

sub start {
    my ($class, %setting) = @_;
    my $out = "$dir/out." . rand;
    my $self = Patchd->start(%setting, under => ['valgrind', '-q', '--tool=callgrind', "--callgrind-out-file=$out"]);
    $self->{callgrind} = $out;
    return bless $self, $class;
}

# what one of the $count requests costs that $code makes, after a few that warm up: {total, calls => {NAME}, self => {NAME}, inclusive => {NAME}}
sub cost_of {
    my ($self, $count, $code) = @_;
    $code->(20);
    $self->dump_costs;
    $code->($count);
    my $some = $self->dump_costs;
    $code->(3 * $count);
    my $more = $self->dump_costs;
    my %cost = (total => ($more->{total} - $some->{total}) / (2 * $count));
    for my $kind (qw(calls self inclusive)) {
        for my $name (keys %{ $more->{$kind} }) {
            $cost{$kind}{$name} = ($more->{$kind}{$name} - ($some->{$kind}{$name} // 0)) / (2 * $count);
        }
    }
    return \%cost;
}

# what was executed since the last dump, by function
sub dump_costs {
    my ($self) = @_;
    system("callgrind_control -d $self->{pid} >/dev/null 2>&1") == 0 or die 'callgrind_control does not work';
    my ($file) = sort { -M $a <=> -M $b || length $b <=> length $a || $b cmp $a } glob "$self->{callgrind}.*";
    open my $in, '<', $file or die "no dump: $!";
    my (%name, %cost, $caller, $callee, $is_call);
    while (<$in>) {
        if (/^(c?)fn=\((\d+)\)(?: ([^\n']*))?/) {
            $name{$2} = $3 if defined $3;
            ($1 ? $callee : $caller) = $name{$2};
        } elsif (/^calls=(\d+)/) {
            $cost{calls}{$callee} += $1;
            $is_call = 1;
        } elsif (/^[-+*\d]\S* (\d+)/) {
            $is_call ? ($cost{inclusive}{$callee} += $1) : ($cost{self}{$caller} += $1);
            $cost{total} += $1 if !$is_call;
            $is_call = 0;
        }
    }
    close $in;
    unlink $file;
    return \%cost;
}

1;
