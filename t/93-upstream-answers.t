# Answers of an upstream that could be read in two ways, or as two: the client is told one thing, and nobody gets another's answer

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::H2;
use Teagate::Http qw(answer_of);
use Teagate::Recorder;
use Test::More;

my $ok = "HTTP/1.1 200 OK\r\n";
my $other = "${ok}Content-Length: 5\r\n\r\nother";

# What an upstream says, and what the client is told: a status, and the body; a body that is broken off has none
my (@broken, @whole);

push @broken, ["two lengths: $_->[0] and $_->[1]", "${ok}Content-Length: $_->[0]\r\nContent-Length: $_->[1]\r\n\r\nwhole$other"] for [5, 6], [6, 5], [0, 5];
push @broken, ["length '$_'", "${ok}Content-Length: $_\r\n\r\nwhole$other"] for '5, 5', '+5', '-5', '0x5', '5 5', "5\x0b", '', '5.0', '99999999999999999999', '18446744073709551621', "5\0";
push @broken, ["encoding '$_'", "${ok}Transfer-Encoding: $_\r\n\r\n5\r\nwhole\r\n0\r\n\r\n$other"] for 'xchunked', 'chunked, chunked', 'gzip, chunked', 'chunked, identity', 'identity', '', "\x0bchunked",
    "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: identity";
push @broken, ["line '$_'", "${ok}$_\r\nContent-Length: 5\r\n\r\nwhole"] for 'X: y' . "\r\n" . ' z', "X: a\0b", "X: a\x7f", "X: a\rb", 'X', ': y', 'X y: z', 'X : y', "X\xff: y", "X\0: y";
push @broken, ["status line '$_'", "$_\r\nContent-Length: 5\r\n\r\nwhole"] for 'HTTP/2.0 200 OK', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1 099 OK', 'HTTP/1.1 600 X', 'HTTP/1.1 -20 OK', 'HTTP/1.1  200 OK',
    "HTTP/1.1\t200 OK", 'ICY 200 OK', "HTTP/1.1 200 O\0K", 'whole', 'HTTP/1.1 101 Switching Protocols';
push @broken, ['no head at all', "\r\n\r\n\r\n"], ['HTTP/0.9', "<html>whole</html>\r\n"], ['a head without an end', "${ok}Content-Length: 5\r\n"], ['nothing', ''],
    ['a line of 100 KB', "${ok}X: " . 'y' x 100_000 . "\r\nContent-Length: 5\r\n\r\nwhole"], ['200 fields', $ok . "X: y\r\n" x 200 . "Content-Length: 5\r\n\r\nwhole"],
    ['a head of 1 MB', $ok . join('', map { "X-$_: " . 'y' x 10_000 . "\r\n" } 1 .. 100) . "\r\n"],
    ['many interim answers', "HTTP/1.1 100 Continue\r\n\r\n" x 5_000 . $other], ['large interim answers', ("HTTP/1.1 103 Early Hints\r\nLink: <" . 'y' x 4000 . ">\r\n\r\n") x 20 . $other];

push @whole, ['a length', "${ok}Content-Length: 5\r\n\r\nwhole"], ['chunks', "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3;x=y\r\nole\r\n0\r\nX: y\r\n\r\n"],
    ['the same length twice', "${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nwhole"], ['interim answers', "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n${ok}Content-Length: 5\r\n\r\nwhole"],
    ['another answer behind it', "${ok}Content-Length: 5\r\n\r\nwhole$other"], ['another answer behind chunks', "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n$other"],
    ['length and encoding', "${ok}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"], ['the end of the connection', "${ok}\r\nwhole", 1], ['HTTP/1.0', "HTTP/1.0 200 OK\r\n\r\nwhole", 1],
    ['a length of HTTP/1.0', "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole$other"], ['fields of its connection', "${ok}Connection: x-a, close\r\nX-A: b\r\nKeep-Alive: 5\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nwhole"],
    ['no reason', "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nwhole"], ['a break in a value that is encoded', "${ok}X: a%0d%0aSet-Cookie: b=c\r\nContent-Length: 5\r\n\r\nwhole"];

# Heads that promise what does not come, or comes broken: the client must notice
my @cut = (['a length that is not reached', "${ok}Content-Length: 9\r\n\r\nwhole"], ['chunks without an end', "${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n"],
    map { ["chunk '$_'", "${ok}Transfer-Encoding: chunked\r\n\r\n$_"] } "5\nwhole\r\n0\r\n\r\n", "5\r\nwholeX\r\n0\r\n\r\n", "5\r\nwhole\n0\r\n\r\n", "x\r\nwhole\r\n", "-5\r\nwhole\r\n", "5\r\nwhole\r\n0\r\n\n", "ffffffffffffffff5\r\nwhole");

my @answers = (@broken, @whole, @cut);
my %ends = map { ($_ => 1) } (0 .. $#broken, @broken + @whole .. $#answers), grep { $answers[$_][2] } 0 .. $#answers;

start_recorder(sub {
    my ($socket, $head) = @_;
    my ($number) = $head =~ m{^\w+ /o/(\d+) };
    print $socket defined $number ? $answers[$number][1] : "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown";
    return !(defined $number && $ends{$number});
});

sub http1_answer {
    my ($number) = @_;
    my $socket = connection('http/1.1') or return 'no connection';
    print $socket get("/o/$number", 'Connection: close');
    $socket->flush;
    local $SIG{ALRM} = sub { die "no end\n" };
    my $text = '';
    eval { alarm 10; 1 while sysread $socket, $text, 65536, length $text };
    alarm 0;
    return $text;
}

sub http2_answer {
    my ($number) = @_;
    my $h2 = Teagate::H2->new(socket => connection('h2') // die('no connection'), window => 1 << 20);
    return $h2->answer($h2->request(scheme => 'https', authority => host_name(), path => "/o/$number"), 10);
}

# The next ones get what is theirs, also on the connections that the answer may have left behind
sub is_clean {
    my ($name) = @_;
    my $socket = connection('http/1.1');
    my $own = 0;
    for (1 .. 2) {
        print $socket get('/o/next');
        $socket->flush;
        $own++ if answer_of($socket) =~ m{\AHTTP/1\.1 200 OK\r\n.*\r\n\r\nown\z}s;
    }
    is($own, 2, "$name: those behind it get their own");
    return;
}

# Of the head the client must not see what concerns the upstream's connection, and one framing only
sub is_plain {
    my ($head) = @_;
    my $framings = () = $head =~ /^(?:content-length|transfer-encoding):/gmi;
    return $framings <= 1 && $head !~ /^(?:x-a|keep-alive|upgrade|set-cookie):/mi;
}

subtest 'what is broken is told as 502' => sub {
    for my $number (0 .. $#broken) {
        my $name = shown(substr $answers[$number][0], 0, 60);
        my $text = http1_answer($number);
        like($text, qr{\AHTTP/1\.1 502 }, $name) or diag shown(substr $text, 0, 300);
        unlike($text, qr/whole|other/, "$name: and nothing of it");
        is(http2_answer($number)->{status}, 502, "$name: HTTP/2");
        is_clean($name);
    }
};

subtest 'what is whole arrives' => sub {
    for my $number (@broken .. @broken + $#whole) {
        my $name = $answers[$number][0];
        my ($head, $body) = split /\r\n\r\n/, http1_answer($number), 2;
        $head = (split /\r\n\r\n/, $body, 2)[0], $body = (split /\r\n\r\n/, $body, 2)[1] while $head =~ m{\AHTTP/1\.1 1};
        $body =~ s/^[0-9a-f]+\r\n|\r\n(?:0\r\n(?:[^\r\n]+\r\n)*\r\n)?//g if $head =~ /^transfer-encoding: chunked/mi;
        like($head, qr{\AHTTP/1\.1 200 }, $name);
        is($body, 'whole', "$name: its body and no more");
        ok(is_plain($head), "$name: one framing") or diag $head;
        my $answer = http2_answer($number);
        is("$answer->{status} $answer->{body} $answer->{is_complete}", '200 whole 1', "$name: HTTP/2");
        is_clean($name);
    }
};

subtest 'what is cut off is seen to be' => sub {
    for my $number (@broken + @whole .. $#answers) {
        my $name = shown($answers[$number][0]);
        my $text = http1_answer($number);
        my ($length) = $text =~ /^content-length: (\d+)/mi;
        ok($text =~ m{\AHTTP/1\.1 502 } || ($length ? $text !~ /\r\n\r\n.{$length}/s : $text !~ /\r\n0\r\n\r\n\z/), "$name: HTTP/1") or diag shown($text);
        unlike($text, qr/wholeX|other/, "$name: and nothing else");
        my $answer = http2_answer($number);
        ok(defined $answer->{reset} || $answer->{status} == 502, "$name: HTTP/2") or diag explain $answer;
        is_clean($name);
    }
};

stop_recorder();
done_testing;
