# gateway/gitea/ and a Gitea: set-up, users, whose a token is

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../scripts/lib";
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use Teagate::GiteaServer;
use Teagate::Shell qw(capture spew slurp free_port ids_of);
use Test::More;
use Time::HiRes qw(time sleep);

my $binary = Teagate::GiteaServer::choose() or plan skip_all => 'there is no Gitea on this machine';
my $driver = ($ENV{TG_BUILD} // 'build') . '/t/unit/gitea/gitead';
-x $driver or plan skip_all => "$driver is not built";

my $HOST = 'git.example.test';
my ($user, $made_user, $gitea, $provider) = ('', 0);
my $dir = tempdir('teagate-gitea-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;

# As root Gitea needs a user of its own, and a program that this user can reach.
if ($> == 0) {
    $user = "tg-test-$$";
    system(qw(useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin), $user) == 0 or BAIL_OUT("useradd $user");
    $made_user = 1;
    $binary = Teagate::GiteaServer::place($binary, "$dir/bin", $user);
}

END {
    my $status = $?;
    if ($$ == ($main::parent // 0)) {
        eval { $gitea->stop_server } if $gitea && $gitea->{pid};
        if ($provider) { kill TERM => $provider; waitpid $provider, 0 }
        system('userdel', $user) if $made_user;
    }
    $? = $status;
}
our $parent = $$;

my $state = "$dir/state";
mkdir $state;
$gitea = Teagate::GiteaServer->new(dir => "$dir/gitea", user => $user, binary => $binary, root_url => "https://$HOST/");
$gitea->prepare;

sub gitead {
    my (@command) = @_;
    my ($status, $text) = capture({ any_status => 1 }, $driver, $state, $HOST, $gitea->{socket}, $gitea->{token_file}, $binary, $gitea->{config}, @command);
    chomp $text;
    return wantarray ? ($status, $text) : $text;
}

# Enough of a provider for Gitea: its metadata, at any address.
sub start_provider {
    my $port = free_port();
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1) or BAIL_OUT("port: $!");
    $provider = fork // die;
    return $port if $provider;
    my $base = "http://127.0.0.1:$port";
    my $body = encode_json({ issuer => 'https://auth.example.test', authorization_endpoint => 'https://auth.example.test/authorize',
        token_endpoint => "$base/token", userinfo_endpoint => "$base/userinfo", jwks_uri => "$base/jwks" });
    while (1) {
        my $client = $socket->accept or next;
        while (my $line = <$client>) { last if $line =~ /^\r?\n/ }
        print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ", length $body, "\r\n\r\n$body";
        close $client;
    }
}

my $port = start_provider();
my $backchannel = "http://127.0.0.1:$port";
$gitea->write_config(scalar gitead('app-ini'));
$gitea->start;
$gitea->ensure_admin;
ok(1, 'Gitea starts with the fragment that set-up prints');

sub auth_list { return scalar $gitea->command(qw(admin auth list --vertical-bars)) }

sub token_of {
    my ($login, $scopes) = @_;
    my $text = $gitea->command(qw(admin user generate-access-token --raw --username), $login, '--scopes', $scopes, '--token-name', 'n' . int rand 1e9);
    return $text =~ /\b([0-9a-f]{40})\b/ ? $1 : BAIL_OUT("no token: $text");
}

subtest 'its version is known, and an administrator token that others may read is not used' => sub {
    my ($status, $text) = gitead('version');
    is $status, 0, 'answered';
    like $text, qr/^1\.\d+/, 'a version';
    chmod 0644, $gitea->{token_file};
    ($status, $text) = gitead('version');
    isnt $status, 0, 'not with a token that everybody can read';
    like $text, qr/admin-token: others may read or change it; chmod 640 or 600/, 'and why';
    chmod 0600, $gitea->{token_file};
};

subtest 'set-up makes the source, and says so' => sub {
    is gitead('provision', 'x'), 'gitead: no such account', 'nothing yet';
    my ($status, $text) = gitead('setup', 'http://127.0.0.1:1');
    isnt $status, 0, 'without a back-channel it fails';
    like $text, qr/did not make the source teagate/, 'and says what Gitea said';
    ($status, $text) = gitead('setup', $backchannel);
    is $status, 0, 'done' or diag $text;
    like $text, qr/^source teagate \(id \d+\) made$/m, 'made';
    like $text, qr/^Gitea's sign-in leads to us and back to https:\/\/git\.example\.test\/user\/oauth2\/teagate\/callback$/m, 'read back';
    like $text, qr/^restart: no$/m, 'no restart is needed';
    like auth_list(), qr/\|teagate\s*\|OAuth2\s*\|true/, 'Gitea lists it';
};

subtest 'a second set-up changes nothing' => sub {
    my ($client, $list) = (scalar gitead('client'), auth_list());
    my ($status, $text) = gitead('setup', $backchannel);
    is $status, 0, 'done';
    like $text, qr/^client \w+ is registered already$/m, 'client';
    like $text, qr/^source teagate \(id \d+\) is as it should be$/m, 'source';
    like $text, qr/^restart: no$/m, 'no restart';
    is scalar gitead('client'), $client, 'client, secret and source id are the same';
    is auth_list(), $list, 'so is the list';
};

subtest 'another back-channel is told to Gitea, and the restart that this needs is asked for' => sub {
    my $client = gitead('client');
    my ($status, $text) = gitead('setup', "$backchannel/other");
    is $status, 0, 'done';
    like $text, qr/^source teagate \(id \d+\) updated$/m, 'updated';
    like $text, qr/^restart: yes$/m, 'restart';
    isnt scalar gitead('client'), $client, 'a new secret';
    ($status, $text) = gitead('setup', $backchannel, 'force');
    is $status, 0, 'and back, by force';
    is scalar gitead('client'), $client, 'the same words make the same secret';
    $gitea->stop_server;
    $gitea->start;
    ($status, $text) = gitead('setup', $backchannel);
    like $text, qr/is as it should be.*leads to us.*restart: no/s, 'after the restart all is well';
};

my %sub;
subtest 'an account gets its user, once, whoever asks at the same time' => sub {
    $sub{mara} = gitead('add', 'mara', 'mara@example.test');
    my @running = map { open my $out, '-|', $driver, $state, $HOST, $gitea->{socket}, $gitea->{token_file}, $binary, $gitea->{config}, 'provision', 'mara'; $out } 1 .. 6;
    my @answers = map { my $line = <$_> // ''; chomp $line; close $_; $line } @running;
    my ($status, $users) = $gitea->api('GET', '/api/v1/admin/users?limit=50', $gitea->admin_token);
    my @hers = grep { $_->{login_name} eq $sub{mara} } @$users;
    is scalar @hers, 1, 'one user has her subject';
    is_deeply \@answers, [ ("0 $hers[0]{id}") x 6 ], 'all were told so';
    is $hers[0]{login}, 'mara', 'name';
    is $hers[0]{email}, 'mara@example.test', 'e-mail';
    is $hers[0]{full_name}, 'Full mara', 'full name';
    like gitead('client'), qr/ $hers[0]{source_id}$/, 'of our source';
    is gitead('provision', 'mara'), "0 $hers[0]{id}", 'and again';
};

subtest 'a name or an address that somebody else has there is a clash, never taken over' => sub {
    $gitea->command(qw(admin user create --username taken --email taken@other.test --password), 'a1!Bcdefghij', '--must-change-password=false');
    gitead('add', 'taken', 'fresh@example.test');
    gitead('add', 'fresh', 'taken@other.test');
    like gitead('provision', 'taken'), qr/^1 /, 'name';
    like gitead('provision', 'fresh'), qr/^1 /, 'e-mail';
};

subtest 'two users for one subject are not chosen from' => sub {
    my ($source) = gitead('client') =~ /(\d+)$/;
    my ($status) = $gitea->api('POST', '/api/v1/admin/users', $gitea->admin_token,
        { username => 'mara2', email => 'mara2@example.test', source_id => 0 + $source, login_name => $sub{mara}, must_change_password => JSON::PP::false });
    is $status, 201, 'Gitea lets it be';
    like gitead('provision', 'mara'), qr/^3 /, 'unavailable';
    $gitea->api('DELETE', '/api/v1/admin/users/mara2', $gitea->admin_token);
    like gitead('provision', 'mara'), qr/^0 /, 'and confirmed when one is gone';
};

subtest 'whose a token is, whatever its scope' => sub {
    my ($id) = gitead('provision', 'mara') =~ /^0 (\d+)/;
    for my $scope ('all', 'read:user', 'write:repository', 'read:package', 'public-only,read:issue') {
        is gitead('resolve', token_of('mara', $scope)), "user $id", $scope;
    }
    is gitead('resolve', 'f' x 40), 'invalid 0', 'one that nobody has';
    is gitead('resolve', "a b"), 'invalid 0', 'one that cannot be a token';
    is gitead('resolve', "x\r\nX-Evil: y"), 'invalid 0', 'one that would be a header of its own';
};

subtest 'a user whom Gitea forbids to sign in is told from one with a bad token' => sub {
    my ($token, $narrow) = (token_of('mara', 'all'), token_of('mara', 'write:repository'));
    my ($source) = gitead('client') =~ /(\d+)$/;
    my %same = (login_name => $sub{mara}, source_id => 0 + $source);
    my ($status) = $gitea->api('PATCH', '/api/v1/admin/users/mara', $gitea->admin_token, { %same, prohibit_login => JSON::PP::true });
    is $status, 200, 'forbidden';
    like gitead('resolve', $token), qr/^prohibited [1-9]\d*$/, 'and named, if the token may use packages';
    is gitead('resolve', $narrow), 'prohibited 0', 'nameless otherwise';
    $gitea->api('PATCH', '/api/v1/admin/users/mara', $gitea->admin_token, { %same, prohibit_login => JSON::PP::false });
    like gitead('resolve', $_), qr/^user \d+$/, 'and again allowed' for $token, $narrow;
};

subtest 'a user that was deleted and made anew is not the one we knew' => sub {
    $gitea->api('DELETE', '/api/v1/admin/users/mara?purge=true', $gitea->admin_token);
    like gitead('provision', 'mara'), qr/^2 /, 'gone: foreign';
    my ($source) = gitead('client') =~ /(\d+)$/;
    $gitea->api('POST', '/api/v1/admin/users', $gitea->admin_token,
        { username => 'mara', email => 'mara@example.test', source_id => 0 + $source, login_name => $sub{mara}, must_change_password => JSON::PP::false });
    like gitead('provision', 'mara'), qr/^2 /, 'made anew: foreign';
};

subtest 'a Gitea that is down is unavailable, at once' => sub {
    my $token = token_of('gitea-admin', 'all');
    $gitea->stop_server;
    my $before = time;
    is gitead('resolve', $token), 'unavailable 0', 'whose token';
    like gitead('provision', 'mara'), qr/^3 /, 'user';
    my ($status, $text) = gitead('setup', $backchannel);
    is $status, 0, 'set-up works without it running';
    like $text, qr/does not answer/, 'and says what it could not look at';
    cmp_ok time - $before, '<', 10, 'in time';
};

done_testing;
