#!/usr/bin/perl
# The real program: start, crashes, reloads under load, upgrade, end.
use strict;
use warnings;
use File::Copy qw(copy);
use FindBin;
use IO::Socket::INET;
use JSON::PP ();
use lib "$FindBin::Bin/lib";
use POSIX;
use Teagate::Service;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'the program is not built' unless -x Teagate::Service::program();

subtest 'starts, serves, drains' => sub {
    my $s = Teagate::Service->new;
    ok $s->start, 'starts' or BAIL_OUT($s->events);
    like $s->get, qr/^[2-4]\d\d$/, 'answers over TLS';
    is $s->get('--http1.1'), $s->get('--http2'), 'in both protocols';
    my $status = $s->status;
    ok $status->{front}, 'the front says how it is';
    is_deeply [sort map { $_->{kind} } @{ $status->{listeners} }], [qw(admin backchannel https)], 'all addresses are listened on';
    like $s->events, qr/info started generation=1/, 'the event log says that it started';
    is $s->stop, 0, 'ends with 0';
    is $s->get, '000', 'and nobody listens';
    my ($code) = $s->command('status');
    is $code, 5, 'status is 5';
};

subtest 'what connections wait for is shown, to people and programs' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    my @open = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->{port}) } 1 .. 3;
    sleep 1.2;
    my $front = $s->status->{front};
    is $front->{connections}, 3, 'how many there are';
    is $front->{states}{handshake}, 3, 'what they are busy with';
    is_deeply [sort keys %{ $front->{states} }], [sort qw(handshake idle reading-head reading-body upstream writing)], 'all states are named';
    ok exists $front->{attacks}{'slow-read'} && @{ $front->{pools} } == 5 && exists $front->{loops}[0]{lag_us_max}, 'attacks, workers and loops, too';
    my (undef, $text) = $s->command('status');
    like $text, qr/^connections  3 of 10000: 3 handshake$/m, 'connections in a line';
    like $text, qr/^attacks      none since its start$/m, 'attacks';
    like $text, qr/^loops        \d+ connections, 0 to Gitea, at most \d+\.\d ms late$/m, 'loops';
    like $text, qr/^workers      cold: 0 of 4 busy, 0 of 256 wait, \d+ done, 0 refused$/m, 'worker threads';
    my $admin = `curl -s --unix-socket $s->{dir}/run/admin.sock http://localhost/status`;
    is JSON::PP::decode_json($admin)->{front}{states}{handshake}, 3, 'the admin listener says the same';
    is $s->stop, 0, 'ends with 0';
};

subtest 'a listener has settings of its own, which a reload changes' => sub {
    my $s = Teagate::Service->new;
    my $plain = slurp($s->config);
    (my $proxied = $plain) =~ s{^  https: "(.*)"$}{  https:\n    - address: "$1"\n      proxy-protocol: v2\n      trusted-proxies: [127.0.0.1]}m or die;
    $s->start;
    like $s->get, qr/^[2-4]\d\d$/, 'served without';
    spew($s->config, $proxied);
    is +($s->command('reload'))[0], 0, 'reloaded';
    is $s->get, '000', 'nobody gets in without a header';
    ok wait_until(3, sub { slurp("$s->{dir}/events.log") =~ / attack kind=proxy-header client=127\.0\.0\.1 / }), 'which is told';
    (my $careless = $proxied) =~ s/^ +trusted-proxies.*\n//m;
    spew($s->config, $careless);
    my ($code, undef, $err) = $s->command('check');
    is $code, 1, 'without trusted proxies it is refused';
    like $err, qr/listen\.https\[1\]\.proxy-protocol: needs trusted-proxies/, 'with the reason';
    spew($s->config, $plain);
    is +($s->command('reload'))[0], 0, 'and back';
    like $s->get, qr/^[2-4]\d\d$/, 'the same socket serves without again';
    is $s->stop, 0, 'ends with 0';
};

subtest 'a killed front or jobs serves again within a second' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    for my $signal (qw(KILL SEGV TERM)) {
        my $old = $s->pid_of('front');
        kill $signal, $old;
        my $at = time;
        wait_until(1, sub { !kill 0, $old });
        like $s->get, qr/^[2-4]/, "after SIG$signal a connection made at once is answered";
        cmp_ok time - $at, '<', 1, 'within a second';
        ok wait_until(2, sub { my $new = $s->pid_of('front'); $new && $new != $old }), 'by another front';
        sleep 0.3;
    }
    my $jobs = $s->pid_of('jobs');
    kill 'KILL', $jobs;
    ok wait_until(1, sub { my $new = $s->pid_of('jobs'); $new && $new != $jobs }), 'jobs are back within a second';
    is $s->stop, 0, 'ends with 0';
};

subtest 'who stops to listen to us does not end us' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    for my $role (qw(front jobs)) {
        my $pid = $s->pid_of($role);
        kill 'PIPE', $pid; # as writing to a log's reader, or over TLS to a Gitea, that is gone
        sleep 0.3;
        is $s->pid_of($role), $pid, "$role goes on";
    }
    is $s->stop, 0, 'ends with 0';
};

subtest 'a bad configuration changes nothing and is told in full' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    my $old = $s->pid_of('front');
    $s->configure("bogus: 1\nfrob: 2\n");
    my ($code, undef, $err) = $s->command('reload');
    is $code, 1, 'reload is 1';
    like $err, qr/:\d+: bogus: .*:\d+: frob: /s, 'with all errors';
    is $s->pid_of('front'), $old, 'the old front serves on';
    like $s->get, qr/^[2-4]/, 'and answers';
    like $s->events, qr/error reload-failed why="?[^\n]*bogus.*error reload-failed why="?[^\n]*frob/s, 'the event log has them too';
    kill 'HUP', $s->{pid};
    ok wait_until(3, sub { ($s->status // return)->{reloads}{failed} == 2 }), 'so it is with SIGHUP';
    kill 'KILL', $old;
    wait_until(1, sub { !kill 0, $old });
    like $s->get, qr/^[2-4]/, 'a front that dies now comes back with the configuration that was checked';
    $s->configure;
    ($code) = $s->command('reload');
    is $code, 0, 'the corrected file is taken';
    is $s->stop, 0, 'ends with 0';
};

# Each answers with the number of its failures, over 255 for "none was made".
sub load {
    my ($s, $stop, @options) = @_;
    my $pid = fork // die $!;
    return $pid if $pid;
    my ($made, $failed) = (0, 0);
    until (-e $stop) {
        my $code = $s->get(@options);
        $made++;
        $failed++ if $code !~ /^[2-4]\d\d$/;
    }
    POSIX::_exit($failed ? 1 : $made > 10 ? 0 : 2);
}

# One connection that is used again and again, as long as the server lets it.
sub load_kept {
    my ($s, $stop, $option) = @_;
    my $pid = fork // die $!;
    return $pid if $pid;
    my $failed = 0;
    until (-e $stop) {
        my $url = "https://auth.localhost:$s->{port}/sign-in?n=[1-200]";
        my $codes = `curl -sk $option -m 30 --resolve auth.localhost:$s->{port}:127.0.0.1 -o /dev/null -w '%{http_code}\n' '$url'`;
        $failed += grep { !/^[2-4]\d\d$/ } split /\n/, $codes;
    }
    POSIX::_exit($failed ? 1 : 0);
}

subtest 'twenty reloads under load: none of the requests fails' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    my $stop = "$s->{dir}/stop";
    my @load = (load($s, $stop, '--http1.1'), load($s, $stop, '--http2'), load_kept($s, $stop, '--http1.1'), load_kept($s, $stop, '--http2'));
    my $failed = 0;
    for (1 .. 20) {
        my ($code, undef, $err) = $s->command('reload');
        $failed++, diag $err if $code;
    }
    spew($stop, '');
    is $failed, 0, 'every reload was done';
    for (@load) { waitpid $_, 0; is $?, 0, 'every request was answered' }
    is $s->status->{generation}, 21, 'generation 21 serves';
    ok wait_until(20, sub { @{ $s->status->{children} } == 2 }), 'the older ones have drained and are gone';
    is $s->stop, 0, 'ends with 0';
};

subtest 'an upgraded program is taken by a reload' => sub {
    my $s = Teagate::Service->new;
    my $program = "$s->{dir}/teagate";
    copy($s->{program}, $program) or die $!;
    chmod 0755, $program;
    $s->{program} = $program;
    $s->start;
    my $before = (stat '/proc/' . $s->pid_of('front') . '/exe')[1];
    copy($program, "$program.new") or die $!;
    chmod 0755, "$program.new";
    rename "$program.new", $program or die $!;
    is((stat '/proc/' . $s->pid_of('front') . '/exe')[1], $before, 'not before');
    is(($s->command('reload'))[0], 0, 'reload');
    isnt((stat '/proc/' . $s->pid_of('front') . '/exe')[1], $before, 'the front is of the new program');
    is((stat '/proc/' . $s->pid_of('jobs') . '/exe')[1], (stat $program)[1], 'and jobs');
    is $s->stop, 0, 'ends with 0';
};

subtest 'two services do not run in one place; children die with the supervisor' => sub {
    my $s = Teagate::Service->new;
    $s->start;
    my $other = bless {%$s}, ref $s;
    $other->{pid} = fork // die $!;
    if (!$other->{pid}) { open STDERR, '>', "$s->{dir}/second.err"; exec { $s->{program} } $s->{program}, 'serve', '--config', $s->config or POSIX::_exit(127) }
    is $other->ended(10) >> 8, 1, 'the second one ends with 1';
    like slurp("$s->{dir}/second.err"), qr/running already/, 'and says why';
    my @children = ($s->pid_of('front'), $s->pid_of('jobs'));
    kill 'KILL', $s->{pid};
    $s->ended(5);
    ok wait_until(2, sub { !grep { kill 0, $_ } @children }), 'no child outlives the supervisor';
    ok $s->start, 'it can be started again at once';
    is $s->stop, 0, 'ends with 0';
};

done_testing;
