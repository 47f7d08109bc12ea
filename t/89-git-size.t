# A gigabyte (TG_SIZE_MIB=2048: two) each way, over both protocols: nothing is buffered whole, neither in memory nor on disk.

use strict;
use warnings;
use File::Temp;
use JSON::PP;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
plan skip_all => 'memory is measured without sanitizers' if sanitized();
my $size_mib = $ENV{TG_SIZE_MIB} // 1024;
my $active = account('active');
my $dir = File::Temp->newdir;
my @fast = qw(-c core.compression=0 -c pack.compression=0 -c pack.window=0 -c core.bigFileThreshold=1m -c gc.auto=0 -c pack.threads=1);

my $source = "$dir/source";
run('git', 'init', '-q', '-b', 'main', $source);
for my $part (1 .. 4) {
    run(qw(dd if=/dev/urandom bs=1M), 'count=' . $size_mib / 4, "of=$source/part$part");
}
my ($status, $text) = git(@fast, '-C', $source, 'add', '.');
($status, $text) = git(@fast, '-C', $source, 'commit', '-q', '-m', 'large') unless $status;
is($status, 0, "$size_mib MiB are committed") or diag $text;
my $want = capture('git', '-C', $source, 'rev-parse', 'HEAD');

for my $protocol (qw(h1 h2)) {
    my $name = "large-$protocol-$$";
    my $made = curl('-H', 'Authorization: token ' . token($active->{login}), '-H', 'Content-Type: application/json',
        '--data-binary', encode_json({ name => $name, private => JSON::PP::true }), "$contract->{git_url}/api/v1/user/repos");
    is($made->{status}, 201, 'a repository is made') or diag $made->{body};
    my $url = git_url("$active->{login}/$name.git", token($active->{login}));

    my ($most, @spooled) = watch_front(sub { ($status, $text) = git({ protocol => $protocol }, @fast, '-C', $source, 'push', '-q', $url, 'main') });
    is($status, 0, "pushed over $protocol") or diag $text;
    cmp_ok($most, '<', 64, "the front had $most MiB at the most");
    is_deeply(\@spooled, [], 'and no file that is deleted already');

    ($most, @spooled) = watch_front(sub { ($status, $text) = git({ protocol => $protocol }, @fast, 'clone', '-q', '--bare', $url, "$dir/$protocol") });
    is($status, 0, "cloned over $protocol") or diag $text;
    is(scalar capture('git', '-C', "$dir/$protocol", 'rev-parse', 'main'), $want, 'the same commit');
    is(system('git', '-C', "$dir/$protocol", 'fsck', '--full', '--no-dangling', '--no-progress') >> 8, 0, 'all objects are whole');
    cmp_ok($most, '<', 64, "the front had $most MiB at the most");
    is_deeply(\@spooled, [], 'and no file that is deleted already');
    run('rm', '-rf', "$dir/$protocol");
    curl('-X', 'DELETE', '-H', 'Authorization: token ' . token($active->{login}), "$contract->{git_url}/api/v1/repos/$active->{login}/$name");
}
done_testing;
