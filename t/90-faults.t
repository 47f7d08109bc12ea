# Whatever fails around a request: a slow Gitea, none at all, a flood of made-up tokens, a locked database, a user who is gone, and codes
# that are too old or for somebody else. Each has one answer. Against the stand-in, which can be told to be slow.

use strict;
use warnings;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use Teagate::Test;

BEGIN { $ENV{TG_GITEA_KIND} = 'stand-in' }

my $contract = own_system();
my ($base, $auth, $work_dir) = (@{$contract}{qw(git_url auth_url)}, $contract->{gitea}{work_dir});
my $gitea_log = "$work_dir/log/gitea.out";
my $active = account('active');
my %token = map { $_ => token(account($_)->{login}) } qw(active expired);
my $patience = sanitized() ? 4 : 1;
my $repository = "$active->{login}/public.git/info/refs?service=git-upload-pack";

# Made-up requests in each dialect, and how the answer has to begin.
my %dialects = (
    'git'      => [ "$base/$repository", qr{^content-type: text/plain}mi, qr/\S/ ],
    'API'      => [ "$base/api/v1/user", qr{^content-type: application/json}mi, qr/^\{"message":/ ],
    'packages' => [ "$base/api/packages/none/generic/none", qr{^content-type: text/plain}mi, qr/\S/ ],
    'registry' => [ "$base/v2/none/none/tags/list", qr{^content-type: application/json}mi, qr/^\{"errors":/ ],
    'LFS'      => [ "$base/none/none.git/info/lfs/locks", qr{^content-type: application/vnd\.git-lfs\+json}mi, qr/^\{"message":/ ],
);

sub faults {
    my (@lines) = @_;
    my $file = "$work_dir/faults";
    return unlink $file unless @lines;
    Teagate::Shell::spew($file, join('', map { "$_\n" } @lines), 0644);
    return;
}

sub made_up { return unpack 'H*', Teagate::GiteaServer::random_bytes(20) }

sub with_token { my ($token, @more) = @_; return curl('-H', "Authorization: token $token", @more) }

# How often Gitea was asked whose a token is.
sub asked { return scalar(() = slurp($gitea_log) =~ m{"GET /login/oauth/userinfo }g) }

# Runs code aside; call the result for what it printed.
sub aside {
    my ($code) = @_;
    pipe my $out, my $in or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        print {$in} $code->();
        close $in;
        POSIX::_exit(0);
    }
    close $in;
    return sub { my $text = do { local $/; <$out> } // ''; waitpid $pid, 0; return $text };
}

sub check_unavailable {
    my ($what) = @_;
    my %answers = map { my $url = $dialects{$_}[0]; $_ => aside(sub { encode_json(with_token(made_up(), $url)) }) }
        sort keys %dialects;
    for my $name (sort keys %answers) {
        my $answer = decode_json($answers{$name}->());
        is($answer->{status}, 503, "$what, $name: an unknown token gets 503") or diag $answer->{text};
        like($answer->{headers}, qr/^retry-after: \d+/mi, 'and when to come again');
        like($answer->{headers}, $dialects{$name}[1], 'in the type of this door');
        like($answer->{body}, $dialects{$name}[2], 'and its words');
        cmp_ok($answer->{took}, '<', 2 + $patience, 'after two seconds at the most');
    }
    return;
}

# Both tokens are known before anything fails.
teagate('subscription', 'set', account('expired')->{login}, '--until', '+300d');
for my $state (sort keys %token) {
    ok(wait_until(5, sub { with_token($token{$state}, "$base/api/v1/user")->{status} == 200 }), "$state: let through");
}
teagate('subscription', 'set', account('expired')->{login}, '--until', '-30d');
ok(wait_until(5, sub { with_token($token{expired}, "$base/api/v1/user")->{status} == 402 }), 'and one of them no longer');
my $browser = browser();
$browser->sign_in($base, $active->{login}, $active->{password});

subtest 'twenty first uses of one token at once are one question' => sub {
    my $new = token_of_its_own($active->{login});
    faults('slow 0.5 /login/oauth/userinfo');
    my $before = asked();
    my @answers = map { aside(sub { with_token($new, '--http1.1', "$base/api/v1/user")->{status} }) } 1 .. 20;
    is(join(' ', map { $_->() } @answers), join(' ', (200) x 20), 'all are let through');
    is(asked() - $before, 1, 'Gitea was asked once');
    faults();
};

# From eight networks: each has a fourth of the rate, together they have all of it.
subtest 'a thousand made-up tokens are asked about at the configured rate' => sub {
    my ($rate, $addresses) = (20, 8);
    my ($before, $start) = (asked(), time);
    my @floods = map { my $address = "127.0.0.$_"; aside(sub { flood($address, 1000 / $addresses) }) } 2 .. $addresses + 1;
    my $known = with_token($token{active}, "$base/api/v1/user")->{status};
    my %statuses;
    $statuses{$_}++ for split ' ', join ' ', map { $_->() } @floods;
    my $most = $rate * (1 + time - $start) + 1;
    my $number = asked() - $before;
    is($known, 200, 'meanwhile a known one is let through');
    cmp_ok($number, '<=', $most, sprintf 'Gitea was asked %d times in %.1f s', $number, time - $start);
    cmp_ok($number, '>=', $rate / 2, 'so often as it may be');
    is(($statuses{401} // 0) + ($statuses{503} // 0), 1000, 'those asked about are no tokens, the others are told to come again')
        or diag explain \%statuses;
};

subtest 'Gitea answers after five seconds' => sub {
    sleep 1.5; # what the flood has used up
    faults('slow 5');
    my $known = aside(sub { my $answer = with_token($token{active}, "$base/api/v1/user"); "$answer->{status} $answer->{took}" });
    my $session = aside(sub { $browser->request('GET', "$base/user/settings")->{status} });
    my $expired = with_token($token{expired}, "$base/api/v1/user");
    is($expired->{status}, 402, 'who is refused is refused');
    cmp_ok($expired->{took}, '<', $patience, 'at once');
    check_unavailable('slow');
    my ($status, $took) = split ' ', $known->();
    is($status, 200, 'who is known goes on');
    cmp_ok($took, '<', 5.5 + $patience, 'as soon as Gitea answers');
    is($session->(), 200, 'by a session, too');
    faults();
};

subtest 'there is no Gitea' => sub {
    sleep 1;
    my $socket = "$work_dir/run/gitea.sock";
    rename $socket, "$socket.away" or die "$socket: $!";
    is((teagate('reload'))[0], 0, 'connections that were open would still serve: reloaded');
    ok(wait_until(5, sub { with_token($token{active}, "$base/api/v1/user")->{status} == 502 }),
        'who is known is judged, and told that Gitea is away'); # the old front may take a last request
    is(with_token($token{expired}, "$base/api/v1/user")->{status}, 402, 'who is refused is refused');
    check_unavailable('down');
    rename "$socket.away", $socket;
    ok(wait_until(10, sub { with_token($token{active}, "$base/api/v1/user")->{status} == 200 }), 'all is well when it is back');
};

subtest 'a token that was first seen while its owner was shut out works within a second of the payment' => sub {
    my $new = token_of_its_own($active->{login});
    teagate('subscription', 'set', $active->{login}, '--until', '-30d');
    ok(wait_until(5, sub { with_token($token{active}, "$base/api/v1/user")->{status} == 402 }), 'the owner is shut out');
    sleep 0.5; # Gitea knows it, too
    my $answer = with_token($new, "$base/api/v1/user");
    like($answer->{status}, qr/^40[23]$/, "the new token is refused with $answer->{status}");
    teagate('subscription', 'set', $active->{login}, '--until', '+300d');
    my $paid = time;
    ok(wait_until(5, sub { with_token($new, "$base/api/v1/user")->{status} == 200 }), 'it works again');
    cmp_ok(time - $paid, '<', 1 * $patience, sprintf 'after %.2f s', time - $paid);
};

subtest 'the databases are locked for five seconds' => sub {
    my $state = slurp($contract->{config_file}) =~ /^state: (.*)$/m ? $1 : die;
    my @locks = map { lock_database("$state/$_.db", 5) } qw(truth transient);
    sleep 0.3;
    my $start = time;
    my $grit = account('grace');
    my $sign_in = aside(sub {
        my $page = eval { browser()->sign_in($base, $grit->{login}, $grit->{password}) } // {};
        return ($page->{status} // "no-answer: $@") . ' ' . (time - $start);
    });
    my @known = map { $browser->request('GET', "$base/user/settings")->{status} } 1 .. 5;
    is("@known", '200 200 200 200 200', 'known sessions go on');
    is(with_token($token{active}, "$base/api/v1/user")->{status}, 200, 'known tokens, too');
    cmp_ok(time - $start, '<', 1.5 * $patience, 'at once');
    my ($status, $took) = split ' ', $sign_in->();
    is($status, 503, 'a sign-in is told to come again');
    cmp_ok($took, '<', 4 * $patience, sprintf 'after about two seconds (%.1f)', $took);
    waitpid $_, 0 for @locks;
    is(browser()->sign_in($base, $grit->{login}, $grit->{password})->{status}, 200, 'afterwards it works');
};

subtest 'a user who was deleted in Gitea does not come back by signing in' => sub {
    my $emil = account('expiring');
    my $here = browser();
    $here->sign_in($base, $emil->{login}, $emil->{password});
    my ($start, @steps) = ("$base/user/oauth2/teagate");
    for (1 .. 4) { # to the address with the code, which is not visited yet
        my $answer = $here->request('GET', $start, headers => ['Accept: text/html']);
        $start = Teagate::Browser::absolute($start, $answer->{location} // last);
        last if $start =~ /[?&]code=/;
    }
    like($start, qr{^\Q$base\E/user/oauth2/teagate/callback\?.*code=}, 'there is a code');
    like(gitea_api('GET', '/api/v1/admin/users?limit=50'), qr/"$emil->{login}"/, 'and a user');
    like(gitea_api('DELETE', "/api/v1/admin/users/$emil->{login}?purge=true"), qr/ 204$/, 'whom Gitea forgets');
    my $page = $here->visit($start);
    is($page->{status}, 403, 'with the code there is a page');
    like($page->{body}, qr/This way in is not used here/, 'of ours, so that nothing is linked');
    isnt($here->request('GET', "$base/user/settings")->{status}, 200, 'and nobody is signed in');
    my $later = browser()->sign_in($base, $emil->{login}, $emil->{password});
    like($later->{url}, qr{^\Q$auth\E/}, 'the next sign-in ends at the provider, without a code');
    is($later->{status}, 403, 'on a page');
    like($later->{body}, qr/not the one we knew/, 'that says why');
    unlike(gitea_api('GET', '/api/v1/admin/users?limit=50'), qr/"$emil->{login}"/, 'nobody was made anew');
};

# --- the provider

sub add_client {
    my ($name) = @_;
    my ($status, $text) = teagate(qw(client add), $name, '--redirect-uri', 'https://tool.example/cb', '--json');
    is($status, 0, 'a client is registered') or diag $text;
    return decode_json($text);
}

sub authorize {
    my (%parameters) = @_;
    my $query = join '&', map { "$_=" . $parameters{$_} =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger } sort keys %parameters;
    return $browser->request('GET', "$auth/authorize?response_type=code&scope=openid&state=s&$query", headers => ['Accept: text/html']);
}

# A code for the browser's account, which allows the client what it wants.
sub code_for {
    my ($client) = @_;
    my $answer = authorize(client_id => $client->{client_id}, redirect_uri => 'https://tool.example/cb');
    if ($answer->{status} == 200 && $answer->{body} =~ /<form[^>]*method="post"[^>]*action="([^"]*)"/i) {
        my $action = Teagate::Browser::absolute("$auth/authorize", Teagate::Browser::unescape($1));
        my @hidden;
        while ($answer->{body} =~ /<input\b[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"/gi) {
            push @hidden, "$1=" . Teagate::Browser::unescape($2);
        }
        $answer = $browser->request('POST', $action, headers => [ "Origin: $auth", 'Sec-Fetch-Site: same-origin' ],
            form => [ @hidden, 'answer=allow' ]);
    }
    return ($answer->{location} // '') =~ /[?&]code=([^&]+)/ ? $1 : die "no code: $answer->{status} $answer->{body}";
}

sub redeem {
    my ($client, $code) = @_;
    my $answer = curl('-u', "$client->{client_id}:$client->{client_secret}", '-d', 'grant_type=authorization_code', '-d', "code=$code",
        '-d', 'redirect_uri=https://tool.example/cb', "$auth/token");
    my $json = eval { decode_json($answer->{body}) } // {};
    return { %$json, status => $answer->{status} };
}

subtest 'codes and addresses that are not good' => sub {
    overwrite($contract->{config_file}, slurp($contract->{config_file}) =~ s/^  issuer: .*\n\K/  code-ttl: 10s\n/mr);
    is((teagate('reload'))[0], 0, 'codes live ten seconds');
    my $client = add_client('Tool');
    my $late = code_for($client);
    my $got = time;
    my $code = code_for($client);
    my $tokens = redeem($client, $code);
    is($tokens->{status}, 200, 'a code is good once');
    my $userinfo = sub { curl('-H', "Authorization: Bearer $tokens->{access_token}", "$auth/userinfo")->{status} };
    is($userinfo->(), 200, 'and so is its token');
    my $again = redeem($client, $code);
    is("$again->{status} $again->{error}", '400 invalid_grant', 'the same code again is not');
    is($userinfo->(), 401, 'and ends what the first use got');
    for my $case ([ 'a foreign redirect_uri', $client->{client_id}, 'https://evil.example/cb' ],
        [ 'an unknown client', 'nobody', 'https://tool.example/cb' ],
        [ 'more than the redirect_uri', $client->{client_id}, 'https://tool.example/cb/more' ]) {
        my ($what, $id, $uri) = @$case;
        my $answer = authorize(client_id => $id, redirect_uri => $uri);
        is($answer->{status}, 400, "$what: 400");
        is($answer->{location}, undef, 'and no way back');
        like($answer->{body}, qr/<h1/, 'a page');
    }
    sleep 11 - (time - $got) if time - $got < 11;
    my $expired = redeem($client, $late);
    is("$expired->{status} $expired->{error}", '400 invalid_grant', 'a code that waited too long is not good');
};

done_testing;

sub token_of_its_own {
    my ($login) = @_;
    my $text = gitea_command(qw(admin user generate-access-token --raw --scopes all --token-name), "own-$$-" . int(rand 1e9),
        '--username', $login);
    return $text =~ /\b([0-9a-f]{40})\b/ ? $1 : die "no token for $login: $text";
}

# The statuses of so many requests with made-up tokens.
sub flood {
    my ($address, $count) = @_;
    my $config = File::Temp->new;
    my $more = "cacert = \"$contract->{ca_file}\"\ninterface = \"$address\"\nresolve = \"localhost:" . Teagate::Test::port_of()
        . ":127.0.0.1\"\n";
    print {$config} join "next\n", map { "url = \"$base/api/v1/user\"\nheader = \"Authorization: token " . made_up() . "\"\n"
        . "silent\noutput = \"/dev/null\"\nwrite-out = \"%{http_code} \"\n$more" } 1 .. $count;
    $config->flush;
    return scalar capture({ any_status => 1 }, 'curl', '-K', "$config");
}

sub gitea_api {
    my ($method, $path) = @_;
    my $token = slurp($contract->{gitea}{admin_token_file}) =~ s/\s//gr;
    return scalar capture(qw(curl -sS -w), ' %{http_code}', '--unix-socket', "$work_dir/run/gitea.sock", '-X', $method,
        '-H', "Authorization: token $token", "http://gitea$path");
}

sub lock_database {
    my ($file, $seconds) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open my $sqlite, '|-', 'sqlite3', $file or POSIX::_exit(1);
    print {$sqlite} "BEGIN IMMEDIATE;\n";
    $sqlite->flush;
    sleep $seconds;
    print {$sqlite} "ROLLBACK;\n";
    close $sqlite;
    POSIX::_exit(0);
}

sub overwrite {
    my ($file, $text) = @_;
    open my $out, '+<', $file or die "$file: $!";
    truncate $out, 0;
    print {$out} $text;
    close $out;
}
