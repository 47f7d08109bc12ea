# git-lfs and a container registry client, each told in its own language.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Path qw(make_path);
use File::Temp;
use JSON::PP;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
plan skip_all => 'the stand-in has no registry' if $contract->{gitea}{kind} ne 'gitea';
my ($active, $expired) = map { account($_) } qw(active expired);
my $dir = File::Temp->newdir;

subtest 'git-lfs' => sub {
    plan skip_all => 'git-lfs is not installed' unless -x '/usr/bin/git-lfs';
    my $url = git_url("$active->{login}/public.git", token($active->{login}));
    my ($status, $text) = git('clone', '-q', $url, "$dir/lfs");
    is($status, 0, 'cloned') or diag $text;
    run(qw(dd if=/dev/urandom bs=1M count=20), "of=$dir/lfs/large.dat");
    my @lfs = ('-c', 'filter.lfs.clean=git-lfs clean -- %f', '-c', 'filter.lfs.smudge=git-lfs smudge -- %f',
        '-c', 'filter.lfs.process=git-lfs filter-process', '-c', 'filter.lfs.required=true');
    open my $attributes, '>', "$dir/lfs/.gitattributes" or die "$!";
    print {$attributes} "*.dat filter=lfs diff=lfs merge=lfs -text\n";
    close $attributes;
    for my $step ([ 'add', '.' ], [ 'commit', '-q', '-m', 'A large file' ], [ 'lfs', 'push', 'origin', 'HEAD' ], [ 'push', '-q', '--no-verify', 'origin', 'HEAD' ]) {
        ($status, $text) = git(@lfs, '-C', "$dir/lfs", @$step);
        is($status, 0, "git @$step") or diag $text;
    }
    ($status, $text) = git(@lfs, 'clone', '-q', $url, "$dir/lfs-again");
    is($status, 0, 'cloned again, with its object') or diag $text;
    is(-s "$dir/lfs-again/large.dat", 20 << 20, 'which has come back whole');
    git('-C', "$dir/lfs", 'remote', 'set-url', 'origin', git_url("$active->{login}/public.git", token($expired->{login})));
    ($status, $text) = git(@lfs, '-C', "$dir/lfs", 'lfs', 'push', '--all', 'origin');
    isnt($status, 0, 'an expired account is refused');
    like($text, qr{ended on.*/renew}s, 'with words and the link') or diag $text;
};

subtest 'a container image' => sub {
    plan skip_all => 'skopeo is not installed' unless -x '/usr/bin/skopeo';
    make_image("$dir/image");
    my ($port) = $contract->{git_url} =~ /:(\d+)$/;
    make_path("$dir/certs");
    run('cp', $contract->{ca_file}, "$dir/certs/ca.crt");
    my $copy = sub {
        my ($account) = @_;
        return capture({ any_status => 1, env => { HOME => "$dir", XDG_RUNTIME_DIR => "$dir" } }, 'skopeo', 'copy', '--insecure-policy',
            '--dest-cert-dir', "$dir/certs", '--dest-creds', "$account->{login}:" . token($account->{login}), "oci:$dir/image:latest",
            "docker://localhost:$port/$account->{login}/image:1");
    };
    my ($status, $text) = $copy->($active);
    is($status, 0, 'an active account pushes an image') or diag $text;
    ($status, $text) = $copy->($expired);
    isnt($status, 0, 'an expired one is refused');
    like($text, qr{closed for now.*/renew}s, 'with words and the link, which do not tell when to who only has a token') or diag $text;
};

done_testing;

sub blob {
    my ($image, $bytes) = @_;
    my $digest = sha256_hex($bytes);
    make_path("$image/blobs/sha256");
    open my $out, '>:raw', "$image/blobs/sha256/$digest" or die "$!";
    print {$out} $bytes;
    close $out;
    return { digest => "sha256:$digest", size => length $bytes };
}

# The smallest image there is (OCI image layout): one layer with one file.
sub make_image {
    my ($image) = @_;
    make_path("$dir/root");
    open my $file, '>', "$dir/root/hello" or die "$!";
    print {$file} "hello\n";
    close $file;
    run('tar', '-C', "$dir/root", '-cf', "$dir/layer.tar", 'hello');
    my $tar = slurp("$dir/layer.tar");
    my $layer = { %{ blob($image, $tar) }, mediaType => 'application/vnd.oci.image.layer.v1.tar' };
    my $config = { %{ blob($image, encode_json({ architecture => 'amd64', os => 'linux', config => {}, rootfs => { type => 'layers', diff_ids => [ $layer->{digest} ] } })) },
        mediaType => 'application/vnd.oci.image.config.v1+json' };
    my $manifest = { %{ blob($image, encode_json({ schemaVersion => 2, mediaType => 'application/vnd.oci.image.manifest.v1+json', config => $config, layers => [$layer] })) },
        mediaType => 'application/vnd.oci.image.manifest.v1+json', annotations => { 'org.opencontainers.image.ref.name' => 'latest' } };
    for my $part ([ 'index.json', { schemaVersion => 2, manifests => [$manifest] } ], [ 'oci-layout', { imageLayoutVersion => '1.0.0' } ]) {
        open my $out, '>', "$image/$part->[0]" or die "$!";
        print {$out} encode_json($part->[1]);
        close $out;
    }
}
