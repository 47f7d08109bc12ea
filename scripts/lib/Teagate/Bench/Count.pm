package Teagate::Bench::Count;

# What a steady request costs the front, in counts that a busy machine does not change: user instructions and system calls, both under
# callgrind, where the program is so slow that all connections wait for it, as they do when its processor is saturated. Each work is done
# with few and with many requests over as many connections; the difference is what requests cost, without the start and the handshakes.
# Clocks are asked by system calls under callgrind only, where there is no vDSO: strace tells how it is without.

use strict;
use warnings;
use Teagate::Bench::Front;
use Teagate::Shell qw(fail capture slurp spew);
use Time::HiRes qw(sleep);

# h2load's options; requests: few, many; N: as many connections
our %WORKS = (
    'h1tls'     => { load => [qw(--h1 -c 64)], path => '1k', requests => [640, 2560] },
    'h2m10'     => { load => [qw(-c 32 -m 10)], path => '1k', requests => [640, 2560] },
    'h2m1'      => { load => [qw(-c 100 -m 1)], path => '1k', requests => [500, 2500] },
    'h1tls-10k' => { load => [qw(--h1 -c 64)], path => '10k', requests => [640, 1280] },
    'h2-10k'    => { load => [qw(-c 32 -m 10)], path => '10k', requests => [640, 1280] },
    'h1tls-1m'  => { load => [qw(--h1 -c 4)], path => '1m', requests => [8, 40] },
    'h2-1m'     => { load => [qw(-c 4 -m 1 -w 24 -W 24)], path => '1m', requests => [8, 40] },
    'hs'        => { load => [qw(--h1 -c N)], path => '1k', requests => [40, 200] },
    'h1-up'     => { load => [qw(--h1 -c 4 -d DIR/1m)], path => 'up', requests => [8, 40] },
    'h2-up'     => { load => [qw(-c 4 -m 1 -d DIR/1m)], path => 'up', requests => [8, 40] },
);

sub is_here { my ($program) = @_; return scalar grep { -x "$_/$program" } split /:/, $ENV{PATH} }

sub can_count { return is_here('valgrind') && is_here('h2load') }

# ptrace may be forbidden where this runs
sub can_count_clocks { return is_here('strace') && (capture({ any_status => 1 }, qw(strace -qq -o /dev/null true)))[0] == 0 }

sub load {
    my ($rig, $work, $requests) = @_;
    my $said = capture('h2load', (map { $_ eq 'N' ? $requests : s/DIR/$rig->{dir}/r } @{ $work->{load} }), '-n', $requests, '-H', "Cookie: $rig->{cookie}", "$rig->{url}$Teagate::Bench::Rig::PATHS{$work->{path}}");
    $said =~ /^status codes: $requests 2xx/m or fail "not all of $requests requests were answered:\n$said";
}

sub start {
    my ($build) = @_;
    my $rig = Teagate::Bench::Front->new(build => $build, patience_s => 120,
        # each question for the status ends a profile
        before => [qw(valgrind --tool=callgrind --callgrind-out-file=DIR/callgrind --dump-before=tg_site_status --trace-syscalls=yes
            --log-file=DIR/calls)])->start;
    spew("$rig->{dir}/1m", 'x' x (1 << 20));
    $rig->check_answers;
    return $rig;
}

# Of a steady request: { instructions, of => { "function file" => [instructions of its own, with what it calls] },
# from => { function => { "caller file" => instructions with what it calls } }, calls => { name => number } }
sub count {
    my ($rig, $name) = @_;
    my $work = $WORKS{$name} or fail "there is no work $name; there are: ", join ' ', sort keys %WORKS;
    my $per = $work->{requests}[1] - $work->{requests}[0];
    load($rig, $work, $work->{requests}[0]); # what grows at first has grown
    my ($few, $many) = map { measure($rig, $work, $_) } @{ $work->{requests} };
    my (%of, %from, %calls);
    for my $function (keys %{ $many->{of} }) {
        my $before = $few->{of}{$function} // [0, 0];
        $of{$function} = [map { ($many->{of}{$function}[$_] - $before->[$_]) / $per } 0, 1];
    }
    for my $callee (keys %{ $many->{from} }) {
        $from{$callee}{$_} = ($many->{from}{$callee}{$_} - ($few->{from}{$callee}{$_} // 0)) / $per for keys %{ $many->{from}{$callee} };
    }
    $calls{$_} = (($many->{calls}{$_} // 0) - ($few->{calls}{$_} // 0)) / $per for keys %{ { %{ $many->{calls} }, %{ $few->{calls} } } };
    leave_out_connections(\%calls);
    delete @calls{qw(clock_gettime gettimeofday time)};
    return { instructions => ($many->{total} - $few->{total}) / $per, of => \%of, from => \%from, calls => \%calls };
}

# Connections of an earlier work may end meanwhile: 30 s after their last request. New ones stay visible by their connect.
sub leave_out_connections {
    my ($calls) = @_;
    $calls->{epoll_ctl} //= 0;
    $calls->{epoll_ctl} -= $calls->{$_} // 0 for qw(accept4 socket close);
    delete @$calls{qw(accept4 socket setsockopt getsockopt shutdown close)};
    return;
}

sub sum { my ($calls) = @_; my $sum = 0; $sum += $_ for values %$calls; return $sum }

sub list {
    my ($calls) = @_;
    return join ', ', map { $calls->{$_} >= 0.005 ? sprintf '%s %.2f', $_, $calls->{$_} : () } sort keys %$calls;
}

sub measure {
    my ($rig, $work, $requests) = @_;
    my $calls = "$rig->{dir}/calls";
    $rig->touch;
    my $from = -s $calls;
    load($rig, $work, $requests);
    sleep 0.3; # its connections are closed
    my $to = -s $calls;
    $rig->touch;
    return { %{ read_profile(newest("$rig->{dir}/callgrind")) }, calls => read_calls($calls, $from, $to) };
}

# Of the thread that waits for events: what other threads do, they do once a second. A line is "SYSCALL[995,1](232) sys_epoll_wait ( ...";
# the rest of a call that blocked comes later, without its name.
sub read_calls {
    my ($file, $from, $to) = @_;
    my %count;
    open my $in, '<', $file or fail "$file: $!";
    seek $in, $from, 0;
    while (tell($in) < $to && defined(my $line = <$in>)) {
        ++$count{$1}{$2} while $line =~ /SYSCALL\[\d+,(\d+)\]\(\s*\d+\) (?:sys|compat_sys)_(\w+)/g;
    }
    return (grep { $_->{epoll_wait} } values %count)[0] // {};
}

sub newest {
    my ($stem) = @_;
    my ($last) = sort { $b <=> $a } map { /\.(\d+)\z/ ? $1 : () } glob "$stem.*";
    return "$stem.$last";
}

# callgrind's format: names are told once and then by number; the line behind "calls=" is what the call cost in all
sub read_profile {
    my ($file) = @_;
    my (%name, %of, %from, $object, $source, $function, $callee, $called, $total);
    my $named = sub { my ($kind, $number, $text) = @_; return $name{$kind}{$number} = $text ne '' ? $text : $name{$kind}{$number} };
    open my $in, '<', $file or fail "$file: $!";
    while (my $line = <$in>) {
        if (my ($is_called, $kind, $number, $name) = $line =~ /^(c?)(ob|fi|fe|fl|fn)=\((\d+)\) ?(.*)/) {
            my $text = $named->($kind =~ /^f[iel]/ ? 'file' : $kind, $number, $name);
            $callee = $text if $is_called && $kind eq 'fn';
            next if $is_called;
            $object = $text =~ s{.*/}{}r if $kind eq 'ob';
            $source = $text =~ s{.*/}{}r if $kind eq 'fl';
            $function = "$text " . (($source // '???') eq '???' ? $object : $source) if $kind eq 'fn';
        } elsif ($line =~ /^calls=/) {
            $called = 1;
        } elsif ($line =~ /^[-+*\d]\S* (\d+)/) {
            $of{$function} //= [0, 0];
            $of{$function}[0] += $1 if !$called;
            $of{$function}[1] += $1;
            $from{$callee}{$function} += $1 if $called;
            $called = 0;
        } elsif ($line =~ /^totals: (\d+)/) {
            $total = $1;
        }
    }
    return { total => $total, of => \%of, from => \%from };
}

# { works => [{ work, instructions, calls, and *_goal; undef: no limit }], never => [names] }
sub budget {
    my ($file) = @_;
    my %budget = (works => []);
    for my $line (grep { /^\w/ } split /\n/, slurp($file)) {
        my ($work, @figure) = split ' ', $line;
        if ($work eq 'never') { $budget{never} = \@figure; next }
        my %row = (work => $work);
        @row{qw(instructions instructions_goal calls calls_goal)} = map { $_ eq '-' ? undef : $_ } @figure;
        push @{ $budget{works} }, \%row;
    }
    return \%budget;
}

# Clock calls of a steady request that reached the kernel
sub clocks {
    my ($build, $name) = @_;
    my $work = $WORKS{$name};
    my $rig = Teagate::Bench::Front->new(build => $build, patience_s => 60,
        before => ["strace", "-D", "-ff", "-qq", "-e", "trace=clock_gettime,gettimeofday,time", "-o", "DIR/clocks"])->start;
    load($rig, $work, $work->{requests}[0]);
    my @seen = map { load($rig, $work, $_) if $_; clocks_so_far($rig) } 0, @{ $work->{requests} };
    $rig->stop_all;
    return ($seen[2] - 2 * $seen[1] + $seen[0]) / ($work->{requests}[1] - $work->{requests}[0]);
}

sub clocks_so_far {
    my ($rig) = @_;
    my $count = 0;
    for my $thread (map { m{(\d+)\z} } glob "/proc/$rig->{pids}{front}/task/*") {
        $count += () = slurp("$rig->{dir}/clocks.$thread") =~ /^\w+\(/mg;
    }
    return $count;
}

1;
