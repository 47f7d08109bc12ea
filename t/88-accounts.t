# Accounts and their sessions, from the sign-in page to the end of a session: who guesses has to wait, and signing out means it.

use strict;
use warnings;
use File::Temp;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Teagate::Shell qw(spew);
use Teagate::Test;

my $contract = system_or_skip();
my ($base, $auth) = @{$contract}{qw(git_url auth_url)};
my $dir = File::Temp->newdir;
my $run = sprintf '%x', time * 1000 % 0x7fffffff;

sub new_account {
    my ($name, @options) = @_;
    my %account = (login => "$name-$run", password => "pass-$name-" . int rand 1e9);
    spew("$dir/$name", "$account{password}\n");
    my ($code, $text) = teagate('account', 'add', $account{login}, '--email', "$account{login}\@accounts.invalid", '--password-file', "$dir/$name",
        @options);
    BAIL_OUT("account add: $text") if $code;
    teagate('subscription', 'set', $account{login}, '--until', '+300d') unless grep { $_ eq '--operator' } @options;
    return \%account;
}

# The sign-in form, filled in and sent from that address of this machine.
sub try_password {
    my ($login, $password, $from, @more) = @_;
    my @curl = ('--interface', $from, '-A', 'accounts test');
    my $form = curl(@curl, "$auth/sign-in");
    my ($csrf) = $form->{body} =~ /name="csrf" value="([^"]*)"/ or die "no form: $form->{status} $form->{text}";
    my ($cookie) = $form->{headers} =~ /^set-cookie: ([^;]*)/mi;
    return curl(@curl, '-H', "Cookie: $cookie", '-H', "Origin: $auth", @more, map({ ('--data-urlencode', $_) } "csrf=$csrf", "name=$login",
        "password=$password"), "$auth/sign-in");
}

sub retry_after { return $_[0]{headers} =~ /^retry-after:\s*(\d+)/mi ? $1 : 0 }

sub sessions {
    my ($account) = @_;
    my ($code, $text) = teagate('account', 'sessions', $account->{login}, '--json');
    return $code ? [] : decode_json($text);
}

sub signed_in {
    my ($account) = @_;
    my $browser = browser();
    my $page = $browser->sign_in($base, $account->{login}, $account->{password});
    is($page->{status}, 200, "$account->{login} signs in") or diag $page->{body};
    return $browser;
}

sub is_in { return $_[0]->request('GET', "$base/user/settings")->{status} == 200 }

# What a click on Gitea's "Sign in" leads to.
sub asks_for_password { return $_[0]->visit("$base/user/login")->{body} =~ /<input[^>]*name="password"/ }

my $mara = new_account('mara');

subtest 'twenty wrong passwords lead to a pause that says its end, and other networks have none' => sub {
    for my $name ($mara->{login}, "nobody-$run") {
        my @answers = map { try_password($name, "wrong $_", '127.0.0.1') } 1 .. 20;
        is($answers[$_]{status}, 403, 'wrong ' . ($_ + 1) . ' is free') for 0 .. 4;
        my $paused = $answers[-1];
        is($paused->{status}, 429, "$name has to wait");
        my ($until) = $paused->{body} =~ /again at <time datetime="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)">\d\d:\d\d:\d\d/;
        ok($until, 'the page tells the time');
        cmp_ok(retry_after($paused), '>=', 1, 'and the answer how long that is');
        like($paused->{body}, qr/From another network/, 'and the other way in');
        is(try_password($name, $mara->{password}, '127.0.0.1', '-H', 'X-Forwarded-For: 192.0.2.9', '-H', 'Forwarded: for=192.0.2.9')->{status},
            429, 'no other password is looked at, whatever a header says of the address');
    }
    is(try_password($mara->{login}, $mara->{password}, '127.0.0.2')->{status}, 303, 'from another network it enters');
};

subtest 'a pause outlives the process that began it' => sub {
    my $answer = try_password($mara->{login}, 'wrong', '127.0.0.3');
    for (1 .. 40) {
        last if retry_after($answer) >= 7;
        sleep retry_after($answer);
        $answer = try_password($mara->{login}, 'wrong', '127.0.0.3');
    }
    my $until = time + retry_after($answer);
    cmp_ok(retry_after($answer), '>=', 7, 'a pause of some seconds');
    my ($code, $text) = teagate('reload');
    is($code, 0, 'the service is reloaded') or diag $text;
    is(try_password($mara->{login}, $mara->{password}, '127.0.0.3')->{status}, 429, 'it goes on');
    sleep $until - time + 0.5 if $until > time;
    is(try_password($mara->{login}, $mara->{password}, '127.0.0.3')->{status}, 303, 'and ends when it said');
};

subtest 'a network that guesses names waits as a whole' => sub {
    my $form = curl('--interface', '127.0.0.4', "$auth/sign-in");
    my ($csrf) = $form->{body} =~ /name="csrf" value="([^"]*)"/;
    my ($cookie) = $form->{headers} =~ /^set-cookie: ([^;]*)/mi;
    spew("$dir/urls", join '', map { "next\nsilent\noutput = /dev/null\nwrite-out = \"%{http_code}\\n\"\ninterface = 127.0.0.4\nurl = \"$auth/sign-in\"\n"
        . "cacert = \"$contract->{ca_file}\"\nheader = \"Cookie: $cookie\"\nheader = \"Origin: $auth\"\ndata = \"csrf=$csrf&name=x$_-$run&password=y\"\n" } 1 .. 110);
    my (undef, $text) = capture({ any_status => 1 }, 'curl', '-K', "$dir/urls");
    my %count;
    $count{$_}++ for $text =~ /^(\d{3})$/mg;
    is_deeply(\%count, { 403 => 100, 429 => 10 }, 'a hundred a minute are looked at') or diag $text;
    like(try_password($mara->{login}, $mara->{password}, '127.0.0.4')->{body}, qr/Many attempts/, 'the page says why');
    is(try_password($mara->{login}, $mara->{password}, '127.0.0.5')->{status}, 303, 'its neighbour enters');
};

subtest 'who has no account here takes as long as who mistyped' => sub {
    my $median = sub { (sort { $a <=> $b } @_)[ @_ / 2 ] };
    my ($wrong, $nobody);
    for my $round (1 .. 3) { # a busy machine gets another chance; a difference in the program would stay
        my (@wrong, @nobody);
        for my $host (1 .. 6) {
            for my $turn (1 .. 4) {
                my @pairs = ([ $mara->{login}, \@wrong ], [ "nora-$run", \@nobody ]);
                push @{ $_->[1] }, try_password($_->[0], 'wrong', "127.0.$round.$host")->{took} for $turn % 2 ? @pairs : reverse @pairs;
            }
        }
        ($wrong, $nobody) = map { 1000 * $_ } $median->(@wrong), $median->(@nobody);
        last if abs($wrong - $nobody) <= 5;
    }
    cmp_ok(abs($wrong - $nobody), '<=', 5, sprintf 'medians: wrong %.1f ms, nobody %.1f ms', $wrong, $nobody);
};

subtest 'account sign-out ends every session within a second' => sub {
    my $ada = new_account('ada');
    my @browsers = map { signed_in($ada) } 1 .. 2;
    my $sessions = sessions($ada);
    is(scalar @$sessions, 2, 'both are listed');
    is($sessions->[0]{address}, '127.0.0.1', 'with their address');
    like($sessions->[0]{agent}, qr/^curl/, 'and program');
    is($sessions->[0]{amr}, 'pwd', 'and how it was signed in');
    my ($code, $text) = teagate('account', 'sign-out', $ada->{login});
    is($code, 0, 'signed out') or diag $text;
    like($text, qr/\(2 sessions\)/, 'both are counted');
    ok(wait_until(1, sub { !grep { is_in($_) } @browsers }), 'Gitea opens for neither any more');
    ok(asks_for_password($_), 'and signing in asks for the password') for @browsers;
    is_deeply(sessions($ada), [], 'none is listed');
    ok(is_in(signed_in($ada)), 'signing in again works');
};

subtest "Gitea's sign-out ends the session at the provider, and only this one" => sub {
    my $bea = new_account('bea');
    my ($here, $there) = map { signed_in($bea) } 1 .. 2;
    my $out = $here->request('POST', "$base/user/logout", headers => [ "Origin: $base" ]);
    is($out->{status}, 200, 'Gitea signs out');
    ok(asks_for_password($here), 'the next sign-in asks for the password');
    ok(is_in($there), 'another browser goes on');
    is(scalar @{ sessions($bea) }, 1, 'its session is the only one left');
};

subtest "the provider's sign-out says what it does" => sub {
    my $cleo = new_account('cleo');
    my $browser = signed_in($cleo);
    my $ask = $browser->visit("$auth/sign-out");
    my ($csrf) = $ask->{body} =~ /name="csrf" value="([^"]*)"/;
    my $out = $browser->request('POST', "$auth/sign-out", headers => [ "Origin: $auth" ], form => ["csrf=$csrf"]);
    is($out->{status}, 200, 'signed out');
    ok(is_in($browser), 'Gitea goes on');
    like($_->{body}, qr/Gitea[^.]* goes on until you sign out there/, 'and the page says so') for $ask, $out;
    is_deeply(sessions($cleo), [], 'the session at the provider is over');
};

subtest 'a locked account is out at once, and what was open stays closed when it is unlocked' => sub {
    my $dora = new_account('dora');
    my $browser = signed_in($dora);
    is((teagate('account', 'lock', $dora->{login}))[0], 0, 'locked');
    ok(wait_until(1, sub { !is_in($browser) }), 'Gitea does not open any more');
    like(try_password($dora->{login}, $dora->{password}, '127.0.0.1')->{body}, qr/account is locked/, 'the right password is told why');
    unlike(try_password($dora->{login}, 'wrong', '127.0.0.1')->{body}, qr/locked/, 'a wrong one is not');
    is((teagate('account', 'unlock', $dora->{login}))[0], 0, 'unlocked');
    sleep 0.5;
    ok(!is_in($browser), 'the old session stays closed');
    ok(is_in(signed_in($dora)), 'signing in works again');
};

subtest 'a new password ends what the old one opened' => sub {
    my $eva = new_account('eva');
    my $browser = signed_in($eva);
    spew("$dir/new", "another-password\n");
    is((teagate('account', 'passwd', $eva->{login}, '--password-file', "$dir/new"))[0], 0, 'set');
    ok(wait_until(1, sub { !is_in($browser) }), 'the session is over');
    is(try_password($eva->{login}, $eva->{password}, '127.0.0.1')->{status}, 403, 'the old password is wrong now');
    is(try_password($eva->{login}, 'another-password', '127.0.0.1')->{status}, 303, 'the new one is right');
};

subtest 'operators administer Gitea and are never judged; nobody else comes near' => sub {
    my $olga = new_account('olga', '--operator');
    my $browser = signed_in($olga);
    is($browser->request('GET', "$base/-/admin")->{status}, 200, 'the administration opens, without a subscription');
    my $by_token = sub { curl('-H', 'Authorization: token ' . token($_[0]{login}), "$base/api/v1/admin/users")->{status} };
    is($by_token->($olga), 200, 'by API, too');

    my $other = signed_in($mara);
    for my $path ('/-/admin', '/-/admin/', '/-/admin/users', '//-/admin', '/-/admin/users/1/edit') {
        is($other->request('GET', "$base$path")->{status}, 403, "$path: 403 for others");
    }
    is($by_token->($mara), 403, 'by API, too');
    my $admin = slurp($contract->{gitea}{admin_token_file}) =~ s/\s//gr;
    is(curl('-H', "Authorization: token $admin", "$base/api/v1/admin/users")->{status}, 403, "Gitea's own administrator is no operator of ours");
    isnt(curl("$base/-/admin")->{status}, 200, 'nor is nobody');

    is((teagate('account', 'set-operator', $olga->{login}, 'no'))[0], 0, 'no operator any more');
    ok(wait_until(1, sub { $browser->request('GET', "$base/-/admin")->{status} != 200 }), 'the administration is closed');
    teagate('subscription', 'set', $olga->{login}, '--until', '+300d');
    $browser = signed_in($olga);
    is($browser->request('GET', "$base/-/admin")->{status}, 403, 'also after the next sign-in');
    my $token = token($olga->{login});
    my $me = decode_json(curl('-H', "Authorization: token $token", "$base/api/v1/user")->{body});
    ok(!$me->{is_admin}, 'which took the rights away in Gitea') or diag explain $me;

    is((teagate('account', 'set-operator', $mara->{login}, 'yes'))[0], 0, 'another becomes one');
    is(signed_in($mara)->request('GET', "$base/-/admin")->{status}, 200, 'and is, after the next sign-in');
    is((teagate('account', 'set-operator', $mara->{login}, 'perhaps'))[0], 2, 'perhaps is no answer');
};

subtest 'commands about nobody say so' => sub {
    for my $command ([ 'sessions' ], [ 'sign-out' ], [ 'lock' ], [ 'unlock' ], [ 'set-operator', 'yes' ]) {
        my ($verb, @words) = @$command;
        my ($code, $text) = teagate('account', $verb, "nobody-$run", @words);
        is($code, 3, "$verb: 3");
        like($text, qr/there is no account/, 'with words');
    }
};

done_testing;
