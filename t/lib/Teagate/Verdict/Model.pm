package Teagate::Verdict::Model;

# What each account may do at each moment, by the times between which its changes were committed; says of an answer whether it is
# right. Written from the rules, not from the code: it shares nothing with the gateway.

use strict;
use warnings;
use List::Util qw(max);

use constant { FULL => 0, NOTICE => 1, READONLY => 2, BLOCKED => 3, GONE => 4, DAY => 86400, FAR => 9e15 };

# Whole days from now to the end of what is paid, and what follows with warning 14d, grace 7d, retention 90d; far from each boundary.
our %ENDS = (full => 300, expiring => 5, grace => -2, expired => -30, ended => -200);
my %LEVEL_OF_END = (full => FULL, expiring => NOTICE, grace => NOTICE, expired => BLOCKED, ended => GONE);

# Its credential, what is done there (free: never judged), the request, the status for whoever may, and for nobody in particular.
our %DOORS = map { my %door; @door{qw(by kind method path pass anonymous)} = @$_[1 .. $#$_]; $_->[0] => \%door } (
    [qw(settings      cookie read  GET  /user/settings 200 303)],
    [qw(web-write     cookie write POST /none/none/issues 404 404)],
    [qw(other         cookie read  GET  /api/none 404 404)],
    [qw(raw-cookie    cookie read  GET  /none/none/raw/branch/main/x 404 404)],
    [qw(feed          cookie read  GET  /none.rss 404 404)],
    [qw(assets        cookie free  GET  /assets/none 404 404)],
    [qw(api-read      token  read  GET  /api/v1/user 200)],
    [qw(api-write     token  write POST /api/v1/none 404)],
    [qw(git-read      token  read  GET  /none/none.git/info/refs?service=git-upload-pack 404)],
    [qw(git-write     token  write GET  /none/none.git/info/refs?service=git-receive-pack 404)],
    [qw(lfs-write     token  write PUT  /none/none.git/info/lfs/objects/0/0 404)],
    [qw(package-read  token  read  GET  /api/packages/none/generic/none 404)],
    [qw(package-write token  write PUT  /api/packages/none/generic/none 404)],
    [qw(raw-token     token  read  GET  /none/none/raw/branch/main/x 404)],
);

# accounts that have begun as `full`, without a hold, their sessions alive
sub new {
    my ($class, @logins) = @_;
    my $start = { end => 'full', hold => '', kind => '', locked => 0, operator => 0, signed_out => 0 };
    return bless { periods => { map { $_ => [ { from => -FAR(), to => FAR, state => {%$start} } ] } @logins } }, $class;
}

sub now { my ($self, $login) = @_; return $self->{periods}{$login}[-1]{state} }

# A change that was committed between two times: what was before may have been true until the later one, what is now from the earlier.
sub add {
    my ($self, $login, $begun, $ended, %new) = @_;
    my $periods = $self->{periods}{$login};
    $periods->[-1]{to} = $ended;
    push @$periods, { from => $begun, to => FAR, state => { %{ $periods->[-1]{state} }, %new } };
    return;
}

# The status that a door gives in that state; several accounts' worth of rules in one place.
sub status_of {
    my ($state, $door) = @_;
    return $door->{anonymous} if $door->{by} eq 'cookie' && $state->{signed_out};
    return $door->{pass} if $door->{kind} eq 'free';
    my $level = $LEVEL_OF_END{ $state->{end} };
    my $hold = $state->{hold} eq 'blocked' ? BLOCKED : $state->{hold} eq 'readonly' ? READONLY : FULL;
    my $is_refused = !$state->{operator} && max($level, $hold) >= ($door->{kind} eq 'write' ? READONLY : BLOCKED);
    return $hold > $level || $hold == $level && $state->{kind} ne 'nonpayment' ? 403 : 402 if $is_refused;
    return $state->{locked} ? 403 : $door->{pass};
}

sub is_shut { my ($state) = @_; return $state->{locked} || $LEVEL_OF_END{ $state->{end} } >= BLOCKED || $state->{hold} eq 'blocked' }

# The periods that meet a time span, newest first.
sub periods_in {
    my ($self, $login, $from, $to) = @_;
    my $periods = $self->{periods}{$login};
    my ($low, $high) = (0, $#$periods);
    while ($low < $high) { # the last one that begins before the span's end
        my $middle = int(($low + $high + 1) / 2);
        if ($periods->[$middle]{from} <= $to) { $low = $middle } else { $high = $middle - 1 }
    }
    my @found;
    for (my $i = $low; $i >= 0 && $periods->[$i]{to} >= $from; --$i) { push @found, $periods->[$i] }
    return @found;
}

# answer: { login, door, sent, got, status, prohibited }. Returns { right, sharp, age, wanted }: sharp, when only one answer was
# right within the patience; age, of the newest state by which it is right, in seconds before it was asked.
sub judge {
    my ($self, $answer, $patience) = @_;
    my $door = $DOORS{ $answer->{door} };
    my (%wanted, $age);
    for my $period ($self->periods_in($answer->{login}, $answer->{sent} - 60, $answer->{got})) {
        my $is_recent = $period->{to} >= $answer->{sent} - $patience;
        my $status = status_of($period->{state}, $door);
        $wanted{$status} = 1 if $is_recent;
        my $fits = $answer->{prohibited} ? is_shut($period->{state}) : $status == $answer->{status};
        $age //= max(0, $answer->{sent} - $period->{to}) if $fits;
        last if !$is_recent && defined $age;
    }
    return { right => defined $age && $age <= $patience, sharp => keys %wanted == 1, age => $age,
        wanted => join ' or ', sort keys %wanted };
}

1;
