package Teagate::Check;

# quickstart --check: uses a running quickstart as its users would, and dies with what failed.

use strict;
use warnings;
use Digest::SHA;
use File::Temp;
use Teagate::Browser;
use Teagate::Shell qw(fail capture run spew wait_until);
use Time::HiRes qw(time);

my @CHECKS = (
    [ 'an active account signs in, and git clones its private repository', \&signs_in_and_clones ],
    [ 'a push of 100 MB arrives whole', \&pushes ],
    [ 'an expired account reads why, in the browser and in git', \&judges ],
    [ 'a reload loses no request', \&reloads ],
    [ 'a killed front serves again within a second', \&survives_kill ],
);

sub run_all {
    my ($quickstart) = @_;
    my $self = bless { quickstart => $quickstart, gateway => $quickstart->{gateway}, gitea => $quickstart->{gitea_server},
        ca_file => $quickstart->{ca_file}, dir => File::Temp->newdir, base => "https://$quickstart->{gateway}{git_host}" }, __PACKAGE__;
    for my $check (@CHECKS) {
        my ($sentence, $code) = @$check;
        my $start = time;
        $code->($self);
        printf "quickstart: ok: %s (%.1f s)\n", $sentence, time - $start;
    }
}

sub account {
    my ($self, $state) = @_;
    return (grep { $_->{state} eq $state } @{ $self->{quickstart}{demo}->accounts })[0];
}

# A token made on Gitea's side, as its user would in the settings.
sub token {
    my ($self, $login) = @_;
    my $text = $self->{gitea}->command(qw(admin user generate-access-token --raw --scopes all --token-name), 'check-' . int(rand 1e9),
        '--username', $login);
    return $text =~ /\b([0-9a-f]{40})\b/ ? $1 : fail "no token for $login: $text";
}

sub git {
    my ($self, @arguments) = @_;
    return capture({ any_status => 1, env => { GIT_TERMINAL_PROMPT => 0, GIT_CONFIG_NOSYSTEM => 1, GIT_CONFIG_GLOBAL => '/dev/null',
        HOME => "$self->{dir}", GIT_SSL_CAINFO => $self->{ca_file} } }, 'git', '-c', 'user.name=Check', '-c', 'user.email=check@quickstart.invalid',
        @arguments);
}

sub url_with {
    my ($self, $token, $path) = @_;
    (my $url = $self->{base}) =~ s{^https://}{https://git:$token\@};
    return "$url/$path";
}

sub signs_in_and_clones {
    my ($self) = @_;
    my $active = $self->account('active');
    my $browser = Teagate::Browser->new(ca_file => $self->{ca_file});
    my $page = $browser->sign_in($self->{base}, $active->{login}, $active->{password});
    fail "signing in ended at $page->{url} with $page->{status}" unless $page->{status} == 200;
    my $settings = $browser->visit("$self->{base}/user/settings");
    fail "after signing in, /user/settings answers $settings->{status} at $settings->{url} and does not name $active->{login}"
        unless $settings->{status} == 200 && $settings->{body} =~ /\b\Q$active->{login}\E\b/;
    $self->{token} = $self->token($active->{login});
    my ($status, $text) = $self->git('clone', '-q', $self->url_with($self->{token}, "$active->{login}/private.git"), "$self->{dir}/clone");
    fail "git clone ended with $status:\n$text" if $status;
    fail 'the clone lacks hello.txt' unless -s "$self->{dir}/clone/hello.txt";
}

sub pushes {
    my ($self) = @_;
    my $active = $self->account('active');
    my $file = "$self->{dir}/clone/large.bin";
    run(qw(dd if=/dev/urandom bs=1M count=100), "of=$file");
    my $sum = Digest::SHA->new(256)->addfile($file)->hexdigest;
    my @in = ('-C', "$self->{dir}/clone");
    for my $step ([ 'add', '.' ], [ 'commit', '-q', '-m', 'A large file' ], [ 'push', '-q', 'origin', 'HEAD' ]) {
        my ($status, $text) = $self->git(@in, @$step);
        fail "git @$step ended with $status:\n$text" if $status;
    }
    my ($status, $text) = $self->git('clone', '-q', $self->url_with($self->{token}, "$active->{login}/private.git"), "$self->{dir}/again");
    fail "git clone ended with $status:\n$text" if $status;
    my $back = Digest::SHA->new(256)->addfile("$self->{dir}/again/large.bin")->hexdigest;
    fail "the file came back as another one" unless $back eq $sum;
}

sub judges {
    my ($self) = @_;
    my $expired = $self->account('expired');
    my $page = Teagate::Browser->new(ca_file => $self->{ca_file})->sign_in($self->{base}, $expired->{login}, $expired->{password});
    my $link = "https://$self->{gateway}{auth_host}/renew";
    fail "an expired account got $page->{status} at $page->{url} and no link to renew"
        unless $page->{status} == 402 && $page->{body} =~ /href="\Q$link\E"/;
    my ($status, $text) = $self->git('ls-remote', $self->url_with($self->token($expired->{login}), "$expired->{login}/private.git"));
    fail "git of an expired account ended with $status and printed:\n$text" unless $status && $text =~ /^remote: .*\Q$link\E/m;
    $self->{gateway}->must('subscription', 'set', $expired->{login}, '--until', '+30d');
    my $renewed = wait_until(2, sub {
        ($status, $text) = $self->git('ls-remote', $self->url_with($self->token($expired->{login}), "$expired->{login}/private.git"));
        return $status == 0;
    });
    fail "2 s after renewal git is still refused:\n$text" unless $renewed;
    $self->{gateway}->must('subscription', 'set', $expired->{login}, '--until', '-30d');
}

sub status_of {
    my ($self, $url) = @_;
    my (undef, $text) = capture({ any_status => 1 }, qw(curl -s -o /dev/null --max-time 10 -w %{http_code} --cacert), $self->{ca_file}, $url);
    return $text;
}

sub reloads {
    my ($self) = @_;
    my $pid = fork // fail "fork: $!";
    if ($pid == 0) {
        my $failed = 0;
        for (1 .. 60) { $failed++ if $self->status_of("$self->{base}/explore/repos") ne '200' }
        POSIX::_exit($failed);
    }
    $self->{gateway}->must('reload') for 1 .. 3;
    waitpid $pid, 0;
    fail(($? >> 8) . ' of 60 requests failed while reloading') if $?;
}

sub survives_kill {
    my ($self) = @_;
    my $front = $self->{gateway}->status->{pids}{front};
    kill KILL => $front;
    my $start = time;
    wait_until(5, sub { $self->status_of("$self->{base}/explore/repos") eq '200' }) or fail 'the killed front did not come back within 5 s';
    my $took = time - $start;
    fail sprintf('the killed front came back after %.1f s', $took) if $took > 1.5;
}

1;
