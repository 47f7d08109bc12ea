# header fields in HTTP/2: how many, how large, and which; whatever is refused, the compression state stays in step

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/h2o/lib", "$FindBin::Bin/lib";
use Patchd;
use Teagate::H2 qw(DATA HEADERS PRIORITY CONTINUATION GOAWAY SETTINGS END_STREAM END_HEADERS PROTOCOL_ERROR COMPRESSION_ERROR
    ENHANCE_YOUR_CALM NO_ERROR literal literal_kept indexed);
use Test::More;
use Time::HiRes qw(time sleep);

my $server = Patchd->start('h2-idle' => 1500);

sub h2 { return Teagate::H2->new(port => $server->{h2}, window => 1 << 24, @_) }

# the refused block has put a field into the compression table; the next request refers to it
sub is_in_step {
    my ($h2, $name) = @_;
    my $answer = $h2->answer($h2->request(path => '/show', raw => indexed(62)));
    return is($answer->{status} . ' ' . ($answer->{body} =~ /^x-kept: yes$/m ? 'yes' : 'no'), '200 yes', "$name: the connection lives, in step");
}

my $kept = literal_kept('x-kept', 'yes');

subtest 'too many header fields are answered with 431' => sub {
    my $h2 = h2();
    my $fields = sub { return [map { ("x-$_", 'v') } 1 .. $_[0]] };
    is($h2->answer($h2->request(headers => $fields->(100)))->{status}, 200, '100 fields');
    is($h2->answer($h2->request(headers => $fields->(101), raw => $kept))->{status}, 431, '101 fields');
    is_in_step($h2, '101');
    is($h2->answer($h2->request(headers => $fields->(5000), raw => $kept))->{status}, 431, '5000 fields');
    is_in_step($h2, '5000');
    my $crumbs = join '', map { literal('cookie', "c$_=v") } 1 .. 101;
    is($h2->answer($h2->request(raw => $crumbs . $kept))->{status}, 431, '101 crumbs of a cookie');
    is_in_step($h2, 'crumbs');
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1, headers => $fields->(101), raw => $kept);
    $h2->data($id, 'b' x 30_000, 1);
    is($h2->answer($id)->{status}, 431, 'with a body');
    is_in_step($h2, 'with a body');
};

subtest 'a large cookie is answered with 431' => sub {
    my $h2 = h2();
    is($h2->answer($h2->request(headers => ['cookie', 'c' x 64_000]))->{status}, 200, '64 KB');
    for my $size (65_537, 100_000, 1_000_000, 1_048_576) {
        is($h2->answer($h2->request(headers => ['cookie', 'c' x $size], raw => $kept))->{status}, 431, "$size bytes");
        is_in_step($h2, $size);
    }
    is($h2->answer($h2->request(path => '/' . 'p' x 70_000, raw => $kept))->{status}, 431, 'a large path');
    is_in_step($h2, 'a large path');
};

subtest 'a compression bomb costs the connection' => sub {
    my $before = resident_kb($server->{pid});
    for my $name ('x-bomb', 'cookie') {
        my $h2 = h2();
        is($h2->answer($h2->request(raw => literal_kept($name, 'b' x 4000)))->{status}, 200, "$name: a field of 4 KB");
        my $begin = time;
        $h2->request(raw => indexed(62) x 16_000) for 1 .. 3;
        is($h2->end, ENHANCE_YOUR_CALM, "$name: GOAWAY");
        ok(time - $begin < 2, "$name: soon");
    }
    my $grown = resident_kb($server->{pid}) - $before;
    ok($grown < 20_000, "RSS has grown by $grown KB");
    my $h2 = h2();
    $h2->request(headers => [map { ('x', 'v') } 1 .. 10_001]);
    is($h2->end, ENHANCE_YOUR_CALM, '10,001 fields');
};

subtest 'many bombs of an allowed size cost the connection' => sub {
    my $h2 = h2();
    is($h2->answer($h2->request(raw => literal_kept('x-bomb', 'b' x 4000)))->{status}, 200, 'a field of 4 KB');
    is($h2->answer($h2->request(raw => indexed(62) x 500))->{status}, '431', 'a bomb') for 1 .. 20;
    is($h2->answer($h2->request)->{status}, 200, 'the connection is kept');
    $h2->request(raw => indexed(62) x 500);
    is($h2->end, ENHANCE_YOUR_CALM, 'until there is one too many');
};

subtest 'a flood of CONTINUATION frames is cut' => sub {
    my $h2 = h2();
    $h2->send(HEADERS, END_STREAM, 1, $h2->block);
    $h2->send(CONTINUATION, 0, 1, '') or last for 1 .. 3000;
    is($h2->end, ENHANCE_YOUR_CALM, 'empty ones');
    $h2 = h2();
    $h2->send(HEADERS, END_STREAM, 1, $h2->block);
    $h2->send(CONTINUATION, 0, 1, 'c' x 16_384) or last for 1 .. 100;
    is($h2->end, ENHANCE_YOUR_CALM, 'large ones');
    $h2 = h2();
    $h2->wait_for(0.2, sub { 0 });
    $h2->send(HEADERS, END_STREAM, 1, $h2->block);
    my $begin = time;
    while (time - $begin < 4 && $h2->send(CONTINUATION, 0, 1, "\x00\x01a\x01b")) {
        $h2->wait_for(0.1, sub { $_[0]{type} == GOAWAY }) and last;
    }
    my $waited = time - $begin;
    ok($waited > 1 && $waited < 2.5, "slow ones, after the idle time ($waited)");
};

subtest 'trailers do not become headers' => sub {
    my $h2 = h2();
    for my $path ('/show', '/sink') {
        my $id = $h2->request(method => 'POST', path => $path, body => 1);
        $h2->data($id, 'abc');
        $h2->send_block($id, END_STREAM, literal('authorization', 'trailer') . $kept);
        my $answer = $h2->answer($id);
        is($answer->{status}, 200, $path);
        unlike($answer->{body}, qr/trailer/);
        is_in_step($h2, $path);
    }
    my $id = $h2->request(method => 'POST', path => '/sink', body => 1);
    $h2->send_block($id, END_STREAM, literal(':path', '/other'));
    is($h2->answer($id)->{reset}, PROTOCOL_ERROR, 'a pseudo-header among them');
    for (1 .. 3) {
        $id = $h2->request(method => 'POST', path => '/sink', body => 1);
        $h2->send_block($id, END_STREAM, join('', map { literal("x-$_", 'v' x 1000) } 1 .. 500) . $kept);
        is($h2->answer($id)->{reset}, ENHANCE_YOUR_CALM, 'too many of them');
        is_in_step($h2, 'too many of them');
    }
};

subtest 'malformed requests are reset, the connection lives' => sub {
    my @bad = (
        'no method'                  => { method => undef },
        'no scheme'                  => { scheme => undef },
        'no path'                    => { path => undef },
        'no authority'               => { authority => undef },
        'two methods'                => { raw_first => literal(':method', 'GET') },
        'a late pseudo-header'       => { method => undef, raw => literal('x', 'y') . literal(':method', 'GET') },
        'an unknown pseudo-header'   => { raw_first => literal(':status', '200') },
        'another pseudo-header'      => { raw_first => literal(':protocol', 'websocket') },
        'method with a space'        => { method => 'GET /a HTTP/1.1 X' },
        'empty method'               => { method => '' },
        'method with a colon'        => { method => 'G:T' },
        'connect'                    => { method => 'CONNECT', path => undef, scheme => undef },
        'another scheme'             => { scheme => 'ftp' },
        'path with a space'          => { path => '/a b' },
        'path with a tab'            => { path => "/a\tb" },
        'path with CR LF'            => { path => "/a\r\nX: y" },
        'path with NUL'              => { path => "/a\0" },
        'path with DEL'              => { path => "/a\x7f" },
        'path without a slash'       => { path => 'a' },
        'a whole address as path'    => { path => 'http://localhost/' },
        'empty path'                 => { path => '' },
        'empty authority'            => { authority => '' },
        'authority with a space'     => { authority => 'a b' },
        'authority with a slash'     => { authority => 'a/b' },
        'authority with userinfo'    => { authority => 'u@a' },
        'authority with CR LF'       => { authority => "a\r\nX: y" },
        'authority with two ports'   => { authority => 'a:1:2' },
        'authority without a name'   => { authority => ':80' },
        'a host that is another'     => { headers => ['host', 'other'] },
        'two hosts'                  => { headers => ['host', 'localhost', 'host', 'localhost'] },
        'a bad host alone'           => { authority => undef, headers => ['host', 'a b'] },
        'a name in capitals'         => { headers => ['X-Capital', 'v'] },
        'connection'                 => { headers => ['connection', 'close'] },
        'keep-alive'                 => { headers => ['keep-alive', '1'] },
        'proxy-connection'           => { headers => ['proxy-connection', 'close'] },
        'transfer-encoding'          => { headers => ['transfer-encoding', 'chunked'] },
        'upgrade'                    => { headers => ['upgrade', 'h2c'] },
        'te'                         => { headers => ['te', 'gzip'] },
        'white space before a value' => { headers => ['x', ' v'] },
        'white space after a value'  => { headers => ['x', "v\t"] },
        'two lengths'                => { headers => ['content-length', 0, 'content-length', 1] },
        'a length that is no number' => { headers => ['content-length', '+0'] },
    );
    my $h2 = h2();
    while (my ($name, $case) = splice @bad, 0, 2) {
        my $first = delete $case->{raw_first} // '';
        my $raw = delete $case->{raw} // '';
        my $id = $h2->request(block => $first . $h2->block(path => '/show', %$case) . $raw . $kept);
        my $answer = $h2->answer($id);
        is($answer->{reset}, PROTOCOL_ERROR, $name) or diag explain $answer;
        is_in_step($h2, $name);
    }
    my @refused = ('a control in a value' => ['x', "a\x01b"], 'NUL in a value' => ['x', "a\0b"], 'CR LF in a value' => ['x', "a\r\nb: c"],
        'a space in a name' => ['x y', 'v'], 'a colon in a name' => ['x:y', 'v'], 'NUL in a name' => ["x\0", 'v'], 'an empty name' => ['', 'v']);
    while (my ($name, $header) = splice @refused, 0, 2) {
        is($h2->answer($h2->request(path => '/show', headers => $header, raw => $kept))->{status}, 400, $name);
        is_in_step($h2, $name);
    }
};

subtest 'well-formed requests are accepted' => sub {
    my $h2 = h2();
    my $show = sub { return $h2->answer($h2->request(path => '/show', @_))->{body} };
    like($show->(authority => '[::1]:443'), qr/^\[::1\]:443$/m, 'an IPv6 address');
    like($show->(authority => undef, headers => ['host', 'a.b:1']), qr/^a\.b:1$/m, 'host instead of an authority');
    like($show->(authority => 'Local', headers => ['host', 'lOCAL']), qr/^Local$/m, 'host and authority, the same');
    like($show->(headers => ['te', 'trailers']), qr/^te: trailers$/m, 'te: trailers');
    like($show->(headers => ['authorization', 'x', 'authorization', 'y']), qr/^authorization: x\nauthorization: y$/m, 'two credentials, both seen');
    like($show->(headers => ['x', "\xc3\xa9\tb"]), qr/^x: \xc3\xa9\tb$/m, 'bytes beyond ASCII and a tab');
    like($show->(path => "/show/%2F\xc3\xa9?a=b&c=\"d\""), qr/^\/show\/%2F\xc3\xa9\?a=b&c="d"$/m, 'a path byte for byte');
};

$server->stops_clean;

subtest 'requests after the final GOAWAY do not break those before' => sub {
    $server = Patchd->start;
    my $h2 = h2();
    $h2->wait_for(1, sub { $_[0]{type} == SETTINGS && $_[0]{flags} });
    my $upload = $h2->request(method => 'POST', path => '/sink', body => 1);
    $h2->data($upload, 'abc');
    is(exchange($server->{h1}, "GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200);
    $h2->wait_for(3, sub { $_[0]{type} == GOAWAY && unpack('N', $_[0]{payload}) < 0x7fffffff });
    $h2->request(raw => $kept);
    my $block = $h2->block(raw => literal_kept('x-other', 'yes'));
    $h2->send(PRIORITY, 0, $upload + 4, pack 'NC', 0, 15);
    $h2->send(HEADERS, END_STREAM, $upload + 4, substr $block, 0, 10);
    $h2->send(CONTINUATION, END_HEADERS, $upload + 4, substr $block, 10);
    $h2->data($upload, 'def');
    $h2->send_block($upload, END_STREAM, indexed(62) . indexed(63));
    is($h2->answer($upload)->{body}, crc32_of('abcdef'), 'the upload ends with trailers that refer to fields of the others');
    $h2->end(2);
    $h2->close;
    $server->stops_clean;
};

done_testing;
