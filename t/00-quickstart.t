# What quickstart does by itself: it writes as root into directories of its servers' users, who must not be able to lead it elsewhere; and
# it puts an old state behind a new address.
use strict;
use warnings;
use Cwd qw(getcwd);
use File::Temp qw(tempdir);
use Test::More;

our $before_chmod;
BEGIN {
    *CORE::GLOBAL::chmod = sub { my ($mode, @what) = @_; $before_chmod->() if $before_chmod; CORE::chmod($mode, @what) };
}
use lib 'scripts/lib';
use Teagate::Quickstart;
use Teagate::Shell qw(spew slurp make_own spawn);

my $dir = tempdir('teagate-test-XXXXXX', TMPDIR => 1, CLEANUP => 1);
sub mode_of { return sprintf '%o', (stat $_[0])[2] & 07777 }

sub make_victim {
    open my $out, '>', "$dir/victim" or die $!;
    print $out "untouched\n";
    close $out;
    CORE::chmod(0600, "$dir/victim");
}

subtest 'a file gets its mode, not what was put in its place meanwhile' => sub {
    make_victim();
    spew("$dir/file", "text\n", 0640);
    is mode_of("$dir/file"), '640', 'the mode that was asked for';
    local $before_chmod = sub { unlink "$dir/file.new.$$"; symlink "$dir/victim", "$dir/file.new.$$" };
    eval { spew("$dir/file", "text\n", 0644) };
    is mode_of("$dir/victim"), '600', 'a link changes nothing where it leads';
    is slurp("$dir/victim"), "untouched\n", 'nor is anything written there';
};

subtest 'a directory is one, and no link to another' => sub {
    make_own("$dir/own", 0700);
    is mode_of("$dir/own"), '700', 'made';
    make_own("$dir/own", 0750);
    is mode_of("$dir/own"), '750', 'or there';
    mkdir "$dir/other", 0755 or die $!;
    symlink "$dir/other", "$dir/link" or die $!;
    ok !eval { make_own("$dir/link", 0700); 1 }, 'a link is refused';
    like $@, qr/is not a directory of its own/, 'by name';
    is mode_of("$dir/other"), '755', 'and changes nothing where it leads';
};

subtest 'a log that is a link is not written to' => sub {
    make_victim();
    symlink "$dir/victim", "$dir/log" or die $!;
    my $pid = spawn({ log => "$dir/log" }, 'echo', 'into the log');
    waitpid $pid, 0;
    is $? >> 8, 126, 'the server is not started';
    is slurp("$dir/victim"), "untouched\n", 'nothing is written where it leads';
    $pid = spawn({ log => "$dir/real.log" }, 'echo', 'into the log');
    waitpid $pid, 0;
    is slurp("$dir/real.log"), "into the log\n", 'a real one is';
};

subtest 'a state behind closed doors: what the servers need goes elsewhere, and nothing into the current directory' => sub {
    plan skip_all => 'only root gives the servers users of their own' if $> != 0;
    no warnings 'redefine';
    local *Teagate::Quickstart::run = sub { };
    local *Teagate::Quickstart::reachable_by = sub { 0 };
    my ($before, $self) = (getcwd(), bless { state => $dir }, 'Teagate::Quickstart');
    mkdir "$dir/here" or die $!;
    chdir "$dir/here" or die $!;
    $self->prepare_users;
    is_deeply [ glob '*' ], [], 'the current directory stays empty';
    chdir $before;
    like $self->{data}, qr{^/var/lib/teagate-demo/\w+$}, 'it has a place';
    is mode_of($self->{data}), '755', 'that everybody reaches';
    is readlink "$dir/data", $self->{data}, 'and that the state names';
    rmdir $self->{data};
};

{
    package FakeGitea; # with users whom a gateway of another address has prohibited
    sub new { return bless { calls => [], users => [ map { { login => $_, source_id => 1, login_name => "sub-$_", prohibit_login => $_ eq 'xenia' } } qw(ada xenia) ] }, $_[0] }
    sub admin_token { return 'token' }
    sub api { my ($self, @call) = @_; push @{ $self->{calls} }, "@call[0, 1]"; $self->{told} = $call[3]; return (200, $self->{users}) }
}

subtest 'an old state on a new port: who was prohibited under the old address signs in under the new one' => sub {
    my $demo = Teagate::Demo->new(file => "$dir/accounts.json");
    my $gitea = FakeGitea->new;
    $demo->forget_flag($gitea, { login => 'ada' });
    is_deeply $gitea->{calls}, ['GET /api/v1/admin/users?limit=50'], 'who is allowed is left alone';
    $demo->forget_flag($gitea, { login => 'xenia' });
    is $gitea->{calls}[-1], 'PATCH /api/v1/admin/users/xenia', 'who is not is allowed again';
    is_deeply $gitea->{told}, { source_id => 1, login_name => 'sub-xenia', prohibit_login => JSON::PP::false }, 'and stays whose he is';
    $demo->forget_flag($gitea, { login => 'nobody' });
    is scalar @{ $gitea->{calls} }, 4, 'on a first start there is nobody yet';
};

done_testing;
