# Whose request it is and whether it may pass: cookies, credentials, service levels, sign-in; before an upstream that shows what it was sent

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64 encode_base64url);
use Teagate::Front;
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
my $https = listen_on('127.0.0.1');
my $port = $https->sockport;
my $host = "localhost:$port";
my $url = "https://$host";
my $sid = '0123456789abcdef';
my ($asked, $callback_delay) = (0, 0);

# A Gitea: tells whose a token is, signs in on the callback, and otherwise shows the head it was sent.
sub serve {
    my ($socket, $head) = @_;
    my ($path, $query) = $head =~ m{^\S+ ([^ ?]+)\??(\S*)};
    my ($token) = $head =~ /\r\nAuthorization: token (\S+)/i;
    my @line;
    my ($status, $body) = ('200 OK', $head);
    if ($path eq '/login/oauth/userinfo') {
        sleep 0.3 if ($token // '') eq 'slowtoken';
        return if ($token // '') eq 'breaks';
        ($status, $body) = ('401 Unauthorized', 'no');
        ($status, $body) = ('200 OK', '{"sub":"11","preferred_username":"good"}') if ($token // '') =~ /^(?:goodtoken|slowtoken)$/;
        ($status, $body) = ('200 OK', '{"sub":"12","preferred_username":"late"}') if ($token // '') eq 'latetoken';
        ($status, $body) = ('200 OK', '{"sub":"99","preferred_username":"bot"}') if ($token // '') eq 'bottoken';
        ($status, $body, @line) = ('200 OK', '<title>Sign-In Prohibited</title>', 'Content-Type: text/html') if ($token // '') eq 'badtoken';
        push @line, 'Content-Type: application/json' if $body =~ /^\{/;
    } elsif ($path =~ m{^/api/v1/(?:user|token)$} && $token) {
        ($status, $body) = ('404 Not Found', '{}') if $path =~ /token$/;
        ($status, $body) = ('401 Unauthorized', '{}') if $path =~ /user$/;
    } elsif ($path eq '/user/oauth2/teagate') {
        ($status, $body) = ('307 Temporary Redirect', $head);
        @line = ('Set-Cookie: i_like_gitea=aaaabbbbccccdddd; Path=/; HttpOnly', 'Location: https://auth/authorize');
    } elsif ($path eq '/user/oauth2/teagate/callback') {
        sleep 0.3;
        $status = '303 See Other';
        my $to = $query =~ /state=factor/ ? '/user/two_factor' : '/';
        @line = ('Set-Cookie: i_like_gitea=eeeeffff00001111; Path=/; HttpOnly', "Location: $to", 'Set-Cookie: lang=en');
        push @line, 'Set-Cookie: i_like_gitea=2222; Path=/' if $query =~ /state=twice/;
    } elsif ($path eq '/user/logout') {
        $body = '{"redirect":"/"}';
        @line = ('Set-Cookie: i_like_gitea=; Path=/; Max-Age=0');
    }
    print $socket join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length $body, @line, '', ''), $body;
    return 1;
}

my $upstream = upstream(\&serve);
my @start = (https => $https, host => $host, address => '127.0.0.1', port => $upstream, state => "$dir/state",
    account => ['good:100:11', 'late:-30:12', 'grace:-3:13', 'soon:5:14', 'operator:-400:15', 'new:never:16']);
mkdir "$dir/state", 0700;
my $front = Teagate::Front->start(@start);
my %cookie = map { /^account (\S+) \S+ (\S+)$/ ? ($1 => "__Host-tg-gitea=$2") : () } split /\n/, $front->{said};
my %foreign = map { /^foreign (\S+) (\S+)$/ ? ($1 => "__Host-tg-gitea=$2") : () } split /\n/, $front->{said};

sub ask_for {
    my ($path, @line) = @_;
    my $method = 'GET';
    $method = shift @line if @line && $line[0] =~ /^[A-Z]+$/;
    return over_http($port, join "\r\n", "$method $path HTTP/1.1", "Host: $host", 'Connection: close', @line, '', '');
}
sub status { return (ask_for(@_))[0] }
sub body { return (ask_for(@_))[2] }
sub basic { return 'Authorization: Basic ' . encode_base64("$_[0]:$_[1]", '') }

subtest 'a cookie of ours stands for Gitea\'s session' => sub {
    like(body('/o/r/issues', "Cookie: lang=de; $cookie{good}; x=1"), qr/\r\nCookie: i_like_gitea=$sid; lang=de; x=1\r\n/, 'its id goes upstream');
    like(body('/o/r/issues', "Cookie: $cookie{good}"), qr/i_like_gitea=$sid/, 'also alone, and from memory');
    unlike(body('/o/r/issues'), qr/\r\nCookie/i, 'without it, none');
    unlike(body('/o/r/issues', "Cookie: $foreign{good}"), qr/i_like|tg-/, 'one of another instance is none');
    unlike(body('/o/r/issues', "Cookie: $cookie{good}", "Cookie: $cookie{late}"), qr/i_like|tg-/, 'two are none');
    (my $bent = $cookie{good}) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
    unlike(body('/o/r/issues', "Cookie: ${bent}"), qr/i_like|tg-/, 'a bent one is none') if $bent ne $cookie{good};
    unlike(body('/api/v1/user', "Cookie: $cookie{good}"), qr/cookie/i, 'where Gitea does not look at sessions, none');
    is(status('/o/r', "Cookie: i_like_gitea=$sid; $cookie{good}"), 200, 'beside a forged one');
    is(scalar(() = body('/o/r', "Cookie: i_like_gitea=zzzz; $cookie{good}") =~ /i_like_gitea/g), 1, 'there is one');
};

subtest 'service levels decide, in the door\'s language' => sub {
    is(status('/o/r', "Cookie: $cookie{$_}"), 200, "$_ reads pages") for qw(good soon grace operator);
    my ($status, $head, $body) = ask_for('/o/r', "Cookie: $cookie{late}", 'Accept: text/html');
    is($status, 402, 'after the end, pages are closed');
    like($body, qr{<!doctype html>.*https://renew\.example/}s, 'with the way to renew');
    unlike($head, qr/^www-authenticate/mi, 'never a challenge');
    is(status('/o/r', "Cookie: $cookie{new}"), 402, 'without a subscription, too');
    is(status('/o/r'), 200, 'what is public is open to visitors');
    is(status('/assets/x.css', "Cookie: $cookie{late}"), 200, 'files for everybody');
    is(status('/user/logout', 'POST', "Cookie: $cookie{late}", 'Content-Length: 0'), 200, 'the way out stays open');
    is(status('/user/events', "Cookie: $cookie{late}"), 402, 'events do not');
    is(status('/-/admin', "Cookie: $cookie{good}"), 403, 'administration is not for customers');
    is(status('/-/admin', "Cookie: $cookie{operator}"), 200, 'but for operators');
};

subtest 'a credential is told by Gitea, once, and judged by its user' => sub {
    forget_seen();
    for my $form ('Authorization: token goodtoken', 'Authorization: BEARER goodtoken', basic('anybody', 'goodtoken'), basic('goodtoken', ''), basic('goodtoken', 'x-oauth-basic')) {
        my ($status, undef, $head) = ask_for('/o/r.git/info/refs?service=git-upload-pack', $form, "Cookie: $cookie{late}");
        is($status, 200, $form);
        like($head, qr/\r\nauthorization: \S+ \S+\r\n/i, 'goes on');
        unlike($head, qr/cookie/i, 'the cookie does not');
    }
    is(scalar(() = seen('userinfo')), 1, 'Gitea was asked once');
    my ($status, undef, $body) = ask_for('/o/r.git/info/refs?service=git-receive-pack', basic('late', 'latetoken'));
    is($status, 402, 'of an account that is closed');
    like($body, qr{\A[\x20-\x7e\n]*https://renew\.example/\s*\z}, 'lines for git with the way to renew') or diag $body;
    is(status('/o/r.git/git-upload-pack', 'POST', basic('good', 'latetoken'), 'Content-Length: 1000000'), 402, 'at the head; the name is not believed');
    my %dialect = ('/o/r.git/info/lfs/objects/batch' => qr/^\{"message":/, '/api/v1/user/repos' => qr/^\{"message":/, '/v2/o/r/manifests/x' => qr/^\{"errors":\[\{"code":"DENIED","message":/);
    for my $path (sort keys %dialect) {
        like(body($path, 'Authorization: token latetoken'), $dialect{$path}, $path);
    }
    is(status('/o/r/raw/branch/main/x', basic('x', 'latetoken')), 402, 'raw files');
    is(status('/o/r.git/info/refs?service=git-upload-pack', basic('x', 'badtoken')), 403, 'valid, but prohibited by Gitea');
    is(status('/o/r.git/info/refs?service=git-upload-pack', basic('x', 'bottoken')), 403, 'of a user that is nobody of ours');
    unlike(body('/o/r.git/info/refs?service=git-upload-pack', basic('x', 'notoken')), qr/authorization/i, 'one that Gitea refuses is not sent');
    unlike(body('/o/r.git/info/refs?service=git-upload-pack', $_), qr/authorization/i, "neither is $_")
        for 'Authorization: Basic %%%', 'Authorization: Digest x', 'Authorization: token  goodtoken', "Authorization: token\tgoodtoken", 'Authorization: goodtoken';
    is(status('/o/r.git/info/refs?service=git-upload-pack', basic('x', 'breaks')), 503, 'when Gitea does not answer, it cannot be told');
};

subtest 'a token that names its user is judged by that; Gitea checks whether it is true' => sub {
    my $jwt = sub { join '.', map { encode_base64url($_) } '{"alg":"HS256"}', "{\"UserID\":$_[0]}", 'signature' };
    is(status('/v2/o/r/manifests/x', 'Authorization: Bearer ' . $jwt->(12)), 402, 'closed');
    is(status('/v2/o/r/manifests/x', 'Authorization: Bearer ' . $jwt->(11)), 200, 'open');
    is(status('/v2/o/r/manifests/x', 'Authorization: Bearer ' . $jwt->(-1)), 200, 'nobody');
    is(status('/v2/o/r/manifests/x', 'HEAD', 'Authorization: Bearer ' . $jwt->(12)), 404, 'an answer without a body could not say why: the client goes on');
    is(status('/v2/o/r/manifests/x', 'HEAD', 'Authorization: Bearer ' . $jwt->(11)), 200, 'who is not refused is told by Gitea');
};

subtest 'who only names an account learns nothing about it' => sub {
    my $named = sub { 'Authorization: Bearer ' . join '.', map { encode_base64url($_) } '{"alg":"HS256"}', $_[0], 'signature' };
    my @doors = ('/v2/o/r/manifests/x', '/o/r.git/info/refs?service=git-upload-pack', '/o/r.git/info/refs?service=git-receive-pack',
        '/api/v1/repos/o/r', '/api/packages/o/npm/x', '/o/r.git/info/lfs/objects/x');
    my $answers = sub { join "\n", map { my ($status, undef, $body) = ask_for($_, $named->($_[0])); "$body $status" } @doors };
    my $lapsed = $answers->('{"UserID":12}');
    like($lapsed, qr/ 402$/m, 'it is refused');
    like($lapsed, qr/closed for now/, 'in general words');
    unlike($lapsed, qr/\blate\b|expired|\d{4}-\d\d|\b20\d\d\b/, 'without a name, a state or a date');
    unlike(body('/o/r/raw/branch/main/x', $named->('{"UserID":12}')), qr/\blate\b|expired|renew/, 'nor on a page');
    ok($front->order('hold grace blocked'), 'another one is held');
    sleep 0.3;
    is($answers->('{"UserID":13}'), $lapsed, 'and answered with the same');
    is($answers->('{"UserID":16}'), $lapsed, 'so is one that never had a subscription');
    ok($front->order('hold grace none'), 'it is not held any more');
    sleep 0.3;
    is(body($_ = '/late/r.git/info/refs?service=git-upload-pack', $named->('{"TaskID":5}')), body($_, $named->('{"UserID":12}')),
        'so is a job of somebody\'s, whose owner stands in the path');
    is(status('/api/v1/admin/users', $named->('{"UserID":15}')), 403, 'nor is it told who an operator is');
    like(body('/o/r.git/info/refs?service=git-upload-pack', 'Authorization: token latetoken'), qr/\b20\d\d\b/, 'who is known reads when');
};

subtest 'who misses the same thing waits for one call; one who leaves is forgotten' => sub {
    forget_seen();
    my @clients = map { my $c = secure($port); print $c join "\r\n", 'GET /api/v1/x HTTP/1.1', "Host: $host", 'Authorization: token slowtoken', '', ''; $c->flush; $c } 1 .. 8;
    close shift @clients for 1 .. 3;
    like(Teagate::Http::answer_of($_), qr/^HTTP\/1\.1 200/, 'answered') for @clients;
    is(scalar(() = seen('userinfo')), 1, 'Gitea was asked once');
};

subtest 'a change is effective within a second' => sub {
    ok($front->order('until good -30'), 'ended');
    my $start = time;
    sleep 0.02 until status('/o/r', "Cookie: $cookie{good}") == 402 || time - $start > 3;
    ok(time - $start < 1, 'closed') or diag time - $start;
    is(status('/api/v1/x', 'Authorization: token goodtoken'), 402, 'for tokens as well');
    ok($front->order('until good 30'), 'paid');
    $start = time;
    sleep 0.02 until status('/o/r', "Cookie: $cookie{good}") == 200 || time - $start > 3;
    ok(time - $start < 1, 'open again') or diag time - $start;
    ok($front->order('epoch soon'), 'sessions ended');
    $start = time;
    sleep 0.02 until body('/o/r', "Cookie: $cookie{soon}") !~ /i_like/ || time - $start > 3;
    ok(time - $start < 1, 'the cookie is nobody\'s');
};

sub set_cookies { my ($head) = @_; return grep { /tg-gitea/ } $head =~ /^set-cookie: (.*)\r?$/mig }

subtest 'sign-in: exact queries, a session of its own, and whose it was' => sub {
    my ($status, $head) = ask_for('/user/login');
    is($status, 303, 'Gitea\'s own sign-in page is not shown');
    like($head, qr{^location: /user/oauth2/teagate\r?$}mi, 'ours is');
    like((ask_for('/user/login?redirect_to=%2Fo%2Fr'))[1], qr{^location: /user/oauth2/teagate\?redirect_to=%2Fo%2Fr\r?$}mi, 'with the way back');
    is(status('/user/login', 'Cookie: gitea_flash=error%3Dx'), 200, 'but for a message of Gitea\'s');

    ($status, $head, my $body) = ask_for('/user/oauth2/teagate?redirect_to=/x', "Cookie: $cookie{good}");
    is($status, 307, 'start');
    unlike($body, qr/i_like/, 'without the session there was');
    my @set = set_cookies($head);
    is(scalar @set, 1, 'one cookie of ours');
    unlike($head, qr/i_like/, 'none of Gitea\'s');
    like($set[0], qr/^__Host-tg-gitea=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/, 'in its form');
    my ($login) = $set[0] =~ /^([^;]+)/;
    unlike(body('/o/r', "Cookie: $login"), qr/i_like/, 'it is good for nothing else');

    forget_seen();
    is(status("/user/oauth2/$_"), 400, $_) for 'teagate?code=a&state=b', 'teagate/callback', 'teagate/callback?code=a', 'teagate/callback?code=a&state=b&code=c',
        'teagate/callback?code=a%zz&state=b', 'teagate/callback?code=a;&code=b&state=c', 'teagate/callback?code=a&state=b&x=1', 'teagate/callback?code=a%41&state=b',
        'teagate/callback?code=a&state=b&', 'teagate/callback?error=x&code=a&state=b';
    is(status("/user/oauth2/$_"), 403, $_) for 'other', 'other/callback?code=a&state=b', '%74eagate', 'teagate/x';
    is(scalar(() = seen('head')), 0, 'Gitea saw none of them');

    my $callback = sub {
        my ($code, $state, $order) = @_;
        my $client = secure($port);
        print $client join "\r\n", "GET /user/oauth2/teagate/callback?code=$code&state=$state HTTP/1.1", "Host: $host", 'Connection: close', "Cookie: $login", '', '';
        $client->flush;
        $front->order($order) if $order;
        my $bytes = '';
        1 while sysread $client, $bytes, 65536, length $bytes;
        return $bytes;
    };
    my $use = sub { my ($answer) = @_; my ($set) = set_cookies($answer); return body('/o/r', 'Cookie: ' . ($set // '') =~ s/;.*//r) };
    my $answer = $callback->('c1', 's', 'code c1:taken');
    like($answer, qr/^HTTP\/1\.1 303.*\r\nset-cookie: lang=en/s, 'callback');
    like($answer, qr/i_like_gitea=aaaabbbbccccdddd/, 'ran in the session of the start');
    unlike((split /\r\n\r\n/, $answer)[0], qr/i_like/, 'and the new one stays here');
    like($use->($answer), qr/\r\nCookie: i_like_gitea=eeeeffff00001111\r\n/, 'redeemed in flight: signed in');
    $answer = $callback->('c2', 's', 'code c2');
    unlike($use->($answer), qr/i_like/, 'not redeemed: nobody\'s');
    $front->order('code c3:taken');
    sleep 0.1;
    unlike($use->($callback->('c3', 's')), qr/i_like/, 'redeemed before: nobody\'s');
    unlike($use->($callback->('c4', 's')), qr/i_like/, 'unknown: nobody\'s');
    unlike($use->($callback->('c5', 'factor', 'code c5:taken')), qr/i_like/, 'a second factor is asked: nobody\'s yet');
    unlike($use->($callback->('c6', 'twice', 'code c6:taken')), qr/i_like/, 'two sessions at once: none');
    ($status, $head) = ask_for('/user/logout', 'POST', "Cookie: $cookie{good}", 'Content-Length: 0');
    like($head, qr/^set-cookie: __Host-tg-gitea=; Path=\/; Max-Age=0/mi, 'signing out deletes it');
};

subtest 'while the clock is in doubt, all are judged by the last time beyond doubt' => sub {
    plan skip_all => 'sqlite3 is not here' unless `sqlite3 -version 2>/dev/null`;
    my $boot = read_file('/proc/sys/kernel/random/boot_id') =~ s/\n//r;
    my $offset = sub { return sprintf '%d', (time - (read_file('/proc/uptime') =~ /^(\S+)/)[0]) * 1000 };
    my $set = sub {
        my ($doubt, $known, $offset_ms) = @_;
        system('sqlite3', '-cmd', '.timeout 5000', "$dir/state/truth.db", sprintf "BEGIN IMMEDIATE;
            INSERT OR REPLACE INTO clock (only, known_s, boot, offset_ms, accepted_s, doubt, amount) VALUES (1, %d, '$boot', $offset_ms, 0, $doubt, 0);
            UPDATE counter SET value = value + 1 WHERE name = 'change';
            INSERT INTO change SELECT value, 7, '', 0 FROM counter WHERE name = 'change'; COMMIT", $known) == 0 or BAIL_OUT('no clock row');
        sleep 0.6;
    };
    my $all = sub { return join ' ', map { status('/o/r', "Cookie: $cookie{$_}") } qw(good late operator) };
    is($all->(), '200 402 200', 'one has ended');
    $set->(1, time - 40 * 86400, $offset->());
    is($all->(), '200 200 200', 'forty days earlier none has');
    $set->(1, time + 40 * 86400, $offset->());
    is($all->(), '402 402 200', 'forty days later two have');
    $set->(0, time, $offset->() + 40 * 86400000);
    is($all->(), '402 402 200', 'a clock that is 40 days behind is not followed');
    $set->(0, time, $offset->() + 500000);
    is($all->(), '200 402 200', 'one that was set by minutes is');
};

subtest 'the loop counts what it found' => sub {
    $front->tell('TERM');
    ok(defined $front->says(qr/^teagate_facts_read_total [1-9]/m, 5), 'facts read');
    my $why = $front->ends(20);
    ok($why eq '', 'it ends without leaks') or diag $why;
};

done_testing;
