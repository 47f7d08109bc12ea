#!/usr/bin/perl
# What the sysadmin types: exit codes, output as text and as JSON, and the remedy in each message.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Teagate::Service;
use Test::More;

plan skip_all => 'the program is not built' unless -x Teagate::Service::program();

my $s = Teagate::Service->new;
my ($code, $out, $err);

# Runs a command and looks at its exit status.
sub run_it {
    my ($expected, $name, @arguments) = @_;
    ($code, $out, $err) = $s->command(@arguments);
    is $code, $expected, $name or diag "$out$err";
    return;
}

subtest 'help comes from the tables, wrong usage is 2' => sub {
    run_it(0, 'help', 'help');
    like $out, qr/^  teagate account add LOGIN/m, 'names the commands';
    unlike $out, qr{teagate (?:prepare|front|jobs)}, 'but not the processes';
    run_it(0, 'help of a noun', qw(account --help));
    like $out, qr/account passwd LOGIN/, 'its verbs';
    run_it(0, 'help of a verb', qw(account add -h));
    like $out, qr/--email ADDRESS .*\(needed\)/, 'its options';
    run_it(2, 'no command');
    for (['frobnicate'], [qw(account frobnicate)], ['account'], [qw(account add)], [qw(account add x --frob)], [qw(check extra)], [qw(account add x --email)],
        [qw(account add x --email=a@example.net --operator=yes)], ['-x']) {
        my @wrong = @$_;
        my $pid = open my $pipe, '-|';
        if (!$pid) { open STDERR, '>&', \*STDOUT; exec $s->{program}, @wrong or die }
        my $text = do { local $/; <$pipe> };
        close $pipe;
        is $? >> 8, 2, "@wrong";
        like $text, qr/--help/, 'says where help is';
    }
    run_it(2, 'an internal command by hand', qw(front --control 0 --snapshot 99 --generation 1));
    like $err, qr/teagate serve/, 'leads to serve';
};

subtest 'version and configuration' => sub {
    run_it(0, 'version', 'version');
    like $out, qr/^teagate \d+\.\d+/, 'is printed';
    run_it(0, 'conf example', qw(conf example));
    like $out, qr/^#?\s*issuer:/m, 'has the keys';
    run_it(0, 'conf reference', qw(conf reference));
    like $out, qr/issuer/, 'has them too';
    run_it(0, 'check', 'check');
    like $out, qr/is in order/, 'says so';
    run_it(0, 'check as JSON', qw(check --json));
    ok decode_json($out)->{ok}, 'says so';
};

subtest 'check prints all errors at once' => sub {
    $s->configure("bogus: 1\nfrob: 2\n");
    run_it(1, 'check', 'check');
    my @errors = grep { /teagate\.yaml:\d+: (bogus|frob): / } split /\n/, $err;
    is scalar @errors, 2, 'both errors, with file, line and key';
    run_it(1, 'as JSON', qw(check --json));
    is scalar @{ decode_json($out)->{errors} }, 2, 'both';
    $s->configure;
    my $file = $s->config;
    rename $file, "$file.away";
    run_it(1, 'no file', 'check');
    like $err, qr/there is no file \Q$file\E; .*teagate conf example/, 'says how to begin';
    rename "$file.away", $file;
};

subtest 'check warns of rules that surprise' => sub {
    my $text = slurp($s->config);
    my %rules = (
        'grace: 2d' => qr/grace: .*3 days/, 'warning: 2d' => qr/warning: .*3 days/, 'retention: 29d' => qr/retention: .*30 days/,
        'grace-level: readonly' => qr/grace-level: .*SSH/, 'without-subscription: readonly' => qr/without-subscription: .*SSH/,
        'without-subscription: full' => qr/without-subscription: .*nobody/,
        "contact-url: https://LOCALHOST:$s->{port}/a" => qr/contact-url: .*closed to the very people/,
    );
    for my $rule (sort keys %rules) {
        spew($s->config, $text =~ s/^(subscription:)$/$1\n  $rule/mr);
        run_it(0, "$rule: check", 'check');
        like $err, $rules{$rule}, 'warns';
        is scalar(() = $err =~ /\n/g), 1, 'once';
    }
    spew($s->config, $text =~ s{renew-url: .*}{renew-url: https://localhost:$s->{port}/renew}r);
    run_it(0, 'renewing at Gitea', qw(check --json));
    like decode_json($out)->{warnings}[0], qr/renew-url: localhost:\d+ is closed/, 'is warned of';
    spew($s->config, $text =~ s/^(subscription:)$/$1\n  grace: 3d\n  warning: 3d\n  retention: 30d/mr);
    run_it(0, 'what is just long enough', 'check');
    is $err, '', 'is not';
    spew($s->config, $text);
};

subtest 'before the first start' => sub {
    run_it(5, 'status is 5', 'status');
    like $err, qr/does not run/, 'and says that the service does not run';
    run_it(5, 'reload is 5', 'reload');
    run_it(1, 'no database yet', qw(account list));
    like $err, qr/teagate serve/, 'says what makes it';
    run_it(3, 'no authority yet', qw(ca print));
};

ok $s->start, 'the service starts' or BAIL_OUT($s->events);

subtest 'accounts' => sub {
    my $password = "korrekt pferd batterie\n";
    run_it(0, 'add', \$password, qw(account add alice --email alice@example.net --name), 'Alice A', '--password-stdin');
    run_it(4, 'the same login again is 4', \$password, qw(account add Alice --email other@example.net --password-stdin));
    like $err, qr/already/, 'and says so';
    run_it(4, 'the same address again is 4', \$password, qw(account add other --email alice@example.net --password-stdin));
    run_it(1, 'an unfit login', \$password, qw(account add a/b --email b@example.net --password-stdin));
    run_it(2, 'an unknown zone', \$password, qw(account add bob --email b@example.net --zone Mars/Utopia --password-stdin));
    run_it(1, 'an unfit address', \$password, qw(account add bob --email nowhere --password-stdin));
    run_it(1, 'a short password', \"kurz\n", qw(account add bob --email bob@example.net --password-stdin));
    run_it(2, 'no password and no terminal', qw(account add bob --email bob@example.net));
    like $err, qr/--password-stdin/, 'names the ways';
    spew("$s->{dir}/password", $password);
    run_it(0, 'a password from a file, JSON', qw(account add bob --email bob@example.net --json --operator --password-file), "$s->{dir}/password");
    like decode_json($out)->{id}, qr/^[a-z2-7]{26}$/, 'answers with the id';
    run_it(0, 'list', qw(account list));
    like $out, qr/^alice .*\n^bob .*\[operator\]/m, 'has both';
    run_it(0, 'list as JSON', qw(account list --json));
    is join(' ', map { $_->{login} } @{ decode_json($out) }), 'alice bob', 'has both';
    unlike $out, qr/argon2/, 'and no hash';
    run_it(0, 'show', qw(account show alice));
    like $out, qr/^phase +none$/m, 'without a subscription';
    run_it(3, 'show of nobody is 3', qw(account show nobody));
    run_it(0, 'lock', qw(account lock alice));
    run_it(0, 'show as JSON', qw(account show alice --json));
    ok decode_json($out)->{locked}, 'is locked';
    run_it(0, 'unlock', qw(account unlock alice));
    run_it(3, 'lock of nobody is 3', qw(account lock nobody));
    run_it(0, 'passwd', \$password, qw(account passwd alice --password-stdin));
    run_it(3, 'passwd of nobody is 3', \$password, qw(account passwd nobody --password-stdin));
};

subtest 'subscriptions and holds' => sub {
    run_it(0, 'set', qw(subscription set alice --until +30d --json));
    my $json = decode_json($out);
    is "$json->{phase} $json->{level}", 'active full', 'active';
    run_it(0, 'set into the past', qw(subscription set alice --until=-30d --json));
    $json = decode_json($out);
    is "$json->{phase} $json->{level}", 'expired blocked', 'expired';
    run_it(2, 'not a time is 2', qw(subscription set alice --until soon));
    run_it(3, 'nobody is 3', qw(subscription set nobody --until +1d));
    run_it(0, 'a day in UTC', qw(subscription set alice --until 2036-02-29 --json));
    is decode_json($out)->{until}, '2036-03-01T00:00:00Z', 'is paid to its end';
    run_it(0, 'a day elsewhere', qw(subscription set alice --until 2036-07-31 --zone America/New_York --json));
    $json = decode_json($out);
    is $json->{until}, '2036-08-01T04:00:00Z', 'too';
    is_deeply $json->{boundaries}, { warning => '2036-07-18T04:00:00Z', end => '2036-08-01T04:00:00Z', closed => '2036-08-08T04:00:00Z',
        deleted => '2036-11-06T04:00:00Z' }, 'and all that follows is told';
    is $json->{next_transition}, $json->{boundaries}{warning}, 'the next of it, too';
    run_it(2, 'a zone for a moment', qw(subscription set alice --until 2036-07-31T00:00:00Z --zone UTC));
    run_it(2, 'a zone that there is not', qw(subscription set alice --until 2036-07-31 --zone Mars/Utopia));
    run_it(0, 'as text', qw(subscription show alice));
    like $out, qr/^until +2036-08-01T04:00:00Z  Friday 1 August 2036, \d\d:00 /m, 'the end is told as the account is told it, too';
    run_it(0, 'set again', qw(subscription set alice --until +30d));
    run_it(0, 'hold', qw(hold place alice --kind abuse --level readonly --reason mining --json));
    is decode_json($out)->{level}, 'readonly', 'is readonly';
    run_it(0, 'another', qw(hold place bob --kind legal));
    run_it(0, 'all holds', qw(hold list --json));
    $json = decode_json($out);
    is join(' ', map { "$_->{login}:$_->{kind}:$_->{level}:$_->{reason}" } @$json), 'alice:abuse:readonly:mining bob:legal:blocked:', 'are listed';
    like $json->[0]{since}, qr/^20\d\d-.*Z$/, 'with their beginning';
    run_it(0, 'one account', qw(hold list bob));
    like $out, qr/^bob +legal +blocked +20\S+Z  $/m, 'has its own';
    unlike $out, qr/alice/, 'only';
    run_it(3, 'holds of nobody', qw(hold list nobody));
    run_it(2, 'two words too many', qw(hold list bob alice));
    run_it(0, 'and lifted', qw(hold lift bob --kind legal));
    run_it(2, 'a reason that is too long', qw(hold place bob --kind legal --reason), 'x' x 257);
    run_it(2, 'a kind that there is not', qw(hold place alice --kind mood));
    run_it(2, 'a level that there is not', qw(hold place alice --kind abuse --level half));
    run_it(0, 'lift', qw(hold lift alice --kind abuse --json));
    is decode_json($out)->{level}, 'full', 'is full again';
    run_it(3, 'lift of nothing is 3', qw(hold lift alice --kind abuse));
    run_it(0, 'show', qw(subscription show alice));
    like $out, qr/^level +full$/m, 'says so';
};

subtest 'the clock' => sub {
    run_it(0, 'show', qw(clock show));
    like $out, qr/^judged by +20\S+Z$/m, 'says by what is judged';
    unlike $out, qr/doubt/, 'without doubt';
    run_it(0, 'accept', qw(clock accept --json));
    my $json = decode_json($out);
    ok !$json->{in_doubt}, 'is harmless when there is none';
    is $json->{judged_by}, $json->{clock}, 'it is believed';
};

subtest 'the service and Gitea' => sub {
    run_it(0, 'ca print', qw(ca print));
    like $out, qr/\A-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----\n\z/s, 'is PEM and nothing else';
    run_it(0, 'app.ini', qw(gitea setup), "localhost:$s->{port}", '--print-app-ini');
    like $out, qr/^\[server\]$/m, 'is printed';
    run_it(3, 'a Gitea that is not configured is 3', qw(gitea setup elsewhere.example));
    like $err, qr/there is localhost:$s->{port}/, 'names those that are';
    run_it(1, 'a Gitea that is not there', qw(gitea setup), "localhost:$s->{port}");
    run_it(0, 'status', 'status');
    like $out, qr/^front +pid \d+, generation 1, serving/m, 'names the front';
    run_it(0, 'reload', 'reload');
    like $out, qr/^generation 2 serves$/m, 'names the generation';
};

SKIP: {
    skip 'needs root', 1 if $> != 0;
    subtest 'as root the commands leave nothing behind that the service could not read' => sub {
        $s->stop;
        my $t = $s = Teagate::Service->new(user => 'daemon');
        ok $t->start, 'starts' or diag $t->events;
        my $uid = getpwnam 'daemon';
        for (qw(front jobs supervisor)) {
            my $pid = $t->pid_of($_);
            my ($caps) = slurp("/proc/$pid/status") =~ /^CapPrm:\s*(\w+)/m;
            my ($owner) = slurp("/proc/$pid/status") =~ /^Uid:\s+(\d+)/m;
            is $owner, $uid, "$_ is the service user's";
            is hex $caps, $_ eq 'supervisor' ? 1 << 10 : 0, $_ eq 'supervisor' ? 'with the capability to bind low ports alone' : 'without a capability';
        }
        run_it(0, 'add as root', \"korrekt pferd\n", qw(account add alice --email alice@example.net --password-stdin));
        run_it(1, 'gitea setup as root', qw(gitea setup), "localhost:$t->{port}");
        $t->stop;
        my @foreign = grep { !/^\Q$t->{dir}\E\/(?:teagate|teagate\.yaml|in|out|err|serve\.err)$/ } split /\n/, `find $t->{dir} ! -user daemon`;
        is "@foreign", '', 'no file of root is left';
    };
}

is $s->stop // 'running', 0, 'the service ends with 0' if $s->{pid} && kill 0, $s->{pid};
done_testing;
