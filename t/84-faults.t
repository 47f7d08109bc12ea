# What happens when parts fail: Gitea, the front, the disk of the logs, the database's lock.

use strict;
use warnings;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Teagate::Test;

my $contract = own_system();
my $base = $contract->{git_url};
my $active = account('active');

# Requests in a process of their own; returns how many failed when it is told to end.
sub load {
    my ($url, $protocol) = @_;
    pipe my $out, my $in or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my ($stop, $asked, @failed) = (0, 0);
        $SIG{TERM} = sub { $stop = 1 };
        until ($stop) {
            my $answer = curl($protocol, $url);
            ++$asked;
            push @failed, "$answer->{status} $answer->{text}" unless $stop || $answer->{status} == 200;
        }
        print {$in} join "\n", $asked, @failed;
        close $in;
        POSIX::_exit(0);
    }
    close $in;
    return sub {
        kill TERM => $pid;
        my ($asked, @failed) = split /\n/, do { local $/; <$out> } // '';
        waitpid $pid, 0;
        return ($asked, @failed);
    };
}

subtest '50 reloads under load lose nothing' => sub {
    my @loads = map { load("$base/explore/repos", $_) } qw(--http1.1 --http2 --http2);
    my $generation = 0;
    for (1 .. 50) {
        my ($status, $text) = teagate('reload');
        $generation++ if $status == 0;
        diag $text if $status;
    }
    is($generation, 50, 'all reloads succeed');
    for my $end (@loads) {
        my ($asked, @failed) = $end->();
        is(scalar @failed, 0, "of $asked requests none failed") or diag explain \@failed;
    }
};

subtest 'a killed front is serving again within a second' => sub {
    for (1 .. 3) {
        my $front = front_pid();
        kill KILL => $front;
        my $start = time;
        ok(wait_until(5, sub { curl("$base/explore/repos")->{status} == 200 }), 'it comes back');
        my $took = time - $start;
        cmp_ok($took, '<', sanitized() ? 5 : 1, sprintf 'after %.2f s', $took);
        ok(wait_until(5, sub { my $pid = front_pid(); $pid && $pid != $front }), 'quickstart.json names the new one');
    }
};

subtest 'a killed jobs process comes back' => sub {
    my $jobs = contract()->{pids}{jobs};
    kill KILL => $jobs;
    ok(wait_until(5, sub { my $pid = contract()->{pids}{jobs}; $pid && $pid != $jobs }), 'with another pid');
};

subtest 'a bad file changes nothing and says all that is wrong' => sub {
    my $file = contract()->{config_file};
    my $good = slurp($file);
    my $mode = (stat $file)[2] & 07777;
    (my $bad = $good) =~ s/^  grace: 7d$/  grace: never\n  grce-level: readonly/m;
    overwrite($file, $bad);
    my ($status, $text) = teagate('reload');
    is($status, 1, 'reload ends with 1');
    like($text, qr/teagate\.yaml:\d+: .*grace: "never"/, 'it names line, key and value');
    like($text, qr/grce-level.*did you mean.*grace-level/, 'and the other error too');
    is(curl("$base/explore/repos")->{status}, 200, 'serving goes on');
    overwrite($file, $good);
    ($status) = teagate('reload');
    is($status, 0, 'the mended file is taken');
};

subtest 'the database is locked for 5 s' => sub {
    my $browser = browser();
    $browser->sign_in($base, $active->{login}, $active->{password});
    my $database = database();
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open my $sqlite, '|-', 'sqlite3', $database or POSIX::_exit(1);
        print {$sqlite} "BEGIN IMMEDIATE;\n";
        $sqlite->flush;
        sleep 5;
        print {$sqlite} "ROLLBACK;\n";
        close $sqlite;
        POSIX::_exit(0);
    }
    sleep 0.3;
    is($browser->request('GET', "$base/user/settings")->{status}, 200, 'known sessions go on');
    my $start = time;
    my ($status, $text) = teagate('subscription', 'set', $active->{login}, '--until', '+300d');
    isnt($status, 0, 'a command that writes gives up');
    cmp_ok(time - $start, '<', 4, 'after about two seconds');
    waitpid $pid, 0;
    ($status) = teagate('subscription', 'set', $active->{login}, '--until', '+300d');
    is($status, 0, 'and works afterwards');
};

subtest 'Gitea is down' => sub {
    my $socket = "$contract->{gitea}{work_dir}/run/gitea.sock";
    rename $socket, "$socket.away" or die "$socket: $!";
    teagate('reload'); # connections that were open would still serve
    for my $case ([ 'a browser', 'Accept: text/html', qr/<h1>/ ], [ 'a program', 'Accept: application/json', qr/\S/ ]) {
        my ($who, $accept, $body) = @$case;
        my $answer = curl('-H', $accept, "$base/explore/repos");
        is($answer->{status}, 502, "$who is told: 502");
        cmp_ok($answer->{took}, '<', 1, 'within a second');
        like($answer->{body}, $body, 'in its language');
    }
    my ($status, $text) = git('ls-remote', git_url("$active->{login}/public.git"));
    like($text, qr/^remote: \S/m, 'git prints it as remote: lines') or diag $text;
    is(curl("$contract->{auth_url}/sign-in")->{status}, 200, 'the sign-in page still opens');
    rename "$socket.away", $socket;
    ok(wait_until(5, sub { curl("$base/explore/repos")->{status} == 200 }), 'and all is well when Gitea is back');
};

done_testing;

sub overwrite {
    my ($file, $text) = @_;
    open my $out, '+<', $file or die "$file: $!";
    truncate $out, 0;
    print {$out} $text;
    close $out;
}

sub database {
    my ($state) = slurp(contract()->{config_file}) =~ /^state: (.*)$/m;
    return "$state/truth.db";
}
