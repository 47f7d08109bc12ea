#!/usr/bin/perl
# What time does to subscriptions by itself, and what it may not do when the clock is not to be believed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Teagate::Service;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'the program is not built' unless -x Teagate::Service::program();
plan skip_all => 'sqlite3 is not here' unless `sqlite3 -version 2>/dev/null`;

my $s = Teagate::Service->new;

sub json {
    my @command = @_;
    my ($code, $out, $err) = $s->command(@command, '--json');
    is $code, 0, "@command" or diag "$out$err";
    return $code == 0 ? decode_json($out) : {};
}

sub sql { my ($query) = @_; return `sqlite3 -cmd '.timeout 5000' $s->{dir}/state/truth.db "$query"` =~ s/\n\z//r }

my %id;

sub add {
    my ($login) = @_;
    my ($code) = $s->command(\"korrekt pferd batterie\n", qw(account add), $login, '--email', "$login\@example.net", '--password-stdin');
    is $code, 0, "an account $login";
    $id{$login} = sql("SELECT id FROM account WHERE login = '$login'");
    return;
}

# kind 2: a change of a subscription
sub changes { my ($login) = @_; return sql("SELECT COUNT(*) FROM change WHERE kind = 2 AND subject = '$id{$login}'") }
sub judged { my ($login) = @_; return wait_until(10, sub { sql("SELECT next_s FROM subscription WHERE account = '$id{$login}'") }) }
sub level { my ($login) = @_; return json(qw(subscription show), $login)->{level} }
sub alarms { return scalar(() = $s->events =~ /clock-in-doubt/g) }
sub is_in_doubt { my ($code, $out) = $s->command(qw(clock show --json)); return $code == 0 && decode_json($out)->{in_doubt} }
sub start { local $ENV{TG_FAULT_CLOCK_OFFSET_S} = $_[0]; ok $s->start, "the service starts, its clock off by $_[0] s" or BAIL_OUT($s->events); return }

# A command of the same clock as the service.
sub command_at { my ($offset, @command) = @_; local $ENV{TG_FAULT_CLOCK_OFFSET_S} = $offset; return json(@command) }

ok $s->start, 'the service starts' or BAIL_OUT($s->events);
add($_) for qw(ada bob eve);

subtest 'when time alone changes a level, jobs tell of it' => sub {
    json(qw(subscription set ada --until), '+14d'); # which is where the warning begins
    json(qw(subscription set bob --until), '+60d');
    my $warning = json(qw(subscription set eve --until), sprintf '+%ds', 14 * 86400 + 8)->{next_transition};
    ok judged($_), "$_ is judged soon" for qw(ada bob eve);
    my ($ada, $bob, $eve) = map { changes($_) } qw(ada bob eve);
    is level('eve'), 'full', 'eve has 8 seconds left before she is warned';
    ok wait_until(20, sub { changes('eve') > $eve }), 'a change is told when they are over';
    is level('eve'), 'notice', 'she is warned';
    is changes('eve'), $eve + 1, 'once';
    is sql("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', next_s, 'unixepoch') FROM subscription WHERE account = '$id{eve}'"),
        json(qw(subscription show eve))->{boundaries}{end}, 'the next time is her end';
    is changes('bob'), $bob, 'nothing is told of one whose time has not come';
    is changes('ada'), $ada, 'nor of one who was in the window when it was set';
    is $warning, json(qw(subscription show eve))->{boundaries}{warning}, 'the time was foretold';
};

subtest 'what came due while nothing ran is found at the start' => sub {
    json(qw(subscription set bob --until), sprintf '+%ds', 14 * 86400 + 6);
    ok judged('bob'), 'bob is judged';
    my $before = changes('bob');
    kill 'KILL', $s->{pid}, values %{ $s->status->{pids} };
    $s->ended(10);
    sleep 7;
    is changes('bob'), $before, 'nobody tells';
    start(0);
    ok wait_until(15, sub { changes('bob') > $before }), 'the start tells';
    is changes('bob'), $before + 1, 'once';
    is level('bob'), 'notice', 'he is warned';
    is alarms(), 0, 'no alarm';
};

subtest 'other rules are applied to all at the start' => sub {
    my $before = json(qw(subscription show bob))->{next_transition};
    is $s->stop, 0, 'stopped';
    my $text = slurp($s->config);
    spew($s->config, $text =~ s/^(subscription:)$/$1\n  warning: 3d/mr);
    start(0);
    is level('bob'), 'full', 'bob is not warned yet';
    ok wait_until(15, sub { sql("SELECT level FROM subscription WHERE account = '$id{bob}'") eq '0' }), 'and jobs know';
    isnt json(qw(subscription show bob))->{next_transition}, $before, 'his next time is another';
    spew($s->config, $text);
};

for my $case ([86400, 'ahead'], [-86400, 'back']) {
    my ($offset, $way) = @$case;
    subtest "a clock that is set a day $way changes nobody until it is accepted" => sub {
        json(qw(subscription set ada --until), '+12h'); # with grace: ends within the day
        json(qw(subscription set bob), sprintf '--until=%ds', -7 * 86400 + 43200); # is closed within the day
        json(qw(subscription set eve), sprintf '--until=%ds', -7 * 86400 - 43200); # was closed half a day ago
        judged($_) for qw(ada bob eve);
        my $was = join ' ', map { level($_) } qw(ada bob eve);
        my $phases = join ' ', map { json(qw(subscription show), $_)->{phase} } qw(ada bob eve);
        is $phases, 'expiring grace expired', 'one in each phase';
        sleep 11; # the clock is kept every ten seconds
        my ($alarms, @changes) = (alarms(), map { changes($_) } qw(ada bob eve));
        is $s->stop, 0, 'stopped';
        start($offset);
        ok wait_until(15, sub { command_at($offset, qw(clock show))->{in_doubt} }), 'the clock is in doubt';
        my $clock = command_at($offset, qw(clock show));
        is $clock->{why}, 'jump', 'because it jumped';
        cmp_ok abs($clock->{seconds} - $offset), '<', 5, 'by a day';
        sleep 4;
        is join(' ', map { command_at($offset, qw(subscription show), $_)->{phase} } qw(ada bob eve)), $phases, 'every account is as it was';
        is_deeply [map { changes($_) } qw(ada bob eve)], \@changes, 'and nothing is told of any';
        is alarms(), $alarms + 1, 'one alarm';
        like metrics(), qr/^teagate_clock_in_doubt 1$/m, 'the front knows, and says so';
        my ($doctor) = grep { $_->{check} eq 'clock' } @{ doctor() };
        is $doctor->{state}, 'bad', 'doctor has a row of it';
        like "$doctor->{text} $doctor->{remedy}", qr/jumped by -?\d+ seconds.*teagate clock accept/, 'with the remedy';
        is command_at($offset, qw(subscription set bob --until +30d))->{phase}, 'active', 'who pays meanwhile is let in';
        command_at($offset, qw(subscription set bob), sprintf '--until=%ds', -7 * 86400 + 43200 - $offset);

        ok !command_at($offset, qw(clock accept))->{in_doubt}, 'accepted';
        is command_at($offset, qw(subscription show ada))->{phase}, $offset > 0 ? 'grace' : 'expiring', 'now time goes by the clock';
        is command_at($offset, qw(subscription show eve))->{phase}, $offset > 0 ? 'expired' : 'grace', 'for all';
        ok wait_until(5, sub { metrics() =~ /^teagate_clock_in_doubt 0$/m }), 'in the front, too';
        sleep 3;
        is alarms(), $alarms + 1, 'and no other alarm';

        is $s->stop, 0, 'stopped';
        start(0); # the same jump, back again
        ok wait_until(15, sub { is_in_doubt() }), 'back again is in doubt, too';
        ok !json(qw(clock accept))->{in_doubt}, 'accepted';
    };
}

subtest 'much that would end at once does not' => sub {
    my $alarms = alarms();
    my @many = map { "many$_" } 1 .. 21;
    for (@many) { add($_); json(qw(subscription set), $_, '--until', '+60d') }
    ok judged($_), "$_ is judged" for @many;
    my $end = int(time) + 40;
    # As if they had been sold long ago: set by an operator they would not count.
    sql(sprintf "UPDATE subscription SET paid_until_s = %d, next_s = %d, level = 0 WHERE account IN (SELECT id FROM account WHERE login LIKE 'many%%')",
        $end + 14 * 86400, $end);
    ok wait_until(30, sub { is_in_doubt() }), 'the clock is in doubt, before their time has come';
    my $clock = json(qw(clock show));
    is $clock->{why}, 'many', 'because of many';
    is $clock->{accounts}, 21, 'so many';
    sleep($end + 3 - time) if time < $end + 3;
    is level('many1'), 'full', 'none is warned';
    is alarms(), $alarms + 1, 'one alarm';
    ok !json(qw(clock accept))->{in_doubt}, 'accepted';
    is level('many1'), 'notice', 'now they are warned';
    ok wait_until(10, sub { sql("SELECT COUNT(*) FROM subscription WHERE level = 1 AND account IN (SELECT id FROM account WHERE login LIKE 'many%')") == 21 }),
        'and all of it is told';
    sleep 3;
    ok !is_in_doubt(), 'what was accepted does not raise doubt again';
    is alarms(), $alarms + 1, 'nor an alarm';
};

is $s->stop, 0, 'stopped';
done_testing;

sub doctor { my ($code, $out) = $s->command(qw(doctor --json)); return decode_json($out)->{checks} }
sub metrics { return `curl -s -m 10 --unix-socket $s->{dir}/run/admin.sock http://localhost/metrics` }
