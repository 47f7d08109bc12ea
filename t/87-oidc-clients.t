# Clients that others wrote sign in by us with their defaults: npm's openid-client and Debian's mod_auth_openidc.

use strict;
use warnings;
use File::Temp;
use FindBin;
use IPC::Open2;
use JSON::PP;
use Test::More;
use Teagate::Test;
use Teagate::Shell;
use Teagate::WebDriver;

my $contract = system_or_skip();
my $auth = $contract->{auth_url};
my $active = account('active');
my $dir = File::Temp->newdir('teagate-test-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";

# Registers a client; the JSON that was printed.
sub add_client {
    my (@options) = @_;
    my ($code, $text) = teagate(qw(client add), @options, '--json');
    is($code, 0, 'the client is registered') or diag $text;
    return decode_json($text);
}

# Sends the page's form with its hidden fields and these; the answer, redirects not followed.
sub submit {
    my ($browser, $page, @fields) = @_;
    my ($action) = $page->{body} =~ /<form[^>]*method="post"[^>]*action="([^"]*)"/i or die "no form at $page->{url}: $page->{body}";
    my @hidden;
    while ($page->{body} =~ /<input\b[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"/gi) {
        push @hidden, "$1=" . Teagate::Browser::unescape($2);
    }
    my ($origin) = $page->{url} =~ m{^(https://[^/]+)};
    my $answer = $browser->request('POST', Teagate::Browser::absolute($page->{url}, Teagate::Browser::unescape($action)),
        headers => [ "Origin: $origin", 'Sec-Fetch-Site: same-origin' ], form => [ @hidden, @fields ]);
    $answer->{url} = Teagate::Browser::absolute($page->{url}, $action);
    return $answer;
}

# Follows redirects while they stay at the provider; the page there, or the address that leads away.
sub follow {
    my ($browser, $url) = @_;
    for (1 .. 8) {
        return { away => $url } if $url !~ m{^\Q$auth\E/};
        my $answer = $browser->request('GET', $url, headers => ['Accept: text/html']);
        $answer->{url} = $url;
        return $answer unless $answer->{status} =~ /^30[123]$/;
        $url = Teagate::Browser::absolute($url, $answer->{location});
    }
    die "too many redirects, the last to $url";
}

# From the authorization URL over sign-in and consent to the address that leads back to the client.
sub sign_in {
    my ($browser, $url, $button) = @_;
    my $page = follow($browser, $url);
    if ($page->{body} && $page->{body} =~ /name="password"/) {
        my $answer = submit($browser, $page, "name=$active->{login}", "password=$active->{password}");
        is($answer->{status}, 303, 'signed in');
        $page = follow($browser, Teagate::Browser::absolute($page->{url}, $answer->{location}));
    }
    return $page->{away} if $page->{away};
    like($page->{body}, qr/wants to sign you in/, 'somebody is asked');
    my $answer = submit($browser, $page, 'answer=' . ($button // 'allow'));
    is($answer->{status}, 303, 'and sent on');
    return $answer->{location};
}

subtest 'clients are rows: add, list, show, remove' => sub {
    my $client = add_client('Tool', '--redirect-uri', 'https://tool.example/cb https://tool.example/other', '--post-logout-redirect-uri',
        'https://tool.example/', '--scope', 'email groups');
    is_deeply($client->{redirect_uris}, [ 'https://tool.example/cb', 'https://tool.example/other' ], 'several addresses');
    is_deeply($client->{scope}, [qw(openid email groups)], 'openid goes without saying');
    like($client->{client_secret}, qr/^[\w-]{43}$/, 'a secret');
    my ($code, $text) = teagate(qw(client show), $client->{client_id}, '--json');
    my $shown = decode_json($text);
    delete $client->{$_} for qw(client_secret issuer);
    is_deeply($shown, $client, 'show says the same, but for the secret');
    (undef, $text) = teagate(qw(client list --json));
    ok((grep { $_->{client_id} eq $client->{client_id} } @{ decode_json($text) }), 'list has it');
    my ($gitea) = grep { $_->{kind} eq 'gitea' } @{ decode_json($text) };
    ($code, $text) = teagate(qw(client remove), $gitea->{client_id});
    is($code, 1, "Gitea's is not removed");
    like($text, qr/gitea setup/, 'and it is said why');
    is((teagate(qw(client remove), $client->{client_id}))[0], 0, 'remove');
    is((teagate(qw(client show), $client->{client_id}))[0], 3, 'it is gone');
    is((teagate(qw(client remove), $client->{client_id}))[0], 3, 'and cannot go twice');
    for (['http://tool.example/cb'], ['https://tool.example/#x'], ['tool.example'], [' ']) {
        is((teagate(qw(client add Tool --redirect-uri), @$_))[0], 1, "$_->[0] is refused");
    }
};

my $client = add_client('Woodpecker', '--redirect-uri', 'https://ci.example/authorize', '--post-logout-redirect-uri', 'https://ci.example/bye');
my $native = add_client('Native', '--public', '--redirect-uri', 'http://127.0.0.1/cb', '--post-logout-redirect-uri', 'http://127.0.0.1/bye');
ok(!exists $native->{client_secret}, 'a public client has no secret');

sub authorize_url {
    my ($id, %parameters) = @_;
    my %all = (client_id => $id, response_type => 'code', scope => 'openid', %parameters);
    return "$auth/authorize?" . join '&', map { my $v = $all{$_}; $v =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ge; "$_=$v" } sort keys %all;
}

subtest 'criterion 36: our pages cannot be framed, kept or made to load from elsewhere' => sub {
    my $browser = browser();
    my $url = authorize_url($client->{client_id}, redirect_uri => 'https://ci.example/authorize');
    my $sign_in = follow($browser, $url);
    my $answer = submit($browser, $sign_in, "name=$active->{login}", "password=$active->{password}");
    my $consent = follow($browser, Teagate::Browser::absolute($sign_in->{url}, $answer->{location}));
    my $ends = follow($browser, "$auth/end-session");
    for (['sign-in', $sign_in], ['consent', $consent], ['sign-out', $ends], ['an error', follow($browser, "$auth/authorize")]) {
        my ($name, $page) = @$_;
        like($page->{headers}, qr/^content-security-policy:[^\n]*default-src 'none'[^\n]*frame-ancestors 'none'/mi, "$name: the policy");
        like($page->{headers}, qr/^x-frame-options: DENY/mi, "$name: no frame");
        like($page->{headers}, qr/^referrer-policy: no-referrer/mi, "$name: no referrer");
        like($page->{headers}, qr/^x-content-type-options: nosniff/mi, "$name: no guessing");
        like($page->{headers}, qr/^cache-control: [^\n]*no-store/mi, "$name: not kept");
        unlike($page->{body}, qr{(?:src|href)="https?://(?!\Q$auth\E)[^"]*\.(?:css|js|png|woff2?)"}, "$name: nothing from elsewhere");
        unlike($page->{headers}, qr/^access-control-allow-origin/mi, "$name: no CORS");
    }
    like($_->{headers}, qr{form-action 'self' https://ci\.example(?:[;\s]|$)}mi, 'the form may end at the client') for $sign_in, $consent;
};

subtest 'criterion 83: the sign-in form and the sign-out page do nothing by GET or HEAD' => sub {
    my $browser = browser();
    my $get = $browser->request('GET', "$auth/sign-in?name=$active->{login}&password=$active->{password}");
    is($get->{status}, 200, 'the form');
    unlike($get->{headers}, qr/__Host-tg-session/, 'nobody is signed in by an address');
    sign_in($browser, authorize_url($client->{client_id}, redirect_uri => 'https://ci.example/authorize'), 'deny');
    for my $path ('/sign-out', '/end-session', "/end-session?client_id=$client->{client_id}", '/consent?answer=allow') {
        $browser->request($_, "$auth$path") for qw(HEAD GET);
    }
    is($browser->request('GET', "$auth/")->{status}, 200, 'the session goes on');
};

subtest 'criterion 19: iss is in the answers that go out and in those that come back' => sub {
    my $url = authorize_url($client->{client_id}, redirect_uri => 'https://ci.example/authorize', prompt => 'none');
    (my $issuer = $auth) =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ge;
    like(follow(browser(), $url)->{away}, qr/^https:\/\/ci\.example\/authorize\?error=login_required&.*iss=\Q$issuer\E$/, 'with an error');
    like(sign_in(browser(), authorize_url($client->{client_id}, redirect_uri => 'https://ci.example/authorize'), 'deny'),
        qr/\?error=access_denied&.*iss=\Q$issuer\E$/, 'with a refusal');
};

subtest 'criterion 85: git without credentials is asked for them, and never sent to a page' => sub {
    my $answer = curl("$contract->{git_url}/$active->{login}/private.git/info/refs?service=git-upload-pack");
    is($answer->{status}, 401, 'refused');
    like($answer->{headers}, qr/^www-authenticate: Basic/mi, 'with Basic');
    unlike($answer->{headers}, qr/^location:/mi, 'no redirect');
};

subtest 'in a browser: consent, a blocked account, sign-out; on a phone as well' => sub {
    plan skip_all => 'there is no chromium with its driver' unless Teagate::WebDriver::available();
    for my $look ([ 'desktop', '1280,900' ], [ 'phone', '500,900' ]) {
        my ($name, $size) = @$look;
        my $port = Teagate::Shell::free_port(); # nobody listens there: where the browser wants to go is enough
        my $back = "http://127.0.0.1:$port/cb";
        my $row = add_client("Tool on a $name", '--redirect-uri', 'http://127.0.0.1/cb https://ci.example/', '--post-logout-redirect-uri', $back,
            '--scope', 'profile email groups');
        my $driver = Teagate::WebDriver->new(size => $size);
        my $url = authorize_url($row->{client_id}, redirect_uri => $back, scope => 'openid profile email groups', state => 's');
        open_signed_in($driver, $url, $active);
        ok(wait_until(10, sub { $driver->text =~ /wants to sign you in/ }), "$name: consent") or diag $driver->url, $driver->text;
        look_at($driver, "consent-$name");
        $driver->click('button[value=allow]');
        ok(wait_until(10, sub { $driver->url =~ m{^\Q$back\E\?code=.*state=s} }), "$name: back at the client") or diag $driver->url;
        $driver->go("$auth/end-session?client_id=$row->{client_id}&post_logout_redirect_uri=$back&state=s");
        look_at($driver, "end-session-$name");
        $driver->click('button.tg-go');
        ok(wait_until(10, sub { $driver->url eq "$back?state=s" }), "$name: signed out, and back at the client") or diag $driver->url;

        open_signed_in($driver, $url, account('expired'));
        ok(wait_until(10, sub { $driver->text =~ /closed, and kept/ }), "$name: a blocked account reads why") or diag $driver->url, $driver->text;
        look_at($driver, "blocked-$name");
        $driver->click("a[href^='$back?error=access_denied']");
        ok(wait_until(10, sub { $driver->url =~ /error=access_denied.*state=s/ }), "$name: and goes on to access_denied") or diag $driver->url;
    }
};

subtest 'openid-client: discovery, PKCE, userinfo and sign-out with its defaults' => sub {
    my $npm = install_npm() or plan skip_all => 'there is no npm, or no registry, to get openid-client from';
    for (['with a secret', $client, 'https://ci.example/authorize', 'https://ci.example/bye'],
        ['public, on a port of its own', $native, 'http://127.0.0.1:51737/cb', 'http://127.0.0.1/bye']) {
        my ($name, $row, $redirect_uri, $bye) = @$_;
        my $browser = browser();
        my ($pid, $out, $in) = start_node($npm, $row, $redirect_uri, $bye);
        my $away = sign_in($browser, answer_of($out)->{authorize});
        like($away, qr/^\Q$redirect_uri\E\?code=/, "$name: back with a code");
        print {$in} "$away\n";
        my $result = answer_of($out);
        is($result->{claims}{sub}, $result->{userinfo}{sub}, "$name: sub is the same in both");
        is($result->{userinfo}{preferred_username}, $active->{login}, "$name: it is who signed in");
        is($result->{userinfo}{email}, $active->{email}, "$name: with the address");
        like(follow($browser, $result->{end_session})->{away} // '', qr/^\Q$bye\E\?state=s$/, "$name: signed out, and back");
        like(follow($browser, authorize_url($row->{client_id}, redirect_uri => $redirect_uri, prompt => 'none', code_challenge => 'x' x 43,
            code_challenge_method => 'S256'))->{away}, qr/error=login_required/, "$name: criterion 73, nobody is signed in");
        close $in;
        waitpid $pid, 0;
        is($?, 0, "$name: the library was content");
    }
};

subtest 'mod_auth_openidc signs in with its defaults, also after the keys were changed' => sub {
    my $module = '/usr/lib/apache2/modules/mod_auth_openidc.so';
    plan skip_all => 'apache2-bin and libapache2-mod-auth-openidc are not installed' unless -x '/usr/sbin/apache2' && -e $module;
    my $port = Teagate::Shell::free_port();
    my $pid = start_apache($port, add_client('Wiki', '--redirect-uri', 'http://127.0.0.1/private/return'));
    like(apache_page($port), qr/^hello \Q$active->{login}\E/, 'a page behind it opens');
    is((teagate(qw(keys rotate --now)))[0], 0, 'the keys change');
    sleep 6; # until every process has read them
    like(apache_page($port), qr/^hello \Q$active->{login}\E/, 'criterion 10: the new key is found');
    Teagate::Shell::stop($pid);
    my $log = slurp("$dir/apache/error.log");
    like($log, qr/could not find a key in the cached JSON Web Keys, doing a forced refresh/, 'by a look at the JWK set');
    unlike($log, qr/auth_openidc:error/, 'it complained of nothing') or diag $log;
};

subtest 'criterion 10: a key that has been published for a day signs, the one before goes when its tokens have' => sub {
    my ($state) = slurp($contract->{config_file}) =~ /^state:\s*"?([^"\s]+)/m;
    my $database = ($state =~ m{^/} ? $state : ($contract->{config_file} =~ s{[^/]*$}{}r) . $state) . '/truth.db';
    my $age = sub { # as if time had passed
        run({ user => scalar getpwuid((stat $database)[4]) }, 'sqlite3', '-cmd', '.timeout 5000', $database, "UPDATE signing_key SET since_s = since_s - $_[0]");
    };
    my $states = sub { my %of = map { $_->{kid} => $_->{state} } @{ decode_json((teagate(qw(keys list --json)))[1]) }; return \%of };
    my ($current) = grep { $states->()->{$_} eq 'current' } keys %{ $states->() };
    is((teagate(qw(keys rotate)))[0], 0, 'rotate');
    my ($next) = grep { $states->()->{$_} eq 'next' } keys %{ $states->() };
    is((teagate(qw(keys rotate)))[0], 4, 'twice is once');
    $age->(86400 + 60);
    ok(wait_until(25, sub { $states->()->{$next} eq 'current' }), 'a day later it signs') or diag explain $states->();
    is($states->()->{$current}, 'retired', 'and the other one retires');
    $age->(86400 + 60);
    sleep 12;
    is($states->()->{$current}, 'retired', 'it is published until its last token has expired');
    $age->(3600);
    ok(wait_until(25, sub { !$states->()->{$current} }), 'and then it goes') or diag explain $states->();
};

done_testing;

sub open_signed_in {
    my ($driver, $url, $account) = @_;
    $driver->go($url);
    $driver->type('input[name=name]', $account->{login});
    $driver->type('input[name=password]', $account->{password});
    $driver->click('button.tg-go');
}

# What holds of each page of ours, and its picture for who wants it.
sub look_at {
    my ($driver, $name) = @_;
    is($driver->script('return document.querySelectorAll(".tg-go").length'), 1, "$name: one button");
    is($driver->script('return document.documentElement.scrollWidth <= window.innerWidth'), JSON::PP::true(), "$name: nothing is cut off");
    is_deeply([ grep { !/status of 402/ } $driver->complaints ], [], "$name: the page breaks none of its own rules");
    mkdir $ENV{TG_SCREENSHOTS} if $ENV{TG_SCREENSHOTS};
    $driver->screenshot("$ENV{TG_SCREENSHOTS}/$name.png") if $ENV{TG_SCREENSHOTS};
}

sub install_npm {
    return unless grep { -x "$_/npm" } split /:/, $ENV{PATH};
    mkdir "$dir/npm";
    Teagate::Shell::spew("$dir/npm/package.json", '{"private":true,"type":"module"}');
    my ($code) = capture({ any_status => 1 }, qw(npm install --silent --no-audit --no-fund --ignore-scripts --fetch-retries=1 --fetch-timeout=20000
        --prefix), "$dir/npm", 'openid-client@6');
    return $code == 0 ? "$dir/npm" : undef;
}

# The library runs in a process that tells us where to go, and is told where that ended.
sub start_node {
    my ($npm, $row, $redirect_uri, $bye) = @_;
    Teagate::Shell::spew("$npm/localhost.cjs", <<'JS');
// names below localhost are this machine, as browsers and curl know (RFC 6761 6.3)
const dns = require('node:dns'), lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(/(^|\.)localhost$/.test(name) ? '127.0.0.1' : name, ...rest);
JS
    Teagate::Shell::spew("$npm/client.mjs", <<'JS');
import * as client from 'openid-client';
import { createInterface } from 'node:readline';
const [issuer, id, secret, redirect_uri, bye] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
const config = secret ? await client.discovery(new URL(issuer), id, secret) : await client.discovery(new URL(issuer), id, undefined, client.None());
const pkceCodeVerifier = client.randomPKCECodeVerifier(), expectedState = client.randomState(), expectedNonce = client.randomNonce();
say({ authorize: client.buildAuthorizationUrl(config, { redirect_uri, scope: 'openid profile email', state: expectedState, nonce: expectedNonce,
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256' }).href });
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const back = new URL((await lines.next()).value);
const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState, expectedNonce });
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
say({ claims, userinfo, end_session: client.buildEndSessionUrl(config, { post_logout_redirect_uri: bye, id_token_hint: tokens.id_token, state: 's' }).href });
await lines.next();
process.exit(0);
JS
    local $ENV{NODE_EXTRA_CA_CERTS} = $contract->{ca_file};
    my $pid = open2(my $out, my $in, qw(node --require), "$npm/localhost.cjs", "$npm/client.mjs", $auth, $row->{client_id}, $row->{client_secret} // '',
        $redirect_uri, $bye);
    $in->autoflush;
    return ($pid, $out, $in);
}

sub answer_of {
    my ($out) = @_;
    local $SIG{ALRM} = sub { die "openid-client did not answer\n" };
    alarm 60;
    my $line = <$out>;
    alarm 0;
    return decode_json($line // die "openid-client ended\n");
}

# As a user without rights, on loopback, with nothing but what the module needs.
sub start_apache {
    my ($port, $row) = @_;
    my $root = "$dir/apache";
    my @owner = getpwnam($> == 0 ? 'nobody' : getpwuid $>);
    mkdir $_ for $root, "$root/htdocs", "$root/htdocs/private";
    Teagate::Shell::spew("$root/htdocs/private/index.shtml", "hello <!--#echo var=\"OIDC_CLAIM_preferred_username\" -->\n");
    my $modules = join "\n", map { "LoadModule ${_}_module /usr/lib/apache2/modules/mod_$_.so" } qw(mpm_prefork authn_core authz_core authz_user
        auth_openidc dir mime include);
    Teagate::Shell::spew("$root/ca.crt", slurp($contract->{ca_file}));
    Teagate::Shell::spew("$root/apache.conf", <<"CONF");
ServerRoot $root
ServerName 127.0.0.1
Listen 127.0.0.1:$port
PidFile $root/pid
ErrorLog $root/error.log
DefaultRuntimeDir $root
TypesConfig /dev/null
Mutex file:$root default
$modules
DocumentRoot $root/htdocs
DirectoryIndex index.shtml
OIDCProviderMetadataURL $auth/.well-known/openid-configuration
OIDCClientID $row->{client_id}
OIDCClientSecret $row->{client_secret}
OIDCRedirectURI http://127.0.0.1:$port/private/return
OIDCScope "openid profile email"
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCCABundlePath $root/ca.crt
AddOutputFilter INCLUDES .shtml
<Directory $root/htdocs>
  Options +Includes
  Require all granted
</Directory>
<Location /private>
  AuthType openid-connect
  Require valid-user
</Location>
CONF
    chown @owner[2, 3], $root, glob("$root/*"), glob("$root/htdocs/*");
    my $pid = Teagate::Shell::spawn({ log => "$root/out", user => $owner[0], dir => '/' }, qw(/usr/sbin/apache2 -X -f), "$root/apache.conf");
    Teagate::Shell::wait_until(20, sub { -e "$root/pid" && curl("http://127.0.0.1:$port/")->{status} })
        or BAIL_OUT("apache did not start: " . slurp("$root/out") . (-e "$root/error.log" ? slurp("$root/error.log") : ""));
    return $pid;
}

sub apache_page {
    my ($port) = @_;
    my $browser = browser(protocol => '--http1.1');
    my $start = $browser->request('GET', "http://127.0.0.1:$port/private/", headers => ['Accept: text/html']);
    is($start->{status}, 302, 'apache sends us to sign in');
    my $away = sign_in($browser, $start->{location});
    like($away, qr{^http://127\.0\.0\.1:$port/private/return\?code=}, 'and is given a code');
    my $back = $browser->request('GET', $away, headers => ['Accept: text/html']);
    is($back->{status}, 302, 'it takes it');
    return $browser->request('GET', Teagate::Browser::absolute($away, $back->{location} // '/'))->{body};
}
