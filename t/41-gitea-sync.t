# Gitea kept in step with the accounts, and what the administrator is told about both: on a system of this test's own.

use strict;
use warnings;
use File::Temp;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time sleep);
use Teagate::Test;
use Teagate::GiteaServer;

my $contract = own_system();
my $base = $contract->{git_url};
my ($host) = $base =~ m{^https://(.+)$};
my $server = Teagate::GiteaServer->new(dir => $contract->{gitea}{work_dir}, root_url => "$base/");
my $admin = do { my $text = slurp($contract->{gitea}{admin_token_file}); $text =~ s/\s+//g; $text };
my ($ada, $emil, $grit) = map { account($_) } qw(active expiring grace);

# Straight to Gitea: what a user is there.
sub user {
    my ($login) = @_;
    my ($status, $body) = $server->api('GET', "/api/v1/admin/users?limit=50", $admin);
    return undef if $status != 200;
    return (grep { $_->{login} eq $login } @$body)[0];
}

sub is_prohibited { my $user = user($_[0]); return $user && $user->{prohibit_login} ? 1 : 0 }

sub edit {
    my ($login, %change) = @_;
    my $user = user($login);
    my ($status) = $server->api('PATCH', "/api/v1/admin/users/$login", $admin,
        { source_id => $user->{source_id}, login_name => $user->{login_name}, %change });
    return $status;
}

sub must {
    my ($status, $text) = teagate(@_);
    is($status, 0, "teagate @_") or diag $text;
    return $text;
}

sub told { return decode_json(must(@_, '--json')) }

sub doctor {
    my ($status, $text) = teagate('doctor', '--json');
    my $told = eval { decode_json($text) } or BAIL_OUT("doctor said: $text");
    return ($status, { map { ("$_->{check}" => $_) } grep { $_->{state} ne 'ok' } @{ $told->{checks} } }, $told);
}

sub expire { must('subscription', 'set', $_[0]{login}, '--until', '-30d') }
sub pay { must('subscription', 'set', $_[0]{login}, '--until', '+300d') }
sub sign_in { my ($account, $browser) = @_; return ($browser // browser())->sign_in($base, $account->{login}, $account->{password}) }

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ $#sorted / 2 ] }

subtest 'a fresh system has nothing to mend' => sub {
    my ($status, $wrong, $all) = doctor();
    is($status, 0, 'doctor is content') or diag explain $wrong;
    my %seen = map { ($_->{check} => 1) } @{ $all->{checks} };
    ok($seen{$_}, "and has looked at $_")
        for qw(config service disk certificates database app-ini version back-channel source admin-token sign-in password-form registration
            basic-passwords clock members flags);
    ok(is_prohibited(account('expired')->{login}), 'who has expired is prohibited in Gitea');
    ok(is_prohibited(account('held')->{login}), 'and who is held');
    ok(!is_prohibited($_->{login}), "$_->{login} is not") for $ada, $emil, $grit;
};

subtest 'who expires is prohibited within a second, and let in again at once' => sub {
    my (@set, @lifted);
    for (1 .. 5) {
        expire($ada);
        my $start = time;
        ok(wait_until(2, sub { is_prohibited($ada->{login}) }), 'expired: prohibited');
        push @set, time - $start;
        pay($ada);
        $start = time;
        ok(wait_until(2, sub { !is_prohibited($ada->{login}) }), 'paid: allowed');
        push @lifted, time - $start;
    }
    cmp_ok(median(@set), '<', 1, sprintf 'prohibited after %.0f ms (median)', 1000 * median(@set));
    cmp_ok((sort { $a <=> $b } @lifted)[-1], '<', 1, sprintf 'allowed after %.0f ms (median), %.0f ms (longest)', 1000 * median(@lifted),
        1000 * (sort { $a <=> $b } @lifted)[-1]);
    my @after;
    wait_until(2, sub { 5 == (@after = slurp($contract->{event_log_file}) =~ /user-allowed \S+ login=\Q$ada->{login}\E after_ms=(\d+)/g) });
    is(scalar @after, 5, 'each is in the log');
    cmp_ok(median(@after), '<', 300, 'by which it took ' . median(@after) . ' ms');
};

subtest 'who has paid never sees the page of Gitea for those who may not' => sub {
    my $browser = browser();
    is(sign_in($ada, $browser)->{status}, 200, 'signed in');
    my ($open, @bad) = (0);
    for (1 .. 5) {
        expire($ada);
        wait_until(2, sub { is_prohibited($ada->{login}) });
        is($browser->request('GET', "$base/user/settings")->{status}, 402, 'expired: our page');
        pay($ada);
        my $until = time + 0.7;
        while (time < $until) {
            my $page = $browser->request('GET', "$base/user/settings");
            push @bad, $page->{status} if $page->{body} =~ /Sign-In Prohibited|prohibited from signing in/i;
            $open++ if $page->{status} == 200;
        }
    }
    is("@bad", '', 'not once');
    cmp_ok($open, '>', 5, "$open pages were opened right after a payment");
    expire($ada);
    wait_until(2, sub { is_prohibited($ada->{login}) });
    pay($ada);
    my $page = sign_in($ada);
    is($page->{status}, 200, 'nor at a sign-in right behind the payment');
    unlike($page->{body}, qr/Sign-In Prohibited/, 'which ends in Gitea');
};

subtest 'a flag that somebody else has set is a hold, and a payment does not lift it' => sub {
    is(edit($ada->{login}, prohibit_login => JSON::PP::true), 200, 'an administrator prohibits the user in Gitea');
    my $found = told('gitea', 'reconcile', $host);
    is_deeply([ map { $_->{kind} } @{ $found->{findings} } ], ['flag'], 'the comparison finds it');
    ok(wait_until(3, sub { told('why', $ada->{login})->{held} }), 'a hold is in force');
    is(told('why', $ada->{login})->{holds}[0]{kind}, 'gitea', 'its origin is Gitea');
    pay($ada);
    sleep 1;
    ok(is_prohibited($ada->{login}), 'a payment does not lift the flag');
    is(told('why', $ada->{login})->{level}, 'blocked', 'nor the hold');
    is(sign_in($ada)->{status}, 403, 'its page is shown at sign-in');
    my (undef, $wrong) = doctor();
    like($wrong->{'member-prohibited'}{text} // '', qr/hold lift $ada->{login}/, 'doctor says how to lift it');
    must('hold', 'lift', $ada->{login}, '--kind', 'gitea');
    ok(wait_until(2, sub { !is_prohibited($ada->{login}) }), 'lifting the hold lifts the flag, too');

    edit($ada->{login}, prohibit_login => JSON::PP::true);
    is(sign_in($ada)->{status}, 403, 'one that nobody has noticed yet is found at sign-in, and its page shown');
    is(told('why', $ada->{login})->{gitea}[0]{origin}, 'others', 'and told apart from ours');
    edit($ada->{login}, prohibit_login => JSON::PP::false);
    told('gitea', 'reconcile', $host);
    ok(wait_until(3, sub { told('why', $ada->{login})->{level} eq 'full' }), 'when it has gone in Gitea, the hold goes');
    is(sign_in($ada)->{status}, 200, 'and the way in is open');
};

subtest 'administrators of Gitea are never prohibited, and doctor tells of them' => sub {
    plan skip_all => 'the stand-in makes nobody an administrator' if contract()->{gitea}{kind} ne 'gitea';
    is(edit($emil->{login}, admin => JSON::PP::true), 200, 'somebody is made one');
    expire($emil);
    sleep 1;
    ok(!is_prohibited($emil->{login}), 'expired, and not prohibited');
    my (undef, $wrong) = doctor();
    ok($wrong->{'member-administrator'}, 'doctor warns');
    is(edit($emil->{login}, admin => JSON::PP::false), 200, 'no administrator any more');
    told('gitea', 'reconcile', $host);
    ok(wait_until(3, sub { is_prohibited($emil->{login}) }), 'then he is');
    pay($emil);
    ok(wait_until(2, sub { !is_prohibited($emil->{login}) }), 'paid, and open');
};

subtest 'what happens while Gitea does not answer is caught up' => sub {
    kill STOP => $contract->{pids}{gitea};
    expire($ada);
    expire($emil);
    expire($grit);
    sleep 3;
    pay($emil);
    my ($status, $wrong) = doctor();
    is($status, 1, 'doctor says so');
    ok($wrong->{reach}, 'that Gitea cannot be asked') or diag explain $wrong;
    kill CONT => $contract->{pids}{gitea};
    ok(wait_until(12, sub { is_prohibited($ada->{login}) && is_prohibited($grit->{login}) }), 'who expired meanwhile is prohibited');
    ok(wait_until(8, sub { !is_prohibited($emil->{login}) }), 'who paid meanwhile is not');
    sleep 1;
    is(told('why', $emil->{login})->{level}, 'full', 'a call of ours that came late is not taken for somebody else\'s');
    pay($_) for $ada, $grit;
    ok(wait_until(3, sub { !is_prohibited($ada->{login}) && !is_prohibited($grit->{login}) }), 'and all are open again');
};

subtest 'jobs that are killed in the middle go on where they were' => sub {
    for (1 .. 3) {
        my $jobs = told('status')->{pids}{jobs};
        expire($ada);
        kill KILL => $jobs;
        ok(wait_until(15, sub { is_prohibited($ada->{login}) }), 'killed behind a change: it is made');
        wait_until(15, sub { (told('status')->{pids}{jobs} // $jobs) != $jobs });
        pay($ada);
        ok(wait_until(15, sub { !is_prohibited($ada->{login}) }), 'and taken back: it was ours');
    }
    is(told('why', $ada->{login})->{level}, 'full', 'without a hold');
};

subtest 'a mapping that was lost is found again, and tokens are judged at once' => sub {
    my $token = token($grit->{login});
    must('gitea', 'forget', $grit->{login}, $host);
    my $found = told('gitea', 'reconcile', $host);
    is_deeply([ map { "$_->{kind} $_->{login}" } @{ $found->{findings} } ], ["mapped $grit->{login}"], 'the comparison maps it');
    expire($grit);
    ok(wait_until(2, sub { curl('-H', "Authorization: token $token", "$base/api/v1/user")->{status} == 402 }), 'a token is judged by it');
    my $last;
    wait_until(4, sub { $last = told('why', $grit->{login})->{refused}[-1] }); # the log is written once a second
    is($last->{path}, '/api/v1/user', 'why knows what was refused');
    like($last->{id}, qr/^\w{20}$/, 'with its id');
    is($last->{verdict}, 'refuse-expired', 'and the reason');
    like(must('why', $grit->{login}), qr/^\Q$grit->{login}\E\s+is let in nowhere.*since its subscription has ended/m, 'and says it in words');
    pay($grit);
};

subtest 'two users of one account, and strangers with its name' => sub {
    my $user = user($ada->{login});
    my ($status, $second) = $server->api('POST', '/api/v1/admin/users', $admin, { source_id => $user->{source_id},
        login_name => $user->{login_name}, username => 'second', email => 'second@example.invalid', must_change_password => JSON::PP::false });
    is($status, 201, 'Gitea makes a second user of the same subject');
    my ($code, $wrong) = doctor();
    is($code, 1, 'doctor is not content');
    like($wrong->{'member-double'}{text} // '', qr/\Q$ada->{login}\E/, 'and says whose users they are');
    is(sign_in($ada)->{status}, 503, 'no code goes out');
    is(($server->api('DELETE', '/api/v1/admin/users/second', $admin))[0], 204, 'the second is removed');
    is(sign_in($ada)->{status}, 200, 'and sign-in works');

    my $password = File::Temp->new;
    print {$password} "long-enough-4711\n";
    close $password;
    chmod 0644, "$password"; # the command reads it as the service user
    must('account', 'add', 'newbie', '--email', 'newbie@example.invalid', '--password-file', "$password");
    ($status) = $server->api('POST', '/api/v1/admin/users', $admin, { username => 'newbie', email => 'other@example.invalid',
        password => 'not-used-4711-Xy', must_change_password => JSON::PP::false });
    is($status, 201, 'somebody else in Gitea has the name of an account that was never there');
    ($code, $wrong) = doctor();
    like($wrong->{'member-namesake'}{text} // '', qr/newbie/, 'doctor tells');
    is(($server->api('DELETE', '/api/v1/admin/users/newbie', $admin))[0], 204, 'he is removed');
    is((doctor())[0], 0, 'and doctor content');
};

subtest 'a user who was deleted in Gitea is not made anew behind the administrator\'s back' => sub {
    my $before = user($emil->{login});
    is(($server->api('DELETE', "/api/v1/admin/users/$emil->{login}?purge=true", $admin))[0], 204, 'deleted');
    my $page = sign_in($emil);
    is($page->{status}, 403, 'no code, a page');
    like($page->{url}, qr{^\Q$contract->{auth_url}\E/}, 'of the provider');
    ok(!user($emil->{login}), 'and no new user');
    my ($code, $wrong) = doctor();
    is($code, 1, 'doctor is not content');
    like($wrong->{'member-deleted'}{text} // '', qr/gitea forget \Q$emil->{login}\E/, 'and says what to do');
    must('gitea', 'forget', $emil->{login}, $host);
    is(sign_in($emil)->{status}, 200, 'forgotten: the next sign-in makes a new user');
    cmp_ok(user($emil->{login})->{id}, '!=', $before->{id}, 'with another id');
    is((teagate('gitea', 'forget', 'nobody-at-all', $host))[0], 3, 'nobody is unknown');
};

subtest 'doctor sees what was changed in app.ini' => sub {
    my $file = $contract->{gitea}{config};
    my $text = slurp($file);
    (my $worse = $text) =~ s/^ALLOWED_HOST_LIST = .*$/ALLOWED_HOST_LIST = external, loopback/m;
    $worse =~ s/^ENABLE_PASSWORD_SIGNIN_FORM = false$/ENABLE_PASSWORD_SIGNIN_FORM = true/m;
    spew_in_place($file, $worse);
    my ($code, undef, $all) = doctor();
    spew_in_place($file, $text);
    is($code, 1, 'doctor is not content');
    my @told = map { $_->{text} } grep { $_->{check} eq 'app-ini' && $_->{state} eq 'bad' } @{ $all->{checks} };
    is(scalar @told, 2, 'with both') or diag explain \@told;
    like("@told", qr/ALLOWED_HOST_LIST is external, loopback/, 'a webhook list that leads inside');
    like("@told", qr/ENABLE_PASSWORD_SIGNIN_FORM is true/, 'and a second door');
};

sub spew_in_place {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
}

done_testing;
