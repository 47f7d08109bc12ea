# The HTTP server by itself: TLS, names, protocols, deadlines, limits, clients that leave, draining

use strict;
use warnings;
use FindBin;
use POSIX ();
use lib "$FindBin::Bin/lib";
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

$SIG{PIPE} = 'IGNORE';
my $dir = $Teagate::Http::dir;
mkdir "$dir/certs";
certify("$dir/certs/example", 'example.test', '*.example.test');

my $https = listen_on('127.0.0.1');
my $https6 = listen_on('::1');
my $http = listen_on('127.0.0.1');
my $backchannel = listen_on('127.0.0.1');
my $admin = listen_on("$dir/admin.sock");
my ($port, $port6, $plain_port, $back_port) = map { $_->sockport } $https, $https6, $http, $backchannel;

my %sockets = (https => [$https, $https6], http => [$http], backchannel => [$backchannel], admin => [$admin]);
my %common = (ca => "$dir/ca", directory => "$dir/certs", names => [qw(localhost auth.localhost example.test missing.test)]);
my $server = Teagate::Http->start(%sockets, %common);
my @trust = ('--cacert', "$dir/ca/root.crt");

sub gone_after(&$$) {
    my ($request, $path, $name) = @_;
    my $client = $request->();
    ok(defined $server->says(qr/^busy \Q$path\E$/m, 5), "$name: under way") or return;
    sleep 0.6;
    close $client if ref $client ne 'Killer';
    undef $client;
    my $seconds = $server->says(qr/^gone \Q$path\E$/m, 3);
    $server->is_alive;
    ok(defined $seconds && $seconds <= 1.05, "$name: noticed within a second") or diag $seconds // 'never';
    return;
}

sub admin { return scalar curl('--unix-socket', "$dir/admin.sock", "http://admin$_[0]", @_[1 .. $#_]) }
sub of_file { return scalar run('openssl', 'x509', '-in', $_[0], '-noout', '-fingerprint') =~ s/.*=//r }

sub served {
    my ($name) = @_;
    my $pem = run('timeout', 10, 'openssl', 's_client', '-connect', "127.0.0.1:$port", '-servername', $name);
    $pem =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n)/s or return 'none';
    write_file("$dir/served.pem", $1);
    return of_file("$dir/served.pem");
}

subtest 'both protocols are spoken over TLS, on IPv4 and IPv6, with a certificate that the root vouches for' => sub {
    for my $address ("127.0.0.1:$port", "[::1]:$port6") {
        my ($number) = $address =~ /:(\d+)$/;
        my @to = (@trust, '--connect-to', "localhost:$number:$address");
        like(curl(@to, '--http1.1', '-w', ' HTTP %{http_version}', "https://localhost:$number/hello"), qr/^hello.*HTTP 1\.1$/s, "HTTP/1.1 $address");
        like(curl(@to, '--http2', '-w', ' HTTP %{http_version}', "https://localhost:$number/hello"), qr/^hello.*HTTP 2$/s, "HTTP/2 $address");
    }
    like(curl(@trust, '--resolve', "auth.localhost:$port:127.0.0.1", "https://auth.localhost:$port/hello"), qr/^hello/, 'a name below localhost');
    like(curl(@trust, "https://localhost:$port/nothing"), qr/^Nothing is here/, 'what no step answers is not found');
    my $client = secure($port);
    like(ask($client, '/hello', 'X-Test: a', 'X-test: b'), qr/client=127\.0\.0\.1 host=localhost x=a\/2/, 'steps see headers and the address');
    unlike(ask($client, '/hello'), qr/^server:/mi, 'the server does not name itself');
};

subtest 'protocols are chosen by ALPN' => sub {
    my %offers = (h2 => ['h2'], 'http/1.1' => ['http/1.1'], 'h2 before http/1.1' => ['http/1.1', 'h2']);
    my %chosen = (h2 => 'h2', 'http/1.1' => 'http/1.1', 'h2 before http/1.1' => 'h2');
    is(secure($port, SSL_alpn_protocols => $offers{$_})->alpn_selected, $chosen{$_}, $_) for sort keys %offers;
    like(ask(secure($port), '/hello'), qr/^HTTP\/1\.1 200/, 'none offered: HTTP/1.1');
    is(secure($port, SSL_alpn_protocols => ['spdy/3']), undef, 'only foreign ones offered: refused');
};

subtest 'TLS 1.2 and 1.3 are spoken, with forward secrecy only; older ones are not' => sub {
    my %version = ('-tls1_2' => 'TLSv1.2', '-tls1_3' => 'TLSv1.3');
    like(run('openssl', 's_client', '-connect', "127.0.0.1:$port", '-servername', 'localhost', $_), qr/Cipher is (?:ECDHE|TLS_)/, $version{$_})
        for sort keys %version;
    isnt(alert_of($port, '-servername', 'localhost', $_, '-cipher', 'ALL:@SECLEVEL=0'), 'accepted', "$_ is refused") for '-tls1', '-tls1_1';
    isnt(alert_of($port, '-servername', 'localhost', '-tls1_2', '-cipher', $_), 'accepted', "$_ is refused")
        for 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA256';
};

subtest 'a name that nobody has is refused in the handshake, as is a client that names nobody' => sub {
    is(alert_of($port, '-servername', $_), 112, $_) for 'example.org', 'other.example', 'a.b.example.test', 'missing.test', 'evil-localhost';
    is(alert_of($port, '-noservername'), 112, 'no name');
    is(alert_of($port, '-servername', $_), 'accepted', $_) for 'localhost', 'LOCALHOST', 'example.test', 'www.example.test', 'auth.localhost';
};

subtest 'the first message may dribble in; what is none is refused' => sub {
    my $client = plain($port);
    print $client "\x16\x03\x01\x00\x50\x01\x00\x00\x4c\x03\x03";
    $client->flush;
    is(closes_within($client, 0.3), undef, 'half a hello is waited for');
    my $garbage = plain($port);
    print $garbage "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00";
    $garbage->flush;
    sysread $garbage, my $alert, 64;
    is(unpack('H*', $alert), '15030100020232', 'not a hello: decode_error');
    my $http_client = plain($port);
    like(ask($http_client, '/'), qr/^HTTP\/1\.1 400 .*speaks HTTPS/s, 'plain HTTP gets an answer that says so');
    like(dribbled_hello(), qr/^HTTP\/1\.1 200/, 'a handshake in pieces of 20 bytes is completed');
};

sub dribbled_hello {
    my ($relay_port, $pid) = relay(sub {
        my ($hello) = @_;
        my $upstream = plain($port);
        for my $piece (unpack '(a20)*', $hello) { syswrite $upstream, $piece; sleep 0.005 }
        return $upstream;
    });
    my $answer = ask(secure($relay_port), '/hello');
    waitpid $pid, 0;
    return $answer;
}

subtest 'the root of the internal CA is for localhost only' => sub {
    my $text = run('openssl', 'x509', '-in', "$dir/ca/root.crt", '-noout', '-text');
    like($text, qr/Name Constraints: critical\s+Permitted:\s+DNS:localhost\s+IP:127\.0\.0\.1\/255\.255\.255\.255/, 'it says so');
    is((stat "$dir/ca/root.key")[2] & 0777, 0600, 'its key is the owner\'s');
    write_file("$dir/names.cnf", "subjectAltName=DNS:example.org\n");
    run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=x y', '-keyout', "$dir/foreign.key", '-out', "$dir/foreign.csr");
    run('openssl', 'x509', '-req', '-in', "$dir/foreign.csr", '-CA', "$dir/ca/root.crt", '-CAkey', "$dir/ca/root.key", '-CAcreateserial',
        '-extfile', "$dir/names.cnf", '-out', "$dir/foreign.crt");
    like(run('openssl', 'verify', '-CAfile', "$dir/ca/root.crt", "$dir/foreign.crt"), qr/permitted subtree violation/, 'and is not trusted for others');
};

subtest 'certificates are picked up while the server runs' => sub {
    is(served('example.test'), of_file("$dir/certs/example.crt"), 'the first one');
    certify("$dir/certs/new", 'new.test');
    $server->tell('HUP');
    ok(defined $server->says(qr/^rescanned/m, 5), 'looked');
    is(served('new.test'), of_file("$dir/certs/new.crt"), 'a new one');
    my $old = of_file("$dir/certs/example.crt");
    certify("$dir/certs/example", 'example.test');
    my $until = time + 6;
    sleep 0.2 while served('example.test') eq $old && time < $until;
    is(served('example.test'), of_file("$dir/certs/example.crt"), 'a renewed one, without being told');
    is(alert_of($port, '-servername', 'www.example.test'), 112, 'a name that it no longer has is refused');
    my $good = of_file("$dir/certs/new.crt");
    write_file("$dir/certs/new.crt", 'broken');
    sleep 3;
    is(served('new.test'), $good, 'a broken one leaves the old one in use');
    my @reports = read_file($server->{stderr}) =~ /certificate-unusable why="?[^\n]*new\.crt/g;
    is(scalar @reports, 1, 'and is reported once');
    unlink "$dir/certs/new.crt";
    $server->tell('HUP');
    $server->says(qr/^rescanned/m, 5);
    is(alert_of($port, '-servername', 'new.test'), 112, 'one that was removed is gone');
};

subtest 'plain HTTP leads to HTTPS, at the configured address' => sub {
    my $answer = curl('-i', "http://localhost:$plain_port/a/b?c=d%2F");
    like($answer, qr{^HTTP/1\.1 301 .*^location: https://localhost:8443/a/b\?c=d%2F\r$}sm, 'GET');
    like(curl('-i', '-d', 'x', "http://localhost:$plain_port/"), qr{^HTTP/1\.1 308 }, 'POST keeps its method');
    like(curl('-i', '-H', 'Host: LocalHost.:9', "http://127.0.0.1:$plain_port/"), qr{^location: https://localhost:8443/\r$}m, 'any spelling of the name');
    like(curl('-i', '-H', 'Host: evil.test', "http://127.0.0.1:$plain_port/"), qr{^HTTP/1\.1 421 }, 'an unknown host is not served');
    like(curl('-i', '--http2-prior-knowledge', "http://localhost:$plain_port/"), qr{curl: |^HTTP/1\.1 400}, 'HTTP/2 is for TLS only');
};

subtest 'bodies are counted, refused at their head, and limited in time' => sub {
    write_file("$dir/body", 'x' x 3_000_000);
    for my $version ('--http1.1', '--http2') {
        is(curl(@trust, $version, '--data-binary', "\@$dir/body", "https://localhost:$port/post"), "3000000\n", "$version: whole");
        my $answer = curl(@trust, $version, '-H', 'Expect:', '--data-binary', "\@$dir/body", '-w', '%{http_code}', "https://localhost:$port/refuse");
        like($answer, qr/^refused\n403/, "$version: refused, and the client reads why");
    }
};

subtest 'a client that leaves is noticed within a second' => sub {
    my $get = sub { my ($client, $path) = @_; print $client "GET $path HTTP/1.1\r\nHost: localhost\r\n\r\n"; $client->flush; $client };
    my $hold = sub {
        my ($client, $head) = @_;
        print $client "POST /hold HTTP/1.1\r\nHost: localhost\r\n$head\r\n\r\n", 'x' x 280_000; # more than the window, less than the kernel takes: an end behind it could not be seen
        $client->flush;
        $client;
    };
    gone_after { $get->(plain($back_port), '/wait/99') } '/wait/99', 'while a step waits';
    gone_after { $get->(secure($port), '/wait/99') } '/wait/99', 'the same over TLS';
    gone_after { $get->(plain($back_port), '/stall') } '/stall', 'in the middle of an answer';
    gone_after { $get->(secure($port), '/stall') } '/stall', 'the same over TLS';
    gone_after { $hold->(plain($back_port), 'Content-Length: 900000') } '/hold', 'in the middle of a body that nobody takes';
    gone_after { h2_wait() } '/wait/98', 'over HTTP/2';
    my $client = $get->(plain($back_port), '/wait/8');
    shutdown $client, 1;
    ok(defined $server->says(qr/^gone \/wait\/8$/m, 3), 'one that only stops sending is let go, too');
    like(ask(plain($back_port), '/wait/15'), qr/^HTTP\/1\.1 200/, 'one that stays is served');
};

sub h2_wait {
    my $pid = open my $nghttp, '-|', 'nghttp', '-n', '--no-verify-peer', "https://localhost:$port/wait/98" or die;
    return Killer->new($pid, $nghttp);
}

subtest 'two servers share one listening socket' => sub {
    my $second = Teagate::Http->start(%sockets, %common);
    for my $pair ([$server, $second], [$second, $server]) {
        my ($halted, $awake) = @$pair;
        $halted->tell('STOP');
        sleep 0.3; # until all its threads are
        my @clients = map { plain($back_port) } 1 .. 8; # the first wake those that cannot hear
        is(scalar(grep { ask($_, '/hello') =~ /^hello $awake->{pid} /m } @clients), 8, 'each takes all while the other is halted');
        $halted->tell('CONT');
    }
    $second->stops_clean('one ends');
    like(curl(@trust, "https://localhost:$port/hello"), qr/^hello $server->{pid} /, 'and the other goes on') for 1 .. 5;
};

subtest 'a server that drains loses no request' => sub {
    my $own = listen_on('127.0.0.1');
    my $old = Teagate::Http->start(https => [$own], %common);
    my @workers = map { Load->new($_, $own->sockport) } 1 .. 6;
    sleep 1;
    my $new = Teagate::Http->start(https => [$own], %common);
    $old->tell('TERM');
    is($old->ends(20), '', 'it ends in order');
    sleep 0.5;
    my ($done, $failed) = (0, 0);
    for my $worker (@workers) {
        my ($good, $bad, $first) = $worker->result;
        $done += $good;
        $failed += $bad;
        diag $first if $first;
    }
    is($failed, 0, 'no request failed');
    cmp_ok($done, '>', 100, 'of many');
    cmp_ok(-s $_->{log}, '>', 1000, 'each server has answered some') for $old, $new;
    $new->stops_clean('the other ends, too');
};

subtest 'a drain ends at its deadline, with what is under way cut off' => sub {
    my $own = listen_on('127.0.0.1');
    my $short = Teagate::Http->start(https => [$own], %common, drain => 2);
    my $client = secure($own->sockport);
    print $client "GET /stall HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $kept = secure($own->sockport);
    like(ask($kept, '/hello'), qr/^HTTP\/1\.1 200/);
    $short->says(qr/^busy/m, 5);
    my $start = time;
    $short->tell('TERM');
    ok(defined closes_within($kept, 4), 'an idle connection is closed');
    is($short->ends(10), '', 'the server ends');
    cmp_ok(time - $start, '<', 6, 'in time');
};

subtest 'session tickets are good for every server with the same keys' => sub {
    write_file("$dir/tickets", join '', map { chr(int rand 256) } 1 .. 48);
    write_file("$dir/other-tickets", join '', map { chr(int rand 256) } 1 .. 48);
    my ($a, $b, $c) = map { listen_on('127.0.0.1') } 1 .. 3;
    my @servers = (
        Teagate::Http->start(https => [$a], %common, tickets => "$dir/tickets"),
        Teagate::Http->start(https => [$b], %common, tickets => "$dir/tickets"),
        Teagate::Http->start(https => [$c], %common, tickets => "$dir/other-tickets"),
    );
    for my $version ('-tls1_2', '-tls1_3') {
        is(resumed($a, $a, $version), 'Reused', "$version: at the same");
        is(resumed($a, $b, $version), 'Reused', "$version: at another with its keys");
        is(resumed($a, $c, $version), 'New', "$version: not with other keys");
    }
    $_->stops_clean('a server ends') for @servers;
};

sub resumed {
    my ($first, $second, $version) = @_;
    my @client = ('openssl', 's_client', '-servername', 'localhost', $version, '-ign_eof', '-connect');
    unlink "$dir/session";
    for my $step ([$first, '-sess_out'], [$second, '-sess_in']) {
        my ($socket, $option) = @$step;
        write_file("$dir/request", "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        my $text = `@client 127.0.0.1:@{[$socket->sockport]} $option $dir/session <$dir/request 2>&1`;
        return $1 if $option eq '-sess_in' && $text =~ /^(New|Reused), /m;
    }
    return 'none';
}

subtest 'time limits: handshake, head, body, idle connections' => sub {
    my ($own, $plain) = (listen_on('127.0.0.1'), listen_on('127.0.0.1'));
    my $strict = Teagate::Http->start(https => [$own], backchannel => [$plain], %common, 'head-timeout' => 2, handshake => 1, keepalive => 3,
        'body-idle' => 1);
    my $start = time;
    my $silent = plain($own->sockport);
    my $closed = closes_within($silent, 5);
    ok(defined $closed && $closed > 0.8 && $closed < 2, 'a silent handshake') or diag $closed // 'never';

    my $slow = plain($plain->sockport);
    $start = time;
    my $bytes = "GET /hello HTTP/1.1\r\nHost: localhost\r\nX-Slow: " . 'x' x 100;
    for my $byte (split //, $bytes) {
        last if !defined syswrite $slow, $byte or defined closes_within($slow, 0.1);
    }
    my $lived = time - $start;
    ok($lived > 1.5 && $lived < 4, 'a head that dribbles in, however lively') or diag $lived;

    my $body = plain($plain->sockport);
    print $body "POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc";
    $body->flush;
    $start = time;
    like(answer_of($body), qr/^HTTP\/1\.1 408/, 'a body that stops');
    cmp_ok(time - $start, '<', 2.5, 'in time');

    my $idle = plain($plain->sockport);
    ask($idle, '/hello');
    $closed = closes_within($idle, 6);
    ok(defined $closed && $closed > 2.5 && $closed < 4.5, 'an idle connection') or diag $closed // 'never';
    $strict->stops_clean('the server ends');
};

subtest 'connections are spread over the loops' => sub {
    my $own = listen_on('127.0.0.1');
    my $spread = Teagate::Http->start(backchannel => [$own], %common, threads => 3);
    my (%on, @clients);
    for (1 .. 30) {
        push @clients, my $client = plain($own->sockport);
        $on{ (ask($client, '/hello') =~ /loop=(\d)/)[0] // 'none' }++;
    }
    is_deeply(\%on, { 0 => $on{0}, 1 => $on{1}, 2 => $on{2} }, 'all have some');
    cmp_ok($_, '<=', 12, 'none has many') for values %on;
    @clients = ();
    $spread->stops_clean('the server ends');
};

subtest 'more connections than allowed are closed at once, and room is used again' => sub {
    my $own = listen_on('127.0.0.1');
    my $small = Teagate::Http->start(backchannel => [$own], %common, max => 10);
    my @clients = map { plain($own->sockport) } 1 .. 10;
    like(ask($_, '/hello'), qr/ 200 /) for @clients;
    ok(defined closes_within(plain($own->sockport), 2), 'the eleventh');
    close pop @clients;
    sleep 0.3;
    like(ask(plain($own->sockport), '/hello'), qr/ 200 /, 'after one has left');
    $small->stops_clean('the server ends');
};

subtest 'the admin listener tells how it is' => sub {
    is(admin('/healthz'), "ok\n");
    is(admin('/readyz'), "ready\n");
    like(admin('/status'), qr/^\{"pid":$server->{pid},"loops":2,"connections":\d+,"draining":false\}$/);
    like(admin('/other', '-w', '%{http_code}'), qr/404$/);
    my $metrics = admin('/metrics');
    my %value = $metrics =~ /^([a-z_]+(?:\{[^}]*\})?) ([0-9.]+)$/mg;
    cmp_ok($value{'teagate_requests_total{host="gitea",status="2xx"}'}, '>', 10, 'requests');
    cmp_ok($value{'teagate_judged_total{door="web",verdict="allow"}'}, '>', 10, 'doors and verdicts');
    cmp_ok($value{'teagate_handshakes_failed_total'}, '>', 4, 'handshakes');
    is($value{'teagate_request_seconds_count{host="gitea"}'}, $value{'teagate_request_seconds_bucket{host="gitea",le="+Inf"}'}, 'a histogram');
    cmp_ok($value{'teagate_loop_turns_total{loop="1"}'}, '>', 10, 'loops');
    cmp_ok($value{'teagate_loop_lag_seconds{loop="0"}'}, '<', 1, 'are in time');
    cmp_ok($value{'teagate_certificate_end_seconds'}, '>', time + 86400, 'certificates');
    my @families = $metrics =~ /^# TYPE (\S+)/mg;
    my %seen;
    is(scalar(grep { $seen{$_}++ } @families), 0, 'every family once');
};

subtest 'one line for each request, and nothing secret in it' => sub {
    curl(@trust, "https://localhost:$port/secret?code=hushhush&state=hush");
    sleep 1.5;
    my $log = read_file($server->{log});
    like($log, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ id=\w{20} client=127\.0\.0\.1 host=localhost:$port method=GET path=\/secret status=200 bytes=\d+ received=0 us=\d+ door=web verdict=allow protocol=h2$/m);
    unlike($log, qr/hush|code=/, 'no query');
    like($log, qr/path=\/wait\/99 status=499 /, 'clients that left');
    like($log, qr/method=POST path=\/post status=200 bytes=8 received=3000000 /, 'bytes received');
    like($log, qr/refused=unknown-host/, 'why something was refused');
    my %ids;
    $ids{$_}++ for $log =~ / id=(\w+)/g;
    is(scalar(grep { $_ > 1 } values %ids), 0, 'ids are unique');
};

SKIP: {
    skip 'sanitizers change memory', 1 if ($ENV{TG_VARIANT} // 'plain') ne 'plain';
    subtest 'a large upload needs little memory' => sub {
        for my $version ('--http1.1', '--http2') {
            my $answer = `head -c 300000000 /dev/zero | curl -sS @trust $version -T - https://localhost:$port/post -X POST 2>&1`;
            is($answer, "300000000\n", $version);
        }
        my ($peak) = read_file("/proc/$server->{pid}/status") =~ /^VmHWM:\s+(\d+) kB/m;
        cmp_ok($peak, '<', 64 * 1024, 'at its peak') and note "$peak KiB";
    };
}

$server->stops_clean('the server ends in order, without a leak');
done_testing;

# A process that is ended when the object goes.
package Killer;

sub new { my ($class, $pid, $handle) = @_; return bless { pid => $pid, handle => $handle }, $class }
sub DESTROY { my ($self) = @_; local ($?, $!); kill 'KILL', $self->{pid}; close $self->{handle}; return }

# Requests one after the other in a process of its own: kept connections, fresh ones, HTTP/2.
package Load;

sub new {
    my ($class, $number, $to) = @_;
    pipe my $out, my $in or die;
    my $pid = fork // die;
    return bless { pid => $pid, out => $out }, $class if $pid;
    my $stop = 0;
    $SIG{TERM} = sub { $stop = 1 };
    my ($good, $bad, $first, $client) = (0, 0, '');
    while (!$stop) {
        my $why = $number % 3 == 0 ? by_curl($to) : by_socket(\$client, $to, $number % 3 == 1);
        last if $stop; # the signal has interrupted the request
        $why eq '' ? $good++ : $bad++;
        $first ||= $why;
    }
    syswrite $in, "$good $bad $first";
    POSIX::_exit(0);
}

sub by_curl {
    my ($to) = @_;
    my $text = Teagate::Http::curl(@trust, "https://localhost:$to/wait/1", '-w', ' HTTP %{http_version}');
    return $text =~ /^hello.* HTTP 2$/s ? '' : "curl: $text";
}

# A client keeps its connection as long as the server does not close it with an answer.
sub by_socket {
    my ($client, $to, $keeps) = @_;
    $$client //= Teagate::Http::secure($to) // return "connect: $IO::Socket::SSL::SSL_ERROR";
    my $answer = Teagate::Http::ask($$client, '/hello');
    $$client = undef if !$keeps || $answer =~ /^connection: close/mi;
    return $answer =~ /^HTTP\/1\.1 200 / ? '' : "answer: '$answer'";
}

sub result {
    my ($self) = @_;
    kill 'TERM', $self->{pid};
    my $text = do { local $/; close $self->{in} if $self->{in}; readline $self->{out} };
    waitpid $self->{pid}, 0;
    return split / /, $text // '0 1 died', 3;
}
