# Signing in through a real Gitea and our provider, as a browser does; what a client sends as Gitea's session never counts.

use strict;
use warnings;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
my $base = $contract->{git_url};
my $active = account('active');

subtest 'a browser signs in and is who it says' => sub {
    my $browser = browser();
    my $page = $browser->sign_in($base, $active->{login}, $active->{password});
    is($page->{status}, 200, 'it ends at a page');
    like($page->{url}, qr/^\Q$base\E/, 'of Gitea');
    my $settings = $browser->visit("$base/user/settings");
    is($settings->{status}, 200, 'settings open');
    like($settings->{body}, qr/value="\Q$active->{login}\E"/, 'and are those of the account');
    unlike(slurp($browser->{jar}), qr/i_like_gitea/, "Gitea's session never reaches the browser");
    like(slurp($browser->{jar}), qr/__Host-/, 'the gateway has a cookie of its own');
};

subtest 'signing out ends it' => sub {
    my $browser = browser();
    $browser->sign_in($base, $active->{login}, $active->{password});
    my $out = $browser->request('POST', "$base/user/logout", headers => [ "Origin: $base" ]);
    is($out->{status}, 200, 'Gitea signs out');
    my $settings = $browser->request('GET', "$base/user/settings");
    isnt($settings->{status}, 200, 'settings no longer open');
};

subtest 'a wrong password is told on the page, and nothing else' => sub {
    my $browser = browser();
    my $wrong = $browser->sign_in($base, $active->{login}, 'wrong');
    my $nobody = browser()->sign_in($base, 'nobody-of-that-name', 'wrong');
    is($wrong->{status}, $nobody->{status}, 'as for a name nobody has');
    s/value="[^"]*"//g for $wrong->{body}, $nobody->{body};
    s/nobody-of-that-name|\Q$active->{login}\E/NAME/g for $wrong->{body}, $nobody->{body};
    is($wrong->{body}, $nobody->{body}, 'with the same words');
};

subtest 'an anonymous visitor opens ten public pages without meeting a sign-in page' => sub {
    my $browser = browser();
    for my $path ('/', '/explore/repos', '/explore/users', map { "/$active->{login}/public$_" } '', qw(/commits/branch/main /branches /tags /issues
        /releases /src/branch/main/hello.txt)) {
        my $page = $browser->visit("$base$path");
        is($page->{status}, 200, "$path opens");
        unlike($page->{url}, qr{/sign-in|/user/login}, "and does not lead to a sign-in page");
    }
};

subtest "a client's own Gitea session is nobody's" => sub {
    my $browser = browser();
    $browser->sign_in($base, $active->{login}, $active->{password});
    my $session = gitea_session_of($active->{login});
    plan skip_all => 'no session file was found' unless $session;
    (my $encoded = $session) =~ s/(.)/sprintf '%%%02x', ord $1/e;
    my %spellings = (
        plain => [ "Cookie: i_like_gitea=$session" ], quoted => [ "Cookie: i_like_gitea=\"$session\"" ],
        encoded => [ "Cookie: i_like_gitea=$encoded" ], repeated => [ "Cookie: i_like_gitea=x; i_like_gitea=$session" ],
        'behind others' => [ "Cookie: a=b;i_like_gitea=$session;c=d" ], 'two fields' => [ 'Cookie: a=b', "Cookie: i_like_gitea=$session" ],
        'encoded name' => [ "Cookie: i%5flike_gitea=$session" ], spaced => [ "Cookie:  i_like_gitea =$session" ],
    );
    for my $name (sort keys %spellings) {
        for my $protocol ('--http1.1', '--http2') {
            my $answer = curl($protocol, (map { ('-H', $_) } @{ $spellings{$name} }), "$base/user/settings");
            isnt($answer->{status}, 200, "$name ($protocol) opens no settings");
        }
    }
};

subtest 'sign-in routes take exactly what they know' => sub {
    my %refused = (
        'two codes' => '/user/oauth2/teagate/callback?code=A&code=B&state=S',
        'a malformed pair' => '/user/oauth2/teagate/callback?code=A;&code=B&state=S',
        'a bad escape' => '/user/oauth2/teagate/callback?code=A%zz&state=S',
        'no state' => '/user/oauth2/teagate/callback?code=A',
        'a code on the start route' => '/user/oauth2/teagate?code=A&state=S',
        'an unknown parameter at the start' => '/user/oauth2/teagate?foo=bar',
    );
    is(curl("$base$refused{$_}")->{status}, 400, "$_: 400") for sort keys %refused;
};

subtest 'ways into Gitea past the provider are closed' => sub {
    for my $path (qw(/user/sign_up /user/forgot_password /user/recover_account /user/link_account /user/login/openid /user/activate
        /api/internal/serv/command /metrics /debug/pprof/ /install //user//sign_up /user/sign_up/)) {
        my $status = curl("$base$path")->{status};
        like($status, qr/^(?:403|404)$/, "$path is closed ($status)");
    }
    is(curl('-X', 'POST', '-d', 'user_name=a&password=b', "$base/user/login")->{status}, 403, 'POST /user/login is closed');
};

done_testing;

# Gitea keeps sessions in files; the one that names the account's user is signed in.
sub gitea_session_of {
    my ($login) = @_;
    my $dir = "$contract->{gitea}{work_dir}/data/sessions";
    my @files = split /\n/, capture('find', $dir, '-type', 'f', '-newermt', '-10 seconds');
    for my $file (@files) {
        next unless slurp($file) =~ /\Q$login\E/;
        return $1 if $file =~ m{/([0-9a-f]{16})$};
    }
    return;
}
