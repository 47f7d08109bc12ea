# trailers, the fields behind a body: of requests and responses, in both protocols

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Patchd;
use Teagate::H2 qw(WINDOW_UPDATE END_STREAM PROTOCOL_ERROR ENHANCE_YOUR_CALM);
use Test::More;
use Time::HiRes qw(time sleep);

my $server = Patchd->start;

sub h2 { return Teagate::H2->new(port => $server->{h2}, window => 1 << 24, settings => { 4 => 1 << 22 }, @_) }

sub post { my ($path, $body, @line) = @_; return join("\r\n", "POST $path HTTP/1.1", 'Host: a', @line, '', '') . $body }

subtest 'HTTP/1: trailers are told, apart from the head' => sub {
    my $told = sub { my ($trailers, @line) = @_; exchange($server->{h1}, post('/told-trailers', "3\r\nabc\r\n0\r\n$trailers\r\n", 'Transfer-Encoding: chunked', @line)) };
    is($told->('')->{body}, "0 in the head\n", 'none');
    is($told->("X-Sum: 1\r\nHOST:b\r\nx-empty:\r\n", 'X-A: b')->{body}, "1 in the head\nx-sum: 1\r\nhost: b\r\nx-empty: \r\n\r\n", 'three, with their names in lower case');
    is($told->("X: \t a:b \t\r\nX:\xff\r\n")->{body}, "0 in the head\nx: a:b\r\nx: \xff\r\n\r\n", 'without white space around the values');
    is($told->(join '', map { "x-$_: v\r\n" } 1 .. 100)->{status}, 200, 'a hundred');
    is($told->(join '', map { "x-$_: v\r\n" } 1 .. 101)->{status}, 400, 'one more');
    is($told->('x: ' . 'v' x 15_000 . "\r\n")->{status}, 200, '15 KB');
    is($told->($_)->{status}, 400, substr unpack('H*', $_), 0, 30) for 'x: ' . 'v' x 17_000 . "\r\n", "x : a\r\n", "x\r\n", ": a\r\n", "x: a\0\r\n", "x: a\nb\r\n", " x: a\r\n", "x: a\r\n b\r\n", "x: a\r\r\n", "x\x80: a\r\n";
    my $socket = http1($server->{h1});
    syswrite($socket, $_), sleep 0.01 for split //, post('/told-trailers', "3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", 'Transfer-Encoding: chunked');
    is(read_answer($socket)->{body}, "0 in the head\nx-sum: 1\r\ny: 2\r\n\r\n", 'byte by byte');
    is(exchange($socket, post('/told-trailers', "0\r\n\r\n", 'Transfer-Encoding: chunked'))->{body}, "0 in the head\n", 'the next request has those of its own');
};

subtest 'HTTP/2: trailers are told, apart from the head' => sub {
    my $h2 = h2();
    my ($literal, $kept) = (\&Teagate::H2::literal, Teagate::H2::literal_kept('x-kept', 'yes'));
    my $told = sub {
        my ($block) = @_;
        my $id = $h2->request(method => 'POST', path => '/told-trailers', body => 1, headers => ['x-a', 'b']);
        $h2->data($id, 'abc');
        $h2->send_block($id, END_STREAM, $block);
        return $h2->answer($id);
    };
    is($told->($literal->('x-sum', '1') . $literal->('host', 'b') . $literal->('x-empty', ''))->{body}, "1 in the head\nx-sum: 1\r\nhost: b\r\nx-empty: \r\n\r\n", 'three');
    is($told->($kept)->{body}, "1 in the head\nx-kept: yes\r\n\r\n", 'one that is kept');
    is($told->(Teagate::H2::indexed(62))->{body}, "1 in the head\nx-kept: yes\r\n\r\n", 'and a reference to it');
    is($told->('')->{body}, "1 in the head\n", 'an empty block');
    is($told->(join '', map { $literal->("x-$_", 'v') } 1 .. 100)->{status}, 200, 'a hundred');
    is($told->($literal->('x', 'v' x 16_000))->{status}, 200, '16 KB');
    for my $case (['one more', join('', map { $literal->("x-$_", 'v') } 1 .. 101), ENHANCE_YOUR_CALM], ['17 KB', $literal->('x', 'v' x 17_000), ENHANCE_YOUR_CALM],
        map { ["$_->[0]: $_->[1]", $literal->(@$_), PROTOCOL_ERROR] } [':path', '/'], [':x', 'y'], ['X', 'y'], ['x y', 'z'], ['x', "a\0b"], ['x', "a\r\nb"], ['x', ' a'], ['x', "a\t"], ['connection', 'x'],
        ['transfer-encoding', 'chunked'], ['keep-alive', '1'], ['upgrade', 'x'], ['proxy-connection', 'x'], ['te', 'x']) {
        my ($name, $block, $error) = @$case;
        is($told->($kept . $block . $literal->('y', 'z'))->{reset}, $error, $name =~ s/([^ -~])/sprintf '%%%02x', ord $1/ger);
    }
    is($told->(Teagate::H2::indexed(62))->{body}, "1 in the head\nx-kept: yes\r\n\r\n", 'the compression state is in step');
};

subtest 'a response has its trailers behind its body' => sub {
    my $socket = http1($server->{h1});
    for my $n (0, 40_000) {
        syswrite $socket, "GET /trailers/$n HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
        my ($got, $end) = ('', time + 5);
        sysread $socket, $got, 65_536, length $got until $got =~ /hello\z/ || time > $end;
        my ($sent) = $got =~ /\r\n\r\n(8\r\nstreamed.*)HTTP\/1\.1 200/s;
        is($sent, "8\r\nstreamed\r\n0\r\nx-sum: 9\r\nx-long: " . 'l' x $n . "\r\n\r\n", 'HTTP/1.1, in chunks');
    }
    unlike(exchange($server->{h1}, "GET /trailers/$_->[0] HTTP/1.$_->[1]\r\nHost: a\r\n\r\n", seconds => 1)->{body}, qr/x-sum/, 'not ' . $_->[2]) for [0, 0, 'in HTTP/1.0'], ['length/0', 1, 'when there is a length'];
    my $h2 = h2();
    for my $n (0, 40_000) {
        my $id = $h2->request(path => "/trailers/$n");
        my $answer = $h2->answer($id);
        is("$answer->{status} $answer->{body} $answer->{is_complete}", '200 streamed 1', 'HTTP/2');
        $h2->wait_for(0.2, sub { 0 });
        cmp_ok(length $answer->{trailers}, '>', 6 + $n / 2, 'and behind it fields');
        like(qx(curl -s --http2-prior-knowledge -D - http://127.0.0.1:$server->{h2}/trailers/$n), qr/\r\n\r\nstreamedx-sum: 9\r\nx-long: l{$n}\r\n/, 'as a client reads them');
    }
    is($h2->answer($h2->request(path => '/trailers/length/0'))->{trailers} ne '', 1, 'also behind a length');
    is($h2->answer($h2->request(path => '/hello'))->{trailers}, undef, 'others have none');
    $h2 = h2(settings => { 4 => 3 });
    my $id = $h2->request(path => '/trailers/0');
    $h2->wait_for(0.3, sub { 0 });
    is($h2->answer($id, 0)->{trailers}, undef, 'they wait for the body');
    $h2->send(WINDOW_UPDATE, 0, $id, pack 'N', 100);
    ok($h2->answer($id)->{is_complete} && defined $h2->answer($id)->{trailers}, 'and follow it');
};

$server->stops_clean;
done_testing;
