package Teagate::Test;

# A running quickstart for the tests of the whole system: the one that the runner started for all of them, or one of this test's own.

use strict;
use warnings;
use Exporter 'import';
use File::Temp;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes ();
use Teagate::Browser;
use Teagate::GiteaServer;
use Teagate::Shell qw(capture run spawn stop slurp wait_until free_port as_user);

our @EXPORT = qw(system_or_skip own_system contract_file contract account browser token git git_url curl teagate raw_tls request_raw front_pid watch_front
    sanitized check_reports capture run slurp wait_until gitea_command);

my ($contract_file, $own, $own_state, %tokens);

# The first line of a test of the whole system.
sub system_or_skip {
    plan skip_all => 'there is no Gitea on this machine' unless Teagate::GiteaServer::choose();
    $contract_file = $ENV{TG_QUICKSTART};
    own_system() unless $contract_file && -e $contract_file;
    return contract();
}

# A system that this test may hurt. Ends with the test.
sub own_system {
    plan skip_all => 'there is no Gitea on this machine' unless Teagate::GiteaServer::choose();
    $own_state = File::Temp->newdir('teagate-test-XXXXXX', TMPDIR => 1);
    chmod 0755, $own_state; # as root, the servers' own users look into it
    my $port = free_port();
    $own = spawn({ log => "$own_state/out", dir => Teagate::Test::top() }, 'scripts/quickstart', '--state', "$own_state/state", '--port', $port);
    $contract_file = "$own_state/state/quickstart.json";
    wait_until(180, sub { -e $contract_file || !Teagate::Shell::is_alive($own) });
    -e $contract_file or BAIL_OUT("quickstart did not start:\n" . slurp("$own_state/out"));
    return contract();
}

sub top {
    require Cwd;
    return Cwd::getcwd();
}

END {
    if ($own) {
        my $status = $?;
        stop($own, 60);
        $? = $status;
    }
}

sub contract {
    my $text = wait_until(20, sub { -e $contract_file && slurp($contract_file) }) or BAIL_OUT("$contract_file is gone");
    return decode_json($text);
}

sub contract_file { return $contract_file }

sub account {
    my ($state) = @_;
    return (grep { $_->{state} eq $state } @{ contract()->{accounts} })[0];
}

sub browser { return Teagate::Browser->new(ca_file => contract()->{ca_file}, @_) }

# One of Gitea's own commands, as the user it runs as.
sub gitea_command {
    my (@arguments) = @_;
    my $gitea = contract()->{gitea};
    my $owner = getpwuid((stat $gitea->{config})[4]);
    return scalar capture({ user => $owner, env => { GITEA_WORK_DIR => $gitea->{work_dir}, HOME => "$gitea->{work_dir}/home" } },
        $gitea->{binary}, '--config', $gitea->{config}, @arguments);
}

sub token {
    my ($login) = @_;
    return $tokens{$login} if $tokens{$login};
    my $text = gitea_command(qw(admin user generate-access-token --raw --scopes all --token-name), "test-$$-" . int(rand 1e9), '--username', $login);
    $text =~ /\b([0-9a-f]{40})\b/ or Teagate::Shell::fail "no token for $login: $text";
    return $tokens{$login} = $1;
}

sub git_url {
    my ($path, $token) = @_;
    (my $url = contract()->{git_url}) =~ s{^https://}{$token ? "https://git:$token\@" : 'https://'}e;
    return "$url/$path";
}

# (status, everything printed); options first: protocol h1 or h2
sub git {
    my $options = ref $_[0] ? shift : {};
    my $version = ($options->{protocol} // 'h2') eq 'h1' ? 'HTTP/1.1' : 'HTTP/2';
    return capture({ any_status => 1, env => { GIT_TERMINAL_PROMPT => 0, GIT_CONFIG_NOSYSTEM => 1, GIT_CONFIG_GLOBAL => '/dev/null',
        HOME => '/nonexistent', GIT_SSL_CAINFO => contract()->{ca_file} } }, 'git', '-c', "http.version=$version", '-c', 'user.name=Test',
        '-c', 'user.email=test@example.invalid', @_);
}

# curl with our CA: { status, headers, body, took }
sub curl {
    my (@arguments) = @_;
    my $dir = File::Temp->newdir;
    my ($failed, $text) = capture({ any_status => 1 }, qw(curl -sS -g --path-as-is --max-time 60 -o), "$dir/body", '-D', "$dir/head",
        '-w', '%{http_code} %{time_total} %{size_upload}', '--cacert', contract()->{ca_file}, @arguments);
    my ($status, $took, $uploaded) = $text =~ /(\d{3}) ([\d.]+) (\d+)\s*$/;
    return { failed => $failed, status => $status // 0, took => $took // 0, uploaded => $uploaded // 0, text => $text,
        headers => -e "$dir/head" ? slurp("$dir/head") : '', body => -e "$dir/body" ? slurp("$dir/body") : '' };
}

# One of the program's own commands: (exit code, text).
sub teagate {
    my $contract = contract();
    return capture({ any_status => 1 }, $contract->{teagate}, @_, '--config', $contract->{config_file});
}

sub port_of { return contract()->{git_url} =~ /:(\d+)$/ ? $1 : 443 }

# A TLS connection for hand-made bytes; alpn http/1.1 by default.
sub raw_tls {
    my (%options) = @_;
    require IO::Socket::SSL;
    my $socket = IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => port_of(), SSL_ca_file => contract()->{ca_file},
        SSL_hostname => $options{name} // 'localhost', SSL_verifycn_name => $options{name} // 'localhost', SSL_verifycn_scheme => 'http',
        SSL_alpn_protocols => [ $options{alpn} // 'http/1.1' ], Timeout => 10) or die 'no TLS connection: ' . IO::Socket::SSL::errstr();
    return $socket;
}

# Sends bytes on a connection of its own and reads until it is closed, or the patience is over.
sub request_raw {
    my ($bytes, %options) = @_;
    my $socket = raw_tls(%options);
    print {$socket} $bytes;
    my $answer = '';
    local $SIG{ALRM} = sub { die "patience\n" };
    eval {
        alarm($options{patience} // 5);
        while (sysread $socket, my $more, 65536) { $answer .= $more }
        alarm 0;
    };
    alarm 0;
    return $answer;
}

# The most memory that the front had, in MiB, and names of deleted files it held, while code ran.
sub watch_front {
    my ($code) = @_;
    pipe my $out, my $in or die "pipe: $!";
    my $front = front_pid();
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my ($stop, $most, %spooled) = (0, 0);
        $SIG{TERM} = sub { $stop = 1 };
        until ($stop) {
            my ($rss) = slurp("/proc/$front/status") =~ /^VmRSS:\s+(\d+)/m;
            $most = $rss if $rss > $most;
            for my $fd (glob "/proc/$front/fd/*") {
                my $target = readlink $fd // next;
                $spooled{$target}++ if $target =~ /\(deleted\)$/ && $target !~ /memfd/;
            }
            Time::HiRes::sleep(0.05);
        }
        print {$in} join "\n", int($most / 1024), keys %spooled;
        close $in;
        POSIX::_exit(0);
    }
    close $in;
    $code->();
    kill TERM => $pid;
    my ($most, @spooled) = split /\n/, do { local $/; <$out> };
    waitpid $pid, 0;
    return ($most, @spooled);
}

sub front_pid { return contract()->{pids}{front} }

sub sanitized { return ($ENV{TG_VARIANT} // 'plain') ne 'plain' }

1;
