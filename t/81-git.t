# git over both protocols: clone, push, a refused push costs nothing.

use strict;
use warnings;
use File::Temp;
use POSIX ();
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
my $active = account('active');
my $expired = account('expired');
my $dir = File::Temp->newdir;

sub write_file {
    my ($path, $text) = @_;
    open my $file, '>', $path or die "$path: $!";
    print {$file} $text;
    return close $file;
}

for my $protocol (qw(h1 h2)) {
    subtest "clone and push over $protocol" => sub {
        my $clone = "$dir/clone-$protocol";
        my ($status, $text) = git({ protocol => $protocol }, 'clone', '-q', git_url("$active->{login}/private.git", token($active->{login})), $clone);
        is($status, 0, 'a private repository is cloned with a token') or diag $text;
        run(qw(dd if=/dev/urandom bs=1M count=20), "of=$clone/$protocol.bin");
        git('-C', $clone, 'add', '.');
        git('-C', $clone, 'commit', '-q', '-m', "push over $protocol");
        ($status, $text) = git({ protocol => $protocol }, '-C', $clone, qw(-c http.postBuffer=65536 push -q origin HEAD));
        is($status, 0, 'a chunked push arrives') or diag $text;
        ($status, $text) = git({ protocol => $protocol }, 'clone', '-q', git_url("$active->{login}/private.git", token($active->{login})), "$clone-again");
        is(scalar capture('sha256sum', "$clone/$protocol.bin") =~ s/ .*//sr, scalar capture('sha256sum', "$clone-again/$protocol.bin") =~ s/ .*//sr,
            'and comes back as it was');
    };
}

subtest 'shallow, partial and dumb readers' => sub {
    my ($status, $text) = git('clone', '-q', '--depth', '1', git_url("$active->{login}/public.git"), "$dir/shallow");
    is($status, 0, 'a shallow clone without credentials') or diag $text;
    ($status, $text) = git('-c', 'protocol.version=0', 'ls-remote', git_url("$active->{login}/public.git"));
    is($status, 0, 'protocol version 0') or diag $text;
};

subtest 'no credentials: git is asked for them, never sent to a page' => sub {
    my $answer = curl(git_url("$active->{login}/private.git/info/refs?service=git-upload-pack"));
    is($answer->{status}, 401, 'the status is 401');
    like($answer->{headers}, qr/^www-authenticate:\s*Basic/mi, 'Basic');
};

subtest 'an expired account reads why, and keeps its stored password' => sub {
    for my $protocol (qw(h1 h2)) {
        my ($status, $text) = git({ protocol => $protocol }, 'ls-remote', git_url("$expired->{login}/private.git", token($expired->{login})));
        isnt($status, 0, "over $protocol it is refused");
        like($text, qr/^remote: .*ended on/m, 'with what happened');
        like($text, qr{^remote: .*https://\S*/renew}m, 'and the link that mends it');
        unlike($text, qr/Authentication failed/, 'and not as a wrong password');
    }
};

subtest 'a refused push is refused at its head' => sub {
    my $file = "$dir/large";
    run(qw(dd if=/dev/zero bs=1M count=64), "of=$file");
    my $url = git_url("$expired->{login}/private.git/git-receive-pack");
    for my $case ([ '--http1.1', 'Expect: 100-continue', 0 ], [ '--http1.1', 'Expect:', 8 << 20 ], [ '--http2', 'Expect:', 1 << 20 ]) {
        my ($protocol, $expect, $most) = @$case;
        my $answer = curl($protocol, '-u', 'git:' . token($expired->{login}), '-H', $expect, '-H', 'Content-Type: application/x-git-receive-pack-request',
            '-X', 'POST', '-T', $file, $url);
        is($answer->{status}, 402, "$protocol $expect: 402") or diag $answer->{text};
        cmp_ok($answer->{uploaded}, '<=', $most, "after $answer->{uploaded} of 67108864 bytes");
    }
};

subtest 'a push that is under way when its account closes is rejected with the reason' => sub {
    my $clone = "$dir/closing";
    my ($status, $text) = git('clone', '-q', git_url("$active->{login}/private.git", token($active->{login})), $clone);
    git('-C', $clone, 'commit', '-q', '--allow-empty', '-m', 'late');
    # git runs the hook between its first request and the push itself
    write_file("$clone/.git/hooks/pre-push", "#!/bin/sh\ntouch '$dir/asked'\nwhile [ ! -e '$dir/closed' ]; do sleep 0.1; done\n");
    chmod 0755, "$clone/.git/hooks/pre-push";
    my $closer = fork // die "fork: $!";
    if (!$closer) {
        wait_until(20, sub { -e "$dir/asked" });
        teagate('subscription', 'set', $active->{login}, '--until', '-30d');
        sleep 1;
        write_file("$dir/closed", '');
        POSIX::_exit(0);
    }
    ($status, $text) = git('-C', $clone, 'push', 'origin', 'HEAD:refs/heads/late');
    waitpid $closer, 0;
    teagate('subscription', 'set', $active->{login}, '--until', '+300d');
    isnt($status, 0, 'refused');
    like($text, qr{^ ! \[remote rejected\] HEAD -> late \(Closed until it is renewed\)}m, 'by its reference') or diag $text;
    like($text, qr{^remote: .*https://\S*/renew}m, 'with the link');
};

subtest 'an unknown token is not let in' => sub {
    my ($status, $text) = git('ls-remote', git_url("$active->{login}/private.git", 'f' x 40));
    isnt($status, 0, 'refused');
    like($text, qr/Authentication failed/, 'as wrong credentials, so that git asks again') or diag $text;
};

done_testing;
