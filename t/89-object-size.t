# A large LFS object and registry blob (TG_OBJECT_MIB=1024: of a gigabyte), each way, over both protocols: nothing is buffered whole, and all comes back.

use strict;
use warnings;
use Digest::SHA;
use File::Temp;
use JSON::PP;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
plan skip_all => 'memory is measured without sanitizers' if sanitized();
plan skip_all => 'the stand-in keeps no objects' if $contract->{gitea}{kind} ne 'gitea';
my $size_mib = $ENV{TG_OBJECT_MIB} // 256;
my $active = account('active');
my $basic = "$active->{login}:" . token($active->{login});
my $dir = File::Temp->newdir;
my @curl = (qw(curl -sS -g --max-time 600 --cacert), $contract->{ca_file});

run(qw(dd if=/dev/urandom bs=1M status=none), "count=$size_mib", "of=$dir/object");
my $bytes = -s "$dir/object";

# so that each is another object: the first bytes are the protocol's
sub make_object {
    my ($name) = @_;
    open my $file, '+<', "$dir/object" or die "$!";
    syswrite $file, "$name $$ ";
    close $file;
    return Digest::SHA->new(256)->addfile("$dir/object", 'b')->hexdigest;
}

# Sends or fetches the object; the status, and what the front needed.
sub transfer {
    my ($protocol, @arguments) = @_;
    my ($text, $head) = ('', "$dir/head");
    my ($most, @spooled) = watch_front(sub {
        (undef, $text) = capture({ any_status => 1 }, @curl, $protocol eq 'h1' ? '--http1.1' : '--http2', '-D', $head, '-w', '%{http_code}', @arguments);
    });
    cmp_ok($most, '<', 64, "the front had $most MiB at the most");
    is_deeply(\@spooled, [], 'and no file that is deleted already');
    return $text =~ /(\d{3})$/ ? $1 : $text;
}

sub fetch_back {
    my ($protocol, $digest, @arguments) = @_;
    is(transfer($protocol, '-L', '-o', "$dir/back", @arguments), 200, 'it is fetched');
    is(Digest::SHA->new(256)->addfile("$dir/back", 'b')->hexdigest, $digest, 'and is the same');
    unlink "$dir/back";
}

sub lfs_action {
    my ($operation, $digest) = @_;
    my $answer = curl('-u', $basic, '-H', 'Accept: application/vnd.git-lfs+json', '-H', 'Content-Type: application/vnd.git-lfs+json', '--data-binary',
        encode_json({ operation => $operation, transfers => ['basic'], objects => [ { oid => $digest, size => $bytes } ] }),
        "$contract->{git_url}/$active->{login}/public.git/info/lfs/objects/batch");
    my $action = decode_json($answer->{body})->{objects}[0]{actions}{$operation};
    ok($action, "$operation is offered") or diag $answer->{body};
    return ($action->{href}, map { ('-H', "$_: $action->{header}{$_}") } grep { lc ne 'transfer-encoding' } sort keys %{ $action->{header} // {} });
}

for my $protocol (qw(h1 h2)) {
    subtest "$size_mib MiB of LFS over $protocol" => sub {
        my $digest = make_object("lfs $protocol");
        my ($url, @headers) = lfs_action('upload', $digest);
        is(transfer($protocol, @headers, '-o', "$dir/answer", '-T', "$dir/object", $url), 200, 'it is sent');
        ($url, @headers) = lfs_action('download', $digest);
        fetch_back($protocol, $digest, @headers, $url);
    };
    subtest "a blob of $size_mib MiB for the registry over $protocol" => sub {
        my $digest = make_object("blob $protocol");
        my $image = "$contract->{git_url}/v2/$active->{login}/large-$protocol";
        is(transfer($protocol, '-u', $basic, '-o', "$dir/answer", '-X', 'POST', "$image/blobs/uploads/"), 202, 'an upload begins');
        my ($at) = slurp("$dir/head") =~ /^location: (\S+)/mi;
        ok($at, 'somewhere') or return;
        is(transfer($protocol, '-u', $basic, '-o', "$dir/answer", '-H', 'Content-Type: application/octet-stream', '-T', "$dir/object",
            "$contract->{git_url}" . ($at =~ s{^https?://[^/]+}{}r) . ($at =~ /\?/ ? '&' : '?') . "digest=sha256:$digest"), 201, 'it is sent');
        fetch_back($protocol, $digest, '-u', $basic, "$image/blobs/sha256:$digest");
    };
}
done_testing;
