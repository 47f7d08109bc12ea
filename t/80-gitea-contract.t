# What the gateway relies on in Gitea, stated once, and asked of a real one as well as of the stand-in. TG_GITEA_KIND=gitea or
# TG_GITEA_KIND=stand-in asks only that one; so does an argument.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../scripts/lib";
use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(encode_base64 decode_base64 decode_base64url);
use Teagate::FakeProvider;
use Teagate::GiteaServer;
use Teagate::Shell qw(capture slurp spew);
use Test::More;
use Time::HiRes qw(time sleep);

my $parent = $$;
my $driver = ($ENV{TG_BUILD} // 'build') . '/t/unit/gitea/gitead';
-x $driver or plan skip_all => "$driver is not built";
my $wish = $ARGV[0] // $ENV{TG_GITEA_KIND};
my %programs = (gitea => Teagate::GiteaServer::locate(), 'stand-in' => Teagate::GiteaServer::stand_in());
my $HOST = 'git.example.test';
my $JSON_TYPE = qr{^application/json};

my ($dir, $gitea, $provider, $bridge, $user, %token, $jar, $source);

if ($> == 0) {
    $user = "tg-test-$$";
    system(qw(useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin), $user) == 0 or BAIL_OUT("useradd $user");
}

END {
    if ($$ == $parent) {
        my $status = $?;
        eval { $gitea->stop_server } if $gitea && $gitea->{pid};
        $provider->stop if $provider;
        kill TERM => $bridge->{pid} if $bridge;
        system('userdel', $user) if $user;
        $? = $status;
    }
}

for my $kind ('gitea', 'stand-in') {
    SKIP: {
        skip "$kind was not asked for", 1 if $wish && $wish ne $kind;
        skip 'there is no Gitea on this machine', 1 unless $programs{$kind};
        subtest "$kind keeps the contract" => sub { keep_contract($kind) };
    }
}
done_testing;

# ---- asking

# head: fields; data: a body, or a structure that becomes JSON; as: a token. Answers status, head, type, location, cookies, body, json
sub ask {
    my ($method, $path, %with) = @_;
    my @fields = ("Host: $HOST", 'X-Forwarded-Proto: https', @{ $with{head} // [] });
    push @fields, "Authorization: token $with{as}" if $with{as};
    push @fields, 'Authorization: Basic ' . encode_base64("anybody:$with{basic}", '') if $with{basic};
    push @fields, "Cookie: i_like_gitea=$with{session}" if $with{session};
    my @command = (qw(curl -sS -g --path-as-is --max-time), $with{patience} // 20, '-D', "$dir/head", '-o', "$dir/body", '--unix-socket',
        $gitea->{socket}, $method eq 'HEAD' ? '-I' : ('-X', $method));
    if (defined $with{data}) {
        push @fields, ref $with{data} ? 'Content-Type: application/json' : ();
        spew("$dir/data", ref $with{data} ? encode_json($with{data}) : $with{data});
        push @command, '--data-binary', "\@$dir/data";
    }
    unlink "$dir/head", "$dir/body";
    my ($failed) = capture({ any_status => 1 }, @command, (map { ('-H', $_) } @fields), "http://gitea$path");
    my $head = -e "$dir/head" ? slurp("$dir/head") : '';
    my $body = -e "$dir/body" ? slurp("$dir/body") : '';
    my %cookies = map { /^([^=]+)=([^;]*)(.*?)\r?$/ ? ($1 => { value => $2, rest => $3 }) : () } $head =~ /^set-cookie:\s*(.*)$/gmi;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)};
    my ($type) = $head =~ /^content-type:\s*(.*?)\r?$/mi;
    my ($location) = $head =~ /^location:\s*(\S+)/mi;
    return { failed => $failed, status => $status // 0, head => $head, body => $body, cookies => \%cookies, type => $type // '',
        location => $location // '', sessions => scalar(() = $head =~ /^set-cookie: i_like_gitea=/gmi), json => scalar eval { decode_json($body) } };
}

sub answers {
    my ($answer, $status, $type, $name) = @_;
    my $good = $answer->{status} == $status && $answer->{type} =~ $type;
    ok($good, "$name: $status") or diag "$answer->{head}\n", substr $answer->{body}, 0, 500;
    return $answer;
}

sub command_fails {
    my (@arguments) = @_;
    return !eval { $gitea->command(@arguments); 1 };
}

sub new_token {
    my ($login, $scopes) = @_;
    my $text = $gitea->command(qw(admin user generate-access-token --raw --username), $login, '--scopes', $scopes, '--token-name',
        'n' . int rand 1e9);
    return $text =~ /^([0-9a-f]{40})$/m ? $1 : BAIL_OUT("no token: $text");
}

# From the start of a sign-in to the callback's answer; $session: what the browser has.
sub sign_in {
    my ($code, %with) = @_;
    my $start = ask('GET', '/user/oauth2/teagate' . ($with{query} // ''), session => $with{session});
    my $session = $with{session} // $start->{cookies}{i_like_gitea}{value};
    my ($state) = $start->{location} =~ /[?&]state=([^&]*)/;
    my $query = $with{error} ? "error=$with{error}&state=$state" : "code=$code&state=" . ($with{state} // $state);
    my @more = $with{query} ? "Cookie: redirect_to=$start->{cookies}{redirect_to}{value}" : ();
    my $answer = ask('GET', "/user/oauth2/teagate/callback?$query", session => $with{forget} ? undef : $session, head => \@more);
    return ($answer, $session);
}

sub patch_user {
    my ($login, %change) = @_;
    return ask('PATCH', "/api/v1/admin/users/$login", as => $token{admin}, data => { source_id => 0 + $source, login_name => "sub-$login", %change });
}

# ---- the contract

sub keep_contract {
    my ($kind) = @_;
    $dir = tempdir('teagate-contract-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    mkdir "$dir/state";
    my $binary = Teagate::GiteaServer::place($programs{$kind}, "$dir/bin", $user);
    $gitea = Teagate::GiteaServer->new(dir => "$dir/gitea", user => $user, binary => $binary, root_url => "https://$HOST/");
    $gitea->prepare;
    $gitea->write_config(scalar capture($driver, "$dir/state", $HOST, $gitea->{socket}, $gitea->{token_file}, $binary, $gitea->{config},
        'app-ini'));
    $provider = Teagate::FakeProvider->new(file => "$dir/requests");
    speaks_on_the_command_line($binary);
    $gitea->start;
    has_sources();
    has_users();
    starts_a_sign_in();
    ends_a_sign_in();
    has_sessions();
    tells_whose_a_token_is();
    makes_repositories();
    serves_git();
    serves_downloads();
    answers_large_files_and_registry();
    keeps_prohibited_users_out();
    reads_paths();
    is_loud_and_shows_faults() if $kind eq 'stand-in';
    $gitea->stop_server;
    $provider->stop;
    undef $provider;
    return;
}

sub speaks_on_the_command_line {
    my ($binary) = @_;
    subtest 'the command line, before it runs' => sub {
        like scalar capture($gitea->as_gitea, $binary, '--version'), qr/^gitea version 1\.\d+\.\d+/, 'its version';
        like scalar capture($gitea->as_gitea, $binary, qw(generate secret), $_), qr/^\S{20,}\s*$/, "a secret: $_"
            for qw(SECRET_KEY INTERNAL_TOKEN JWT_SECRET LFS_JWT_SECRET);
        isnt((capture({ %{ $gitea->as_gitea }, any_status => 1 }, $binary, '--config', $gitea->{config}, 'admin', 'nonsense'))[1], '',
            'an unknown command says something');
    };
    return;
}

sub has_sources {
    my @list = qw(admin auth list --vertical-bars --pad-char);
    my @told = (qw(--name teagate --provider openidConnect --key client-1 --secret), 'se:cret/+', qw(--skip-local-2fa --scopes openid --scopes
        profile --scopes email --scopes groups --group-claim-name groups --admin-group operators --auto-discover-url));
    subtest 'the source of sign-ins, by command line' => sub {
        like $gitea->command(@list, ' '), qr/^\s*ID\s*\|\s*Name\s*\|\s*Type\s*\|\s*Enabled\s*$/m, 'a list with its head';
        ok command_fails(qw(admin auth add-oauth), @told, 'http://127.0.0.1:1/x'), 'none is made when its metadata cannot be fetched';
        unlike $gitea->command(@list, ' '), qr/teagate/, 'and none is listed';
        $gitea->command(qw(admin auth add-oauth), @told, $provider->discovery);
        like $gitea->command(@list, ' '), qr/^\s*\d+\s*\|\s*teagate\s*\|\s*OAuth2\s*\|\s*true\s*$/m, 'made, and listed with its id';
        ($source) = $gitea->command(@list, ' ') =~ /^\s*(\d+)\s*\|\s*teagate/m;
        like ask('GET', '/user/oauth2/teagate')->{location}, qr/client_id=client-1&/, 'the running server knows it at its first use';
        my @other = map { $_ eq 'client-1' ? 'client-2' : $_ } @told;
        $gitea->command(qw(admin auth update-oauth), @other, $provider->discovery, '--id', $source);
        like ask('GET', '/user/oauth2/teagate')->{location}, qr/client_id=client-1&/, 'but not what was changed in it';
        $gitea->stop_server;
        $gitea->start;
        like ask('GET', '/user/oauth2/teagate')->{location}, qr/client_id=client-2&/, 'until it is started again';
    };
    return;
}

sub has_users {
    subtest 'users: the administrator by command line, others by its API' => sub {
        $gitea->ensure_admin;
        $token{admin} = $gitea->admin_token;
        ok command_fails(qw(admin user create --username gitea-admin --email again@example.test --password), 'a1!Bcdefghij'), 'no name twice';
        ok command_fails(qw(admin user generate-access-token --raw --scopes all --token-name gateway --username gitea-admin)),
            'no name of a token twice';
        ok command_fails(qw(admin user generate-access-token --raw --scopes all --token-name x --username nobody)), 'no token for nobody';
        my $path = '/api/v1/admin/users';
        my %mara = (username => 'mara', email => 'mara@example.test', source_id => 0 + $source, login_name => 'sub-mara', full_name => 'Mara M.',
            must_change_password => JSON::PP::false, send_notify => JSON::PP::false);
        my $answer = answers(ask('POST', $path, as => $token{admin}, data => \%mara), 201, $JSON_TYPE, 'made');
        my $id = $answer->{json}{id};
        my %seen = map { $_ => $answer->{json}{$_} } qw(login login_name source_id email full_name);
        is_deeply \%seen, { login => 'mara', map { $_ => $mara{$_} } qw(login_name source_id email full_name) }, 'as it was asked for';
        ok !$answer->{json}{prohibit_login} && !$answer->{json}{is_admin}, 'neither prohibited nor administrator';
        my $found = ask('GET', "$path?limit=10&source_id=$source&login_name=sub-mara", as => $token{admin});
        is_deeply [ map { $_->{id} } @{ $found->{json} } ], [$id], 'found by source and login name, alone';
        is_deeply ask('GET', "$path?limit=10&source_id=$source&login_name=sub-x", as => $token{admin})->{json}, [], 'nobody: an empty list';
        for my $case ([ 'a name', username => 'MARA', email => 'other@example.test' ], [ 'an address', username => 'other', email => 'Mara@example.test' ],
            [ 'a reserved name', username => 'api' ], [ 'an impossible name', username => 'a b' ], [ 'no such source', source_id => 77 ]) {
            my ($name, %change) = @$case;
            my %other = (%mara, username => 'other', email => 'other@example.test', login_name => 'sub-other', %change);
            answers(ask('POST', $path, as => $token{admin}, data => \%other), 422, $JSON_TYPE, $name);
        }
        answers(ask('POST', $path, as => $token{admin}, data => { %mara, username => 'twin', email => 'twin@example.test' }), 201, $JSON_TYPE,
            'the same login name again, which Gitea does not mind');
        is scalar @{ ask('GET', "$path?source_id=$source&login_name=sub-mara", as => $token{admin})->{json} }, 2, 'two are found then';
        is ask('DELETE', "$path/twin?purge=true", as => $token{admin})->{status}, 204, 'removed';
        is ask('DELETE', "$path/twin?purge=true", as => $token{admin})->{status}, 404, 'once';
        my $page = ask('GET', "$path?limit=1&page=2", as => $token{admin});
        is scalar @{ $page->{json} }, 1, 'page by page';
        like $page->{head}, qr/^x-total-count: 2\r?$/mi, 'with the number of all';
        for my $wrong ([], [ login_name => '' ]) {
            answers(ask('PATCH', "$path/mara", as => $token{admin}, data => { source_id => 0 + $source, full_name => 'X', @$wrong }), 422, $JSON_TYPE,
                'a change without login name');
        }
        my $changed = answers(ask('PATCH', "$path/mara", as => $token{admin}, data => { source_id => 0, login_name => 'sub-mara',
            prohibit_login => JSON::PP::true }), 200, $JSON_TYPE, 'a change with it')->{json};
        ok $changed->{prohibit_login}, 'took place';
        is $changed->{source_id}, $source, 'source 0 leaves the source';
        is $changed->{full_name}, 'Mara M.', 'what is not named stays';
        answers(patch_user('mara', prohibit_login => JSON::PP::false), 200, $JSON_TYPE, 'and back');
        answers(patch_user('nobody', prohibit_login => JSON::PP::false), 404, $JSON_TYPE, 'nobody is changed');
        $gitea->command(qw(admin user create --username carl --email carl@example.test --must-change-password=false --password), 'a1!Bcdefghij');
        %token = (%token, mara => new_token('mara', 'all'), narrow => new_token('mara', 'write:repository'), carl => new_token('carl', 'all'));
        answers(ask('GET', $path, as => $token{mara}), 403, $JSON_TYPE, 'not for others');
        answers(ask('GET', $path), 401, $JSON_TYPE, 'not for nobody');
        like answers(ask('GET', '/api/v1/version'), 200, $JSON_TYPE, 'its version, for everybody')->{json}{version}, qr/^1\.\d+\./, 'is one';
    };
    return;
}

sub starts_a_sign_in {
    subtest 'a sign-in starts' => sub {
        my $start = answers(ask('GET', '/user/oauth2/teagate'), 307, qr{^text/html}, 'a redirect');
        my %query = $start->{location} =~ /[?&]([^=]+)=([^&]*)/g;
        like $start->{location}, qr{^https://auth\.example\.test/authorize\?}, "to the provider's address out of its metadata";
        is $query{client_id}, 'client-2', 'client_id';
        is $query{redirect_uri}, "https%3A%2F%2F$HOST%2Fuser%2Foauth2%2Fteagate%2Fcallback", 'redirect_uri, by ROOT_URL';
        is $query{response_type}, 'code', 'response_type';
        is $query{scope}, 'profile+email+groups+openid', 'scope, by app.ini';
        like $query{state}, qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'state';
        is join(' ', sort keys %query), 'client_id redirect_uri response_type scope state', 'and nothing more';
        like $start->{body}, qr/client_id=client-2&amp;redirect_uri=https%3A%2F%2F/, 'the same as a link in the body';
        is $start->{sessions}, 1, 'a session is given';
        is ask('GET', '/user/oauth2/teagate', session => $start->{cookies}{i_like_gitea}{value})->{sessions}, 0, 'one that is there stays';
        is ask('GET', '/user/oauth2/unknown')->{status}, 500, 'an unknown source';
    };
    return;
}

sub ends_a_sign_in {
    subtest 'a sign-in ends well' => sub {
        $provider->requests;
        my ($answer, $before) = sign_in('good.sub-mara');
        answers($answer, 303, qr/./, 'the callback');
        is $answer->{location}, '/', 'leads to the first page';
        is $answer->{sessions}, 1, 'with one new session';
        isnt $answer->{cookies}{i_like_gitea}{value}, $before, 'of another id';
        ok $answer->{cookies}{lang}, 'and lang';
        is ask('GET', '/user/settings', session => $before)->{status}, 303, 'the old id is nobody';
        my @asked = $provider->requests;
        is join(' ', map { "$_->{method} $_->{path}" } @asked), 'POST /token GET /userinfo', 'the provider was asked twice';
        is_deeply $asked[0]{form}, { code => 'good.sub-mara', grant_type => 'authorization_code',
            redirect_uri => "https://$HOST/user/oauth2/teagate/callback" }, 'for tokens, by a form';
        is $asked[0]{head}{authorization}, 'Basic ' . encode_base64('client-2:se%3Acret%2F%2B', ''), 'with id and secret, percent-encoded';
        is $asked[1]{head}{authorization}, 'Bearer good.sub-mara', 'then for claims, by the access token';
        $jar = $answer->{cookies}{i_like_gitea}{value};
        my $settings = answers(ask('GET', '/user/settings', session => $jar), 200, qr{^text/html}, 'settings open');
        like $settings->{body}, qr/value="mara"/, 'and name the user';
        is $settings->{sessions}, 0, 'without another session';
        ($answer) = sign_in('good.sub-mara', query => '?redirect_to=/mara');
        is $answer->{location}, '/mara', 'it can lead to the page that was asked for';
        sign_in('operator.sub-mara');
        ok ask('GET', '/api/v1/user', as => $token{mara})->{json}{is_admin}, 'the group of operators makes an administrator';
        sign_in('good.sub-mara');
        ok !ask('GET', '/api/v1/user', as => $token{mara})->{json}{is_admin}, 'and its absence unmakes him';
    };
    subtest 'a sign-in ends badly' => sub {
        for my $case ([ 'refused at the token endpoint', 'denied.sub-mara' ], [ 'no ID token', 'no-id-token.sub-mara' ],
            [ 'an ID token of somebody else', 'other-issuer.sub-mara' ], [ 'an ID token of long ago', 'late.sub-mara' ],
            [ 'claims of somebody else', 'other-sub.sub-mara' ], [ 'a state of another start', 'good.sub-mara', state => 'x' ],
            [ 'without session', 'good.sub-mara', forget => 1 ], [ 'an error of the provider', '', error => 'access_denied' ]) {
            my ($name, $code, %with) = @$case;
            my ($answer, $session) = sign_in($code, %with);
            is "$answer->{status} $answer->{location}", '303 /user/login', $name or diag $answer->{head};
            like $answer->{cookies}{gitea_flash}{value}, qr/^error%3DThe/, 'with a text';
            is $answer->{sessions}, $with{forget} ? 1 : 0, 'and a session only for who had none';
        }
        my ($answer) = sign_in('no-exp.sub-mara');
        is $answer->{status}, 500, 'an ID token without end';
        my $session;
        ($answer, $session) = sign_in('good.sub-nobody');
        is "$answer->{status} $answer->{location} $answer->{sessions}", '303 /user/link_account 1', 'a subject that has no user';
        is ask('GET', '/user/settings', session => $answer->{cookies}{i_like_gitea}{value})->{status}, 303, 'is signed in as nobody';
        my ($first, $signed_in) = (sign_in('good.sub-mara'))[0];
        $signed_in = $first->{cookies}{i_like_gitea}{value};
        sign_in('denied.sub-mara', session => $signed_in);
        is ask('GET', '/user/settings', session => $signed_in)->{status}, 200, 'who was signed in stays so';
        my $page = answers(ask('GET', '/user/login', head => ['Cookie: gitea_flash=error%3DA%2Btext%2Bto%2Bshow']), 200, qr{^text/html}, 'the page');
        like $page->{body}, qr/A text to show/, 'shows the text';
        is $page->{cookies}{gitea_flash}{value}, '', 'once';
    };
    subtest 'the way to authenticate that worked is kept; before one has, a refused code is sent again in the other way' => sub {
        $gitea->stop_server;
        $gitea->start;
        $provider->requests;
        sign_in('denied.sub-mara');
        my @asked = grep { $_->{path} eq '/token' } $provider->requests;
        is scalar @asked, 2, 'twice';
        is $asked[1]{form}{code}, 'denied.sub-mara', 'the same code';
        is "$asked[1]{form}{client_id} $asked[1]{form}{client_secret}", 'client-2 se:cret/+', 'id and secret in the body';
        sign_in('good.sub-mara');
        $provider->requests;
        sign_in('denied.sub-mara');
        is scalar(grep { $_->{path} eq '/token' } $provider->requests), 1, 'later once';
    };
    return;
}

sub has_sessions {
    subtest 'sessions' => sub {
        is ask('GET', '/user/settings', session => $jar)->{status}, 200, 'a restart ends none';
        for my $path ('/', '/user/login', '/user/settings', '/explore/repos', '/mara', '/mara/x.git/info/refs?service=git-upload-pack',
            '/mara/x/raw/branch/main/y', '/mara/x/archive/main.tar.gz', '/login/oauth/userinfo', '/user/oauth2/teagate') {
            my $answer = ask('GET', $path);
            is $answer->{sessions}, 1, "$path gives one";
            like $answer->{cookies}{i_like_gitea}{value}, qr/^[0-9a-f]{16}$/, 'of 16 hex digits';
        }
        is ask('GET', '/')->{cookies}{i_like_gitea}{rest}, '; Path=/; HttpOnly; Secure; SameSite=Lax', 'guarded';
        is ask('GET', $_)->{sessions}, 0, "$_ gives none" for qw(/api/healthz /api/v1/version /api/v1/user /v2/ /v2/token /assets/x.css
            /api/packages/mara/npm/x);
        (my $encoded = $jar) =~ s/^(.)/sprintf '%%%02x', ord $1/e;
        my %spellings = (quoted => qq("$jar"), encoded => $encoded);
        for my $name (sort keys %spellings) {
            is ask('GET', '/user/settings', head => ["Cookie: a=b; i_like_gitea=$spellings{$name}"])->{status}, 200, "$name it is the same one";
        }
        is ask('GET', '/api/v1/user', session => $jar)->{status}, 401, 'none counts on the API';
        is ask('GET', '/user/settings', session => $jar, as => 'f' x 40)->{status}, 200, 'on pages a token is not looked at';
        is ask('GET', '/user/settings', as => $token{mara})->{location}, '/user/login', 'not a good one either';
        is ask('GET', '/-/admin')->{location}, '/user/login', 'the administration is not for nobody';
        is ask('GET', '/-/admin', session => $jar)->{status}, 403, 'and not for users';
        is ask('POST', $_, data => '')->{status}, 403, "$_ is closed" for qw(/user/login /user/login/openid /user/sign_up);
        my $out = answers(ask('POST', '/user/logout', session => $jar), 200, $JSON_TYPE, 'signing out');
        is $out->{json}{redirect}, '/', 'says where to go';
        is $out->{cookies}{i_like_gitea}{value}, '', 'takes the cookie away';
        is ask('GET', '/user/settings', session => $jar)->{status}, 303, 'and ends the session';
        my $events = ask('GET', '/user/events', patience => 1);
        is $events->{status}, 200, 'events';
        is $events->{type}, 'text/event-stream', 'as a stream, whose head comes at once';
        like $events->{head}, qr/^x-accel-buffering: no/mi, 'not to be held back';
    };
    return;
}

sub tells_whose_a_token_is {
    subtest 'whose a token is' => sub {
        my $path = '/login/oauth/userinfo';
        my $id = ask('GET', '/api/v1/user', as => $token{mara})->{json}{id};
        for my $name ('mara', 'narrow') {
            my $answer = answers(ask('GET', $path, as => $token{$name}), 200, $JSON_TYPE, "userinfo, $name");
            is "$answer->{json}{sub} $answer->{json}{preferred_username}", "$id mara", 'names the user by id, as a text, and by name';
        }
        answers(ask('GET', $path, head => ["Authorization: Bearer $token{mara}"]), 200, $JSON_TYPE, 'as Bearer too');
        answers(ask('GET', $path, as => 'f' x 40), 401, qr{^text/plain}, 'an unknown token');
        answers(ask('GET', $path), 401, qr{^text/plain}, 'none');
        answers(ask('GET', $path, basic => $token{mara}), 401, qr{^text/plain}, 'Basic is not looked at');
        answers(ask('GET', '/api/v1/token', as => $token{mara}), 404, qr{^text/plain}, 'an address that later versions have')
            unless ask('GET', '/api/v1/version')->{json}{version} =~ /^1\.(?:2[7-9]|[3-9]\d)/;
        $path = '/api/v1/user';
        is answers(ask('GET', $path, as => $token{mara}), 200, $JSON_TYPE, 'the API')->{json}{login}, 'mara', 'names the user';
        is answers(ask('GET', $path, basic => $token{mara}), 200, $JSON_TYPE, 'by Basic, under any name')->{json}{login}, 'mara', 'too';
        is ask('GET', $path, head => [ 'Authorization: Basic ' . encode_base64("$token{mara}:", '') ])->{status}, 200, 'as the name, too';
        like answers(ask('GET', $path, as => $token{narrow}), 403, $JSON_TYPE, 'without the scope')->{json}{message}, qr/scope/, 'it says so';
        answers(ask('GET', $path, as => 'f' x 40), 401, $JSON_TYPE, 'an unknown token');
        like answers(ask('GET', $path, @$_), 401, $JSON_TYPE, 'none')->{body}, qr/token is required/, 'or a password' for [], [ basic => 'no' ];
        is ask('GET', "$path?token=$token{mara}")->{status}, 401, 'in the query it is not looked at';
        is ask('GET', '/api/v1/version', as => 'f' x 40)->{status}, 401, 'an unknown token is refused where none is needed';
    };
    return;
}

sub makes_repositories {
    subtest 'repositories and their pages' => sub {
        for my $name (qw(public private)) {
            is ask('GET', "/api/v1/repos/mara/$name", as => $token{mara})->{status}, 404, "$name: not there";
            answers(ask('POST', '/api/v1/user/repos', as => $token{mara}, data => { name => $name, auto_init => JSON::PP::true,
                default_branch => 'main', private => $name eq 'private' ? JSON::PP::true : JSON::PP::false }), 201, $JSON_TYPE, 'made');
            answers(ask('POST', "/api/v1/repos/mara/$name/contents/hello.txt", as => $token{mara}, data => { message => 'Say hello',
                branch => 'main', content => encode_base64("Hello, $name.\n", '') }), 201, $JSON_TYPE, 'a file in it');
            is ask('GET', "/api/v1/repos/mara/$name", as => $token{mara})->{status}, 200, 'there';
        }
        answers(ask('POST', '/api/v1/user/repos', as => $token{mara}, data => { name => 'public' }), 409, $JSON_TYPE, 'once');
        is ask('GET', '/api/v1/repos/mara/public')->{status}, 200, 'the public one is for everybody';
        is ask('GET', '/api/v1/repos/mara/private', as => $_)->{status}, 404, 'the private one is not' for undef, $token{carl};
        for my $path ('/', '/explore/repos', '/explore/users', '/mara', map { "/mara/public$_" } '', qw(/commits/branch/main /branches /tags
            /issues /releases /src/branch/main/hello.txt)) {
            answers(ask('GET', $path), 200, qr{^text/html}, $path);
        }
        my ($answer) = sign_in('good.sub-mara');
        $jar = $answer->{cookies}{i_like_gitea}{value};
        like ask('GET', '/mara/private', session => $jar)->{body}, qr/hello\.txt/, 'its owner sees what is in it';
        is ask('GET', $_)->{status}, 404, "$_ is not found" for qw(/mara/private /mara/private/issues /mara/none /none);
        is ask('GET', '/mara/private', as => $token{mara})->{status}, 404, 'not with a token either';
        is ask('GET', '/mara/public', as => 'f' x 40)->{status}, 200, 'nor does a wrong one matter';
        answers(ask('GET', '/api/packages/mara/npm/@s%2Fp'), 404, $JSON_TYPE, 'a package that is not there');
    };
    return;
}

sub serves_git {
    subtest 'git over HTTP' => sub {
        my $refs = 'info/refs?service=git-upload-pack';
        my $plain = qr{^text/plain};
        for my $name (qw(private none)) {
            my $answer = answers(ask('GET', "/mara/$name.git/$refs"), 401, $plain, "$name, without credentials");
            like $answer->{head}, qr/^www-authenticate: Basic/mi, 'Basic is asked for';
            answers(ask('GET', "/mara/$name.git/$refs", basic => $token{carl}), 404, $plain, 'with those of somebody else');
            is ask('GET', "/mara/$name.git/$refs", basic => 'f' x 40)->{status}, 401, 'with wrong ones';
        }
        is ask('GET', '/mara/public.git/info/refs?service=git-receive-pack')->{status}, 401, 'to write, credentials are asked for';
        is ask('GET', '/mara/private.git/HEAD')->{status}, 401, 'also of dumb clients';
        answers(ask('GET', "/mara/public.git/$refs"), 200, qr{^application/x-git-upload-pack-advertisement$}, 'a public one, without');
        answers(ask('GET', "/mara/private/$refs", as => $token{mara}), 200, qr{^application/x-git-upload-pack-adv}, 'as token, without .git');
        my @git = ('git', '-c', 'user.name=Test', '-c', 'user.email=t@example.invalid', '-c', "http.extraHeader=Host: $HOST");
        $bridge = bridge();
        my $url = "http://any:$token{mara}\@127.0.0.1:$bridge->{port}/mara/private.git";
        my %env = (env => { HOME => $dir, GIT_CONFIG_NOSYSTEM => 1, GIT_TERMINAL_PROMPT => 0 });
        capture({%env}, @git, 'clone', '-q', $url, "$dir/clone");
        is slurp("$dir/clone/hello.txt"), "Hello, private.\n", 'a clone has what the API wrote';
        spew("$dir/clone/large", join '', map { chr rand 256 } 1 .. 300_000);
        capture({%env}, @git, '-C', "$dir/clone", @$_) for [ 'add', '.' ], [ 'commit', '-q', '-m', 'Large' ],
            [ '-c', 'http.postBuffer=65536', 'push', '-q', 'origin', 'HEAD' ];
        capture({%env}, @git, 'clone', '-q', '--depth', 1, $url, "$dir/again");
        ok slurp("$dir/clone/large") eq slurp("$dir/again/large"), 'a push in chunks arrives whole';
        my ($status) = capture({ %env, any_status => 1 }, @git, '-C', "$dir/clone", 'push', '-q',
            "http://any:$token{carl}\@127.0.0.1:$bridge->{port}/mara/public.git", 'HEAD:x');
        isnt $status, 0, 'somebody else cannot write to a public one';
        kill TERM => $bridge->{pid};
        waitpid $bridge->{pid}, 0;
        undef $bridge;
    };
    return;
}

# git speaks no unix sockets: a port whose connections go there.
sub bridge {
    require IO::Socket::INET;
    require IO::Socket::UNIX;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16) or die "port: $!";
    my $pid = fork // die "fork: $!";
    return { pid => $pid, port => $listener->sockport } if $pid;
    local $SIG{CHLD} = 'IGNORE';
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1) {
        my $near = $listener->accept or next;
        next if fork;
        my $far = IO::Socket::UNIX->new(Peer => $gitea->{socket}) or POSIX::_exit(1);
        my $forth = fork // POSIX::_exit(1);
        my ($from, $to) = $forth ? ($near, $far) : ($far, $near);
        while (sysread $from, my $bytes, 65536) { print {$to} $bytes; $to->flush }
        shutdown $to, 1;
        POSIX::_exit(0);
    }
}

sub serves_downloads {
    subtest 'downloads' => sub {
        for my $path ('raw/branch/main/hello.txt', 'archive/main.tar.gz') {
            my $type = $path =~ /^raw/ ? qr{^text/plain; charset=utf-8} : qr{^application/octet-stream};
            is ask('GET', "/mara/private/$path")->{status}, 404, "$path is not for nobody";
            answers(ask('GET', "/mara/private/$path", as => $token{mara}), 200, $type, 'by token');
            answers(ask('GET', "/mara/private/$path", basic => $token{mara}), 200, $type, 'by Basic');
            answers(ask('GET', "/mara/private/$path", session => $jar), 200, $type, 'by session');
            is ask('GET', "/mara/private/$path", as => $token{carl}, session => $jar)->{status}, 404, 'a token of somebody else wins over it';
            answers(ask('GET', "/mara/public/$path", as => 'f' x 40), 401, qr{^text/plain}, 'a wrong token is refused, where none is needed');
            answers(ask('GET', "/mara/public/$path"), 200, $type, 'a public one');
        }
        is ask('GET', '/mara/public/raw/branch/main/hello.txt')->{body}, "Hello, public.\n", 'as it was written';
        is ask('GET', '/mara/public/raw/branch/main/none')->{status}, 404, 'what is not there is not found';
    };
    return;
}

sub answers_large_files_and_registry {
    subtest 'large files, and the registry' => sub {
        my $type = qr{^application/vnd\.git-lfs\+json};
        my %object = (oid => '98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4', size => 3);
        my $batch = sub {
            my ($repository, $operation, %with) = @_;
            return ask('POST', "/mara/$repository.git/info/lfs/objects/batch", %with, data => encode_json({ operation => $operation,
                transfers => ['basic'], objects => [ \%object ] }), head => [ map { "$_: application/vnd.git-lfs+json" } 'Accept', 'Content-Type' ]);
        };
        for my $wrong ({}, { as => $token{mara} }, { basic => $token{carl} }) {
            my $answer = answers($batch->('private', 'upload', %$wrong), 401, $type, 'not for nobody, not by token, not for somebody else');
            like $answer->{head}, qr/^www-authenticate: Basic/mi, 'Basic is asked for';
        }
        my $upload = answers($batch->('private', 'upload', basic => $token{mara}), 200, $type, 'by Basic')->{json}{objects}[0]{actions}{upload};
        is $upload->{href}, "https://$HOST/mara/private.git/info/lfs/objects/$object{oid}/3", 'where to put it, by the name in front';
        is $upload->{header}{Authorization}, 'Basic ' . encode_base64("anybody:$token{mara}", ''), 'with the same credentials';
        is answers($batch->('public', 'download'), 200, $type, 'what is not there')->{json}{objects}[0]{error}{code}, 404, 'is not found';
        is $batch->('none', 'download', basic => $token{mara})->{status}, 404, 'a repository that is not there';

        my $challenge = answers(ask('GET', '/v2/'), 401, $JSON_TYPE, 'the registry');
        like $challenge->{head}, qr{^www-authenticate: Bearer realm="https://\Q$HOST\E/v2/token",service="container_registry"}mi, 'says where';
        my $answer = answers(ask('GET', '/v2/token?service=container_registry', basic => $token{mara}), 200, $JSON_TYPE, 'a token by Basic');
        my $claims = decode_json(decode_base64url((split /\./, $answer->{json}{token})[1]));
        is $claims->{UserID}, ask('GET', '/api/v1/user', as => $token{mara})->{json}{id}, "has the user's id in it";
        is ask('GET', '/v2/token', basic => 'f' x 40)->{status}, 401, 'wrong credentials';
        is ask('GET', '/v2/token', basic => $token{narrow})->{status}, 401, 'without the scope';
        is ask('GET', '/v2/token', as => $token{mara})->{status}, 401, 'not by token';
        is ask('GET', '/v2/token')->{status}, 200, "nobody's";
    };
    return;
}

sub keeps_prohibited_users_out {
    subtest 'a user who may not sign in' => sub {
        my $page = qr{^text/html};
        answers(patch_user('mara', prohibit_login => JSON::PP::true), 200, $JSON_TYPE, 'told so');
        for my $name (qw(mara narrow)) {
            like answers(ask('GET', '/login/oauth/userinfo', as => $token{$name}), 200, $page, "userinfo, $name: a page")->{body},
                qr/Sign-In Prohibited/, 'that says so';
            my $answer = answers(ask('GET', '/api/v1/user', as => $token{$name}), 403, $JSON_TYPE, 'the API');
            like $answer->{json}{message}, qr/^This account is prohibited from signing in/, 'says so';
            unlike $answer->{json}{message}, qr/scope/, 'and nothing of a scope';
        }
        is ask('GET', '/api/v1/version', as => $token{mara})->{status}, 403, 'also where none is needed';
        for my $path ('/mara/public.git/info/refs?service=git-upload-pack', '/mara/private.git/info/refs?service=git-upload-pack',
            '/mara/public/raw/branch/main/hello.txt', '/mara/public/archive/main.tar.gz') {
            answers(ask('GET', $path, basic => $token{mara}), 200, $page, "$path: a page");
        }
        answers(ask('GET', $_, session => $jar), 200, $page, "$_: a page") for qw(/ /user/settings /mara/private);
        like ask('GET', '/user/settings', session => $jar)->{body}, qr/Sign-In Prohibited/, 'the same';
        like decode_base64url((split /\./, ask('GET', '/v2/token', basic => $token{mara})->{body})[1]), qr/"UserID": ?[1-9]/,
            'the registry still gives a token, and names its user';
        my ($answer) = sign_in('good.sub-mara');
        is "$answer->{status} $answer->{location} $answer->{sessions}", '303 / 1', 'signs in as ever';
        like ask('GET', '/user/settings', session => $answer->{cookies}{i_like_gitea}{value})->{body}, qr/Sign-In Prohibited/, 'to that page';
        is ask('GET', '/user/events', session => $jar, patience => 1)->{status}, 200, 'events stay open';
        is ask('GET', '/mara/public')->{status}, 200, 'what is public stays so';
        answers(patch_user('mara', prohibit_login => JSON::PP::false), 200, $JSON_TYPE, 'told otherwise');
        like ask('GET', '/user/settings', session => $jar)->{body}, qr/value="mara"/, 'the session is as before';
        is ask('GET', '/api/v1/user', as => $token{mara})->{status}, 200, 'and the token';
    };
    return;
}

sub reads_paths {
    subtest 'paths and health' => sub {
        is answers(ask('GET', '/api/healthz'), 200, $JSON_TYPE, 'health')->{json}{status}, 'pass', 'is well';
        like ask('HEAD', '/')->{head}, qr/^HTTP\/1.1 200 .*^date: /msi, 'HEAD, with the time';
        is ask('GET', $_)->{status}, 200, "$_ is found: runs of slashes are one, and the last does not count" for '//user//login/', '/user/login/',
            '//api//v1//version', '/mara//public.git//info/refs?service=git-upload-pack';
        is ask('GET', $_)->{status}, 200, "$_ is found: owner and repository have no case" for '/MARA/Public', '/Mara/PUBLIC.git/info/refs';
        is ask('GET', $_)->{status}, 404, "$_ is not: fixed parts are as they are" for '/%61pi/v1/version', '/API/v1/version', '/a/./b',
            '/api/v1/../v1/version', '/user/logout';
    };
    return;
}

# Only the stand-in: what it says of itself, and what a real one does not do on demand.
sub is_loud_and_shows_faults {
    my $notice = qr/This is a stand-in, not Gitea/;
    subtest 'the stand-in says what it is' => sub {
        like ask('GET', $_)->{body}, $notice, "on $_" for '/', '/user/login', '/mara', '/explore/repos', '/mara/public', '/api/healthz';
        like slurp($gitea->{log}), $notice, 'in its log';
        like scalar capture($gitea->as_gitea, $gitea->{binary}, '--version'), $notice, 'and with its version';
    };
    subtest 'the stand-in shows faults' => sub {
        my $order = sub { spew("$gitea->{dir}/faults", join '', map { "$_\n" } @_) };
        $order->('slow 0.7 /explore');
        my $start = time;
        is ask('GET', '/explore/repos')->{status}, 200, 'slow: answered';
        cmp_ok time - $start, '>=', 0.7, 'but late';
        $start = time;
        ask('GET', '/api/healthz');
        cmp_ok time - $start, '<', 0.6, 'other paths are not';
        $order->('status 503');
        is ask('GET', '/api/v1/version')->{status}, 503, 'a status';
        $order->('cut-head');
        unlike ask('GET', '/')->{head}, qr/\r\n\r\n|content-type/i, 'the connection ends in the head';
        $order->('garbage');
        isnt ask('GET', '/')->{failed}, 0, 'garbage';
        $order->('cut-body');
        my $answer = ask('GET', '/');
        is "$answer->{failed} " . length $answer->{body}, '18 4', 'the connection ends in the body';
        $order->('refuse');
        isnt ask('GET', '/', patience => 1)->{failed}, 0, 'no connection is accepted';
        unlink "$gitea->{dir}/faults";
        is ask('GET', '/')->{status}, 200, 'and all is well without the file';
        is ask('GET', '/', head => ['X-Stand-In-Fault: status 502'])->{status}, 502, 'by a field, for one request';
    };
    return;
}
