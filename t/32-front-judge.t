# What a judged request is answered, in the words of its door, and what Gitea is asked for it

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
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
my %user = (good => [11, 'good'], late => [12, 'late'], bot => [99, 'Ci-Bot'], root => [98, 'root'], job => [-2, 'gitea-actions'], hangs => [11, 'good']);

# A Gitea: tells whose a token is, and otherwise shows the head it was sent.
sub serve {
    my ($socket, $head, $rest) = @_;
    my ($length) = $head =~ /\r\nContent-Length: (\d+)/i;
    while (length $$rest < ($length // 0)) { sysread $socket, $$rest, 65536, length $$rest or return }
    $head .= substr $$rest, 0, $length // 0, '';
    my ($path) = $head =~ m{^\S+ ([^ ?]+)};
    my ($token) = $head =~ /\r\nAuthorization: token (\S+)/i;
    my ($status, $body, $type) = ('200 OK', $head, 'text/plain');
    if ($path eq '/login/oauth/userinfo') {
        my $until = time + 8;
        sleep 0.05 while $token =~ /^hangs/ && -e "$dir/hang" && time < $until;
        sleep 0.3 if $token eq 'good-at-once';
        my ($name) = $token =~ /^([a-z]+)/;
        ($status, $body) = ('401 Unauthorized', 'no');
        ($status, $body, $type) = ('200 OK', encode_json({ sub => "$user{$name}[0]", preferred_username => $user{$name}[1] }), 'application/json') if $user{$name};
    } elsif ($path eq '/user/events') {
        print $socket "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: ping\n\n";
        sysread $socket, my $end, 1;
        return;
    } elsif ($path eq '/api/v1/token') {
        ($status, $body) = ('404 Not Found', '{}');
    }
    print $socket join("\r\n", "HTTP/1.1 $status", 'Content-Length: ' . length $body, "Content-Type: $type", '', ''), $body;
    return 1;
}

my $upstream = upstream(\&serve);
mkdir "$dir/state", 0700;
my $front = Teagate::Front->start(https => $https, host => $host, address => '127.0.0.1', port => $upstream, state => "$dir/state", threads => 2,
    'resolve-rate' => 20, listed => 'ci-bot',
    account => ['good:100:11', 'late:-30:12', 'grace:-3:13', 'operator:-400:15', 'new:never:16', 'gone:-400:17']);
my %cookie = map { /^account (\S+) \S+ (\S+)$/ ? ($1 => "__Host-tg-gitea=$2") : () } split /\n/, $front->{said};

sub ask_for {
    my ($path, @line) = @_;
    my $method = @line && $line[0] =~ /^[A-Z]+$/ ? shift @line : 'GET';
    return over_http($port, join "\r\n", "$method $path HTTP/1.1", "Host: $host", 'Connection: close', @line, '', '');
}
sub status { return (ask_for(@_))[0] }
sub token { return "Authorization: token $_[0]" }

# Tokens of earlier subtests do not count against the rate.
sub rested { sleep 4.5; forget_seen(); return }

subtest 'a refusal of the API tells its state, until when, and the way out' => sub {
    my ($status, $head, $body) = ask_for('/api/v1/user', token('late'));
    is($status, 402, 'status');
    like($head, qr{^content-type: application/json}mi, 'JSON');
    my $json = decode_json($body);
    like($json->{message}, qr{ended on .*https://renew\.example/}, 'message');
    is($json->{state}, 'expired', 'state');
    like($json->{until}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'until');
    is($json->{renew_url}, 'https://renew.example/', 'renew_url');
};

subtest 'administration is for operators, and for whom the configuration names' => sub {
    is(status('/api/v1/admin/users', token('good')), 403, 'an account');
    is(status('/-/admin', "Cookie: $cookie{good}"), 403, 'also in a browser');
    is(status('/-/admin', "Cookie: $cookie{operator}"), 200, 'an operator');
    is(status('/api/v1/admin/users', token('root')), 403, 'a user of Gitea alone');
    is(status('/api/v1/admin/users', token('bot')), 200, 'one that is named');
    is(status('/api/v1/admin/users'), 403, 'nobody');
    is(status('/api/v1/admin/users', token('nonsense')), 403, 'a credential that is none');
    my ($status, $head) = ask_for('/-/admin/users?page=2');
    is($status, 303, 'a visitor is asked who he is');
    like($head, qr{^location: /user/oauth2/teagate\?redirect_to=%2F-%2Fadmin%2Fusers%3Fpage%3D2\r?$}mi, 'and comes back');
    is(status('/-/admin/users', 'POST', 'Content-Length: 0'), 403, 'what he sends is not taken');
};

subtest 'users without an account pass only by name' => sub {
    is(status('/api/v1/user', token('root')), 403, 'not in the list');
    is(status('/api/v1/user', token('bot')), 200, 'in the list, whose case does not count');
    is(status('/o/r.git/info/refs?service=git-receive-pack', token('bot2')), 200, 'by another token, too');
    my $jwt = sub { 'Authorization: Bearer ' . join '.', map { encode_base64url($_) } '{"alg":"HS256"}', "{\"UserID\":$_[0]}", 'signature' };
    is(status('/v2/o/r/manifests/x', $jwt->(99)), 200, 'by what Gitea made for it, which has its id only');
    is(status('/v2/o/r/manifests/x', $jwt->(98)), 403, 'not for others');
    is(status('/api/v1/admin/users', $jwt->(99)), 403, 'and not for the administration');
};

subtest 'a job of Actions is judged by the owner of what it touches' => sub {
    my $jwt = join '.', map { encode_base64url($_) } '{"alg":"HS256"}', '{"TaskID":5,"RunID":1}', 'signature';
    for my $job (token('job'), "Authorization: Bearer $jwt") {
        is(status('/good/r.git/info/refs?service=git-upload-pack', $job), 200, 'of one in good standing');
        is(status('/late/r.git/info/refs?service=git-upload-pack', $job), 402, 'of one who is not');
        is(status($_, $job), 402, $_) for '/LATE/r.git/info/refs?service=git-upload-pack', '/l%61te/r.git/info/refs?service=git-upload-pack',
            '/api/v1/repos/late/r', '/api/packages/late/npm/x', '/v2/late/r/manifests/x';
        is(status($_, $job), 200, $_) for '/organisation/r.git/info/refs?service=git-upload-pack', '/api/v1/version', '/v2/',
            '/api/actions_pipeline/_apis/pipelines/workflows/1/artifacts';
        is(status('/api/v1/admin/users', $job), 403, 'never the administration');
        is(status('/api/v1/users/operator', $job), 200, 'an operator\'s jobs pass');
    }
    like((ask_for('/good/r.git/info/refs?service=git-upload-pack', token('job')))[2], qr/\r\nauthorization: token job/i, 'with its token');
};

sub packet { return sprintf '%04x%s', 4 + length $_[0], $_[0] }

# What the bands of an answer hold
sub bands {
    my ($bytes) = @_;
    my %band;
    while ($bytes =~ s/\A([0-9a-f]{4})//) {
        my $length = hex $1 or last;
        my $band = substr $bytes, 0, $length - 4, '';
        $band{ ord $band } .= substr $band, 1;
    }
    return %band;
}

sub becomes {
    my ($path, $line, $wanted) = @_;
    my $until = time + 3;
    sleep 0.02 until status($path, @$line) == $wanted || time > $until;
    return;
}

subtest 'a push that got past its first request is told why each reference is rejected' => sub {
    my ($old, $new) = ('0' x 40, 'a' x 40);
    forget_seen();
    my $commands = packet("$old $new refs/heads/main\0 report-status side-band-64k agent=git/2.39.5\n") . packet("$old $new refs/tags/v1") . '0000';
    my @line = ('POST', token('late'), 'Content-Type: application/x-git-receive-pack-request');
    my $push = sub { my ($body, @more) = @_; return over_http($port, join("\r\n", 'POST /o/r.git/git-receive-pack HTTP/1.1', "Host: $host", 'Connection: close', token('late'), @more, '', '') . $body) };
    for my $pack ('', 'PACK' . 'x' x 3_000_000) {
        my $body = $commands . $pack;
        my ($status, $head, $answer) = $push->($body, 'Content-Length: ' . length $body);
        is($status, 200, 'in the form that git reads');
        like($head, qr{^content-type: application/x-git-receive-pack-result\r?$}mi, 'of its type');
        my %band = bands($answer);
        like($band{2}, qr{ended on .*\n.*https://renew\.example/\n\z}s, 'lines for a person');
        is($band{1}, packet("unpack ok\n") . packet("ng refs/heads/main Closed until it is renewed\n") . packet("ng refs/tags/v1 Closed until it is renewed\n") . '0000', 'and for git');
    }
    is(($push->(sprintf("%x\r\n%s\r\n0\r\n\r\n", length $commands, $commands), 'Transfer-Encoding: chunked'))[0], 200, 'in chunks');
    is(($push->('0000', 'Content-Length: 4'))[2], '', 'the question whether much may come');
    is(($push->("\0" x 20_000, 'Content-Length: 200000'))[0], 402, 'what is no push is refused as soon as that is seen');
    is(($push->('', 'Content-Length: 200', 'Expect: 100-continue'))[0], 402, 'who asks before he sends is told to');
    is(($push->("\x1f\x8b", 'Content-Length: 2', 'Content-Encoding: gzip'))[0], 402, 'what cannot be read is refused at its head');
    is(scalar(() = seen('receive-pack')), 0, 'nothing went upstream');
};

sub batch { my ($operation, $size) = @_; return encode_json({ operation => $operation, objects => [{ oid => 'a' x ($size // 64), size => 1 }] }) }

subtest 'who may only read is told so by the LFS batch' => sub {
    my $send = sub { my ($body) = @_; return over_http($port, join("\r\n", 'POST /o/r.git/info/lfs/objects/batch HTTP/1.1', "Host: $host", 'Connection: close', token('good'), 'Content-Length: ' . length $body, '', '') . $body) };
    is(($send->(batch('upload')))[0], 200, 'before');
    ok($front->order('hold good readonly'), 'then only reading');
    becomes('/api/v1/x', ['POST', token('good'), 'Content-Length: 0'], 403);
    my ($status, $head, $body) = $send->(batch('upload'));
    is($status, 403, 'an upload');
    like($head, qr{^content-type: application/vnd\.git-lfs\+json\r?$}mi, 'of the type that git-lfs reads');
    like(decode_json($body)->{message}, qr/on hold/, 'with words');
    like(($send->(batch('download')))[2], qr{^POST /o/r\.git/info/lfs/objects/batch .*\r\n\r\n.*"operation":"download"}s, 'a download passes, with its body');
    like(($send->(batch('download', 40_000)))[0], qr/200/, 'also a long one');
    is(($send->(batch('download', 200_000)))[0], 403, 'but what is too long to be looked at does not');
    is(($send->('{'))[0], 403, 'nor what is no batch');
    ok($front->order('hold good none'), 'as before');
    becomes('/api/v1/x', ['POST', token('good'), 'Content-Length: 0'], 200);
    is(($send->(batch('upload')))[0], 200, 'uploads pass again');
};

subtest 'events end within a second when their account changes, and begin again only for whom they may' => sub {
    my $order = sub {
        my ($login, $what, @option) = @_;
        my $pid = open(my $out, '-|', 'curl', '-ksN', @option, '--max-time', 10, '-H', "Cookie: $cookie{$login}", "https://$host/user/events") or die;
        my $bytes = '';
        sysread $out, $bytes, 4096, length $bytes or last until $bytes =~ /ping/;
        ok($bytes =~ /ping/, "$login @option: events");
        my $start = time;
        ok($front->order($what), $what);
        1 while sysread $out, $bytes, 4096, length $bytes;
        my $took = time - $start;
        close $out;
        is($? >> 8, 0, 'they end as they should');
        ok($took < 1.3, 'soon') or diag $took;
    };
    for my $protocol ('--http1.1', '--http2') {
        $order->('good', 'until good -30', $protocol);
        becomes('/user/events', ["Cookie: $cookie{good}"], 402);
        is(status('/user/events', "Cookie: $cookie{good}"), 402, 'and do not begin again');
        ok($front->order('until good 30'), 'paid');
        becomes('/o/r', ["Cookie: $cookie{good}"], 200);
    }
};

subtest 'a body that breaks off is told so in the words of the door' => sub {
    my ($status, $head, $body) = over_http($port, join "\r\n", 'POST /api/v1/x HTTP/1.1', "Host: $host", token('good'), 'Transfer-Encoding: chunked', '', 'zz', '');
    is($status, 400, 'broken');
    like($body, qr/^\{"message":/, 'JSON');
    my $start = time;
    ($status, $head, $body) = over_http($port, join "\r\n", 'POST /o/r.git/git-upload-pack HTTP/1.1', "Host: $host", token('good'), 'Content-Length: 10', '', '12345');
    is($status, 408, 'it stopped');
    like($body, qr/^[\x20-\x7e]+\n\z/, 'one line');
    ok(time - $start < 8, 'in time') or diag time - $start;
};

subtest 'the same question is put once, whichever loop asks' => sub {
    rested();
    my @client = map { secure($port) } 1 .. 20;
    for (@client) { print $_ join "\r\n", 'GET /api/v1/x HTTP/1.1', "Host: $host", token('good-at-once'), '', ''; $_->flush }
    like(Teagate::Http::answer_of($_), qr{^HTTP/1\.1 200}, 'answered') for @client;
    is(scalar(() = seen('GET /login/oauth/userinfo')), 1, 'Gitea was asked once');
};

# The statuses of requests one after the other on one connection
sub series {
    my ($count, $line) = @_;
    my $client = secure($port);
    my ($bytes, %status) = ('');
    for my $i (1 .. $count) {
        print $client join "\r\n", "GET /api/v1/x HTTP/1.1", "Host: $host", $line->($i), '', '';
        $client->flush;
        until ($bytes =~ /\r\n\r\n/) { sysread $client, $bytes, 65536, length $bytes or return %status }
        $bytes =~ s/\A(.*?\r\n\r\n)//s;
        my $head = $1;
        $status{ ($head =~ m{^HTTP/1\.1 (\d+)})[0] }++;
        my ($length) = $head =~ /^content-length: (\d+)/mi;
        while (length $bytes < $length) { sysread $client, $bytes, 65536, length $bytes or return %status }
        substr $bytes, 0, $length, '';
    }
    return %status;
}

subtest 'a thousand made-up tokens are not a thousand questions' => sub {
    rested();
    my $start = time;
    my %status = series(1000, sub { token("random$_[0]") });
    my $took = time - $start;
    my $asked = () = seen('GET /login/oauth/userinfo');
    cmp_ok($asked, '>=', 15, 'some are asked');
    cmp_ok($asked, '<=', 20 + 5 * $took + 1, "$asked in $took s, not more than the rate of an address");
    is($status{200} + $status{503}, 1000, 'all are answered');
    my ($code, $head);
    for my $i (1 .. 5) { # there is room for one every now and then
        ($code, $head) = ask_for('/o/r.git/info/refs?service=git-upload-pack', token("last$i"));
        last if $code == 503;
    }
    is($code, 503, 'beyond it: later');
    like($head, qr/^retry-after: [1-9]\d*\r?$/mi, 'with a time');
    like($head, qr{^content-type: text/plain}mi, 'in the words of the door');
    is(status('/api/v1/x', token('good')), 200, 'one that is known is not held up');
    sleep 1;
    is(status('/api/v1/x', token('goodx')), 200, 'and a new one passes when there is room again');
};

subtest 'a Gitea that does not tell in time is not waited for, and nothing is concluded from it' => sub {
    rested();
    open my $hang, '>', "$dir/hang" or die;
    my @client = map { secure($port) } 1 .. 6;
    my $start = time;
    for my $i (0 .. $#client) {
        print { $client[$i] } join "\r\n", 'GET /o/r.git/info/refs?service=git-upload-pack HTTP/1.1', "Host: $host", token("hangs$i"), '', '';
        $client[$i]->flush;
    }
    for (@client) {
        my $answer = Teagate::Http::answer_of($_);
        like($answer, qr{^HTTP/1\.1 503 .*^retry-after: [1-9]}msi, 'later');
    }
    my $took = time - $start;
    ok($took > 1.9 && $took < 3, 'after two seconds, also behind others in the queue') or diag $took;
    is(status('/api/v1/x', token('good')), 200, 'known ones go on');
    unlink "$dir/hang";
    sleep 0.5;
    is(status('/api/v1/x', token('hangs0')), 200, 'when it answers again, so do we');
};

$front->tell('TERM');
my $why = $front->ends(20);
ok($why eq '', 'it ends without leaks') or diag $why;
done_testing;
