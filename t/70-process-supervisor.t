#!/usr/bin/perl
# The supervisor by itself, with a program in place of front and jobs that behaves as its configuration says.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(sleep time);

my $build = $ENV{TG_BUILD} // "$FindBin::Bin/../build";
my $fake = $ENV{TG_FAKECHILD} // "$build/t/unit/supervisor/fakechild";
plan skip_all => "no $fake; build first" unless -x $fake;

my @started;
END { local $?; kill 'KILL', $_ for grep { waitpid($_, WNOHANG) == 0 } @started }

# Below the ports that connections get by themselves, and by chance: other tests look for theirs at the same time.
sub free_port {
    for (1 .. 100) {
        my $port = 10000 + int rand 20000;
        return $port if IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port, ReuseAddr => 1);
    }
    die 'there is no free port';
}

sub spew { my ($path, $text) = @_; open my $f, ">", $path or die "$path: $!"; print $f $text; close $f or die $!; return }
sub slurp { my ($path) = @_; local $/; open my $f, '<', $path or die "$path: $!"; my $text = <$f>; return $text }

# A service of its own in a directory of its own.
sub service {
    my (%with) = @_;
    my $dir = tempdir(CLEANUP => 1);
    my $self = {dir => $dir, port => free_port(), program => $with{program} // $fake};
    spew("$dir/conf", conf($self, $with{lines} // ''));
    return $self;
}

sub conf { my ($self, $lines) = @_; return "run $self->{dir}\ndrain 5\nlisten https 127.0.0.1 $self->{port}\n$lines" }

sub start {
    my ($self) = @_;
    my $pid = fork // die $!;
    if (!$pid) {
        open STDERR, '>>', "$self->{dir}/log";
        exec $self->{program}, 'serve', "$self->{dir}/conf";
        die $!;
    }
    push @started, $pid;
    return $self->{pid} = $pid;
}

sub wait_until {
    my ($what, $seconds) = @_;
    my $end = time + $seconds;
    while (time < $end) { my $r = $what->(); return $r if $r; sleep 0.01 }
    return 0;
}

# "PID GENERATION" of the front that answers; undef when none does.
sub who {
    my ($self, $port) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port // $self->{port}, Timeout => 5) or return;
    my $line = <$s> // return;
    chomp $line;
    return $line;
}
sub front_pid { my $line = who(@_) // return; return (split / /, $line)[0] }
sub generation { my $line = who(@_) // return; return (split / /, $line)[1] }

sub ask {
    my ($self, $verb) = @_;
    my $text = `$self->{program} ask $self->{dir}/supervisor.sock $verb`;
    return ($? >> 8, $text);
}

sub status {
    my ($self) = @_;
    my (undef, $text) = ask($self, 'status');
    my ($json) = $text =~ /^supervisor (.*)$/m or return undef;
    return decode_json($json);
}
# A front accepts a moment before its generation counts as started.
sub is_up { my ($self) = @_; return wait_until(sub { my $status = status($self); $status && $status->{generation} }, 10) }
sub child_of { my ($self, $role) = @_; my ($child) = grep { $_->{role} eq $role && $_->{state} eq 'serving' } @{status($self)->{children}}; return $child }

sub ended { my ($self, $seconds) = @_; return wait_until(sub { waitpid($self->{pid}, WNOHANG) == $self->{pid} }, $seconds) }

subtest 'serves, answers status, drains at SIGTERM and ends with 0' => sub {
    my $s = service();
    start($s);
    ok is_up($s), 'a front answers';
    is generation($s), 1, 'of the first generation';
    my ($code, $text) = ask($s, 'status');
    is $code, 0, 'status is answered';
    like $text, qr/^front \{"fake":true\}$/m, 'with what the front says itself';
    my $status = status($s);
    is $status->{pid}, $s->{pid}, 'pid of the supervisor';
    is $status->{generation}, 1, 'generation';
    is_deeply $status->{listeners}, [{kind => 'https', address => "127.0.0.1:$s->{port}"}], 'listeners';
    is join(' ', sort map { "$_->{role}=$_->{state}" } @{$status->{children}}), 'front=serving jobs=serving', 'children';
    is((stat "$s->{dir}/supervisor.sock")[2] & 0777, 0600, 'the socket is for the service user only');
    kill 'TERM', $s->{pid};
    ok ended($s, 5), 'ended';
    is $?, 0, 'with 0';
    ok !defined who($s), 'nobody listens any more';
    ok !-e "$s->{dir}/supervisor.sock", 'the socket is gone';
};

subtest 'a killed front or jobs is back within a second, and no connection is refused meanwhile' => sub {
    my $s = service();
    start($s);
    is_up($s);
    for (1 .. 5) {
        my $old = front_pid($s);
        kill 'KILL', $old;
        my $at = time;
        wait_until(sub { !kill 0, $old }, 1);
        my $new = front_pid($s); # waits in the listening socket's queue
        ok defined $new && $new != $old, 'a connection made at once is answered by another front';
        ok time - $at < 1, 'within a second';
    }
    my $jobs = child_of($s, 'jobs')->{pid};
    kill 'KILL', $jobs;
    ok wait_until(sub { my $j = child_of($s, 'jobs'); $j && $j->{pid} != $jobs }, 1), 'jobs are back within a second';
    my ($front) = grep { $_->{role} eq 'front' } @{status($s)->{children}};
    is $front->{restarts}, 5, 'restarts are counted';
    like slurp("$s->{dir}/log"), qr/error process-ended role=front generation=1 why="killed by signal 9 \(Killed\)" restart-in-ms=0/, 'and logged with their reason';
    kill 'TERM', $s->{pid};
    ok ended($s, 5), 'ended';
};

subtest 'a crash loop backs off' => sub {
    my $s = service(lines => "front-crashes 100\n");
    start($s);
    is_up($s);
    sleep 2.5;
    my $restarts = () = slurp("$s->{dir}/log") =~ /process-ended role=front/g;
    cmp_ok $restarts, '>=', 3, 'it was tried again';
    cmp_ok $restarts, '<=', 8, 'but less and less often';
    kill 'TERM', $s->{pid};
    ok ended($s, 5), 'ended';
    is $?, 0, 'with 0';
};

subtest 'a restart uses the configuration that was checked, whatever the file says now' => sub {
    my $s = service();
    start($s);
    my $old = is_up($s) && front_pid($s);
    spew("$s->{dir}/conf", conf($s, "front-fails broken\n"));
    kill 'KILL', $old;
    ok wait_until(sub { my $pid = front_pid($s); $pid && $pid != $old }, 2), 'the front is back';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'a reload brings a new generation; queued ones are answered too' => sub {
    my $s = service();
    start($s);
    is_up($s);
    my ($code, $text) = ask($s, 'reload');
    is $code, 0, 'done';
    like $text, qr/^ok generation 2 serves$/m, 'and says so';
    is generation($s), 2, 'the new generation answers';
    my @asking = map { my $pid = fork // die $!; if (!$pid) { my ($c) = ask($s, 'reload'); POSIX::_exit($c) } $pid } 1 .. 5;
    my $failed = 0;
    for (@asking) { waitpid $_, 0; $failed++ if $? }
    is $failed, 0, 'five at once are all answered with success';
    kill 'HUP', $s->{pid};
    my $before = generation($s);
    ok wait_until(sub { (generation($s) // 0) > $before }, 3), 'SIGHUP reloads too';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'what is wrong with a new configuration changes nothing and is told in full' => sub {
    my $s = service();
    start($s);
    my $old = is_up($s) && front_pid($s);
    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
    my @cases = (
        ["error conf:1: first\nerror conf:2: second\n", qr/^failed conf:1: first\nconf:2: second$/m],
        ["front-fails no certificate\n", qr/^failed the new front did not come up: no certificate$/m],
        ["front-dies\n", qr/^failed the new front did not come up: killed by signal 6/m],
        ["jobs-fails no store\n", qr/^failed the new jobs did not come up: no store$/m],
        ['listen https 127.0.0.1 ' . $taken->sockport . "\n", qr/^failed cannot listen on 127\.0\.0\.1:\d+: Address already in use; /m],
        ["listen https 127.0.0.1 70000\n", qr/^failed "70000" is not a port$/m],
    );
    for (@cases) {
        my ($lines, $expected) = @$_;
        spew("$s->{dir}/conf", conf($s, $lines));
        my ($code, $text) = ask($s, 'reload');
        is $code, 1, 'refused';
        like $text, $expected, 'with the reason';
        is front_pid($s), $old, 'the old front serves';
    }
    unlink "$s->{dir}/conf";
    my ($code, $text) = ask($s, 'reload');
    is $code, 1, 'a missing file is refused';
    like $text, qr/there is no file .*conf/, 'with the reason';
    my $status = status($s);
    is $status->{reloads}{failed}, @cases + 1, 'failures are counted';
    ok !$status->{reloads}{last_ok}, 'the last one is shown';
    is scalar(@{$status->{listeners}}), 1, 'no socket stays open that was opened for nothing';
    like slurp("$s->{dir}/log"), qr/error reload-failed why="conf:2: second"/, 'every error is in the event log';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'addresses come and go with a reload' => sub {
    my $s = service();
    my $more = free_port();
    start($s);
    is_up($s);
    spew("$s->{dir}/conf", conf($s, "listen http * $more\n"));
    is((ask($s, 'reload'))[0], 0, 'reloaded');
    is generation($s, $more), 2, 'the new address answers';
    my $six = IO::Socket::INET->can('new') && eval { require IO::Socket::IP; IO::Socket::IP->new(PeerHost => '::1', PeerPort => $more) };
    ok $six || !-e '/proc/net/if_inet6', 'over IPv6 too';
    is generation($s), 2, 'and the old one';
    spew("$s->{dir}/conf", conf($s, ''));
    is((ask($s, 'reload'))[0], 0, 'reloaded');
    ok wait_until(sub { !defined who($s, $more) }, 5), 'the address is closed again';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'twenty reloads under load refuse and reset nothing' => sub {
    my $s = service();
    start($s);
    is_up($s);
    my $stop = "$s->{dir}/stop";
    my @load = map {
        my $pid = fork // die $!;
        if (!$pid) {
            my ($failed, $done) = (0, 0);
            while (!-e $stop) { defined who($s) ? $done++ : $failed++ }
            POSIX::_exit($failed ? 1 : $done > 50 ? 0 : 2);
        }
        $pid
    } 1 .. 3;
    my $refused = grep { (ask($s, 'reload'))[0] != 0 } 1 .. 20;
    is $refused, 0, 'all reloads were done';
    spew($stop, '');
    for (@load) { waitpid $_, 0; is $?, 0, 'no connection failed' }
    is generation($s), 21, 'generation 21 serves';
    ok wait_until(sub { @{status($s)->{children}} == 2 }, 6), 'the older ones are gone';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'a program that was replaced is taken by a reload, and by nothing else' => sub {
    my $program = tempdir(CLEANUP => 1) . '/teagate';
    copy($fake, $program) or die $!;
    chmod 0755, $program;
    my $s = service(program => $program);
    start($s);
    my $old = is_up($s) && front_pid($s);
    copy($fake, "$program.new") or die $!;
    chmod 0755, "$program.new";
    my $inode = (stat "$program.new")[1];
    rename "$program.new", $program or die $!;
    isnt((stat "/proc/$old/exe")[1], $inode, 'the old front runs the old program');
    is((ask($s, 'reload'))[0], 0, 'reloaded');
    is((stat '/proc/' . front_pid($s) . '/exe')[1], $inode, 'the new front runs the new one');
    unlink $program;
    my ($code, $text) = ask({%$s, program => $fake}, 'reload');
    is $code, 1, 'a program that is missing is a failed reload';
    like $text, qr/^failed the configuration could not be checked: cannot run \Q$program\E: No such file/m, 'with the reason';
    ok defined who($s), 'and the service goes on';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'children die with the supervisor, and its place can be taken at once' => sub {
    my $s = service();
    start($s);
    my $front = is_up($s) && front_pid($s);
    my $jobs = child_of($s, 'jobs')->{pid};
    kill 'KILL', $s->{pid};
    ended($s, 5);
    ok wait_until(sub { !kill(0, $front) && !kill(0, $jobs) }, 2), 'no child is left' or diag `ps -o pid,stat,args $front $jobs`;
    start($s);
    ok is_up($s), 'a new supervisor serves';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'a second service in the same place is refused' => sub {
    my $s = service();
    start($s);
    is_up($s);
    my $other = {%$s};
    start($other);
    ok ended($other, 5), 'it ends';
    is $? >> 8, 1, 'with 1';
    like slurp("$s->{dir}/log"), qr/the service is running already in \Q$s->{dir}\E/, 'and says why';
    ok defined who($s), 'the first one serves on';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'a start that fails says everything and ends with 1' => sub {
    for (["error conf:1: bad\nerror conf:2: worse\n", qr/conf:1: bad\nconf:2: worse\n/], ["front-fails no store\n", qr/the new front did not come up: no store/]) {
        my $s = service(lines => $_->[0]);
        start($s);
        ok ended($s, 5), 'ended';
        is $? >> 8, 1, 'with 1';
        like slurp("$s->{dir}/log"), $_->[1], 'with the reason';
    }
};

subtest 'draining is waited for, a second signal ends at once' => sub {
    my $s = service(lines => "front-lingers 1500\n");
    start($s);
    my $front = is_up($s) && front_pid($s);
    kill 'TERM', $s->{pid};
    sleep 0.5;
    ok kill(0, $front), 'the front still drains';
    ok ended($s, 5), 'then all end';
    is $?, 0, 'with 0';

    my $t = service(lines => "front-lingers 60000\n");
    start($t);
    is_up($t);
    kill 'TERM', $t->{pid};
    sleep 0.3;
    kill 'TERM', $t->{pid};
    ok ended($t, 2), 'at the second signal at once';
};

subtest 'an old front that lingers does not hold up the new one' => sub {
    my $s = service(lines => "front-lingers 1000\n");
    start($s);
    is_up($s);
    my $at = time;
    is((ask($s, 'reload'))[0], 0, 'reloaded');
    ok time - $at < 0.9, 'at once';
    ok scalar(grep { $_->{state} eq 'ending' } @{status($s)->{children}}), 'the old front is shown as ending';
    ok wait_until(sub { @{status($s)->{children}} == 2 }, 4), 'until it has ended';
    kill 'TERM', $s->{pid};
    ended($s, 5);
};

subtest 'the service manager is told' => sub {
    my $s = service();
    my $path = "$s->{dir}/notify";
    my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM(), Local => $path) or die $!;
    local $ENV{NOTIFY_SOCKET} = $path;
    start($s);
    my @told;
    my $hear = sub { local $SIG{ALRM} = sub { die }; eval { alarm 5; $manager->recv(my $text, 512); alarm 0; push @told, (split /\n/, $text)[0] } };
    $hear->();
    ask($s, 'reload');
    $hear->() for 1 .. 2;
    kill 'TERM', $s->{pid};
    $hear->();
    is "@told", 'READY=1 RELOADING=1 READY=1 STOPPING=1', 'ready, reloading, ready, stopping';
    ended($s, 5);
};

done_testing;
