package Teagate::Shell;

# Processes, files and ports, for quickstart and the tests. Perl core only.

use strict;
use warnings;
use Exporter 'import';
use Fcntl qw(O_RDONLY O_WRONLY O_APPEND O_CREAT O_EXCL O_NOFOLLOW O_DIRECTORY);
use IO::Socket::IP;
use POSIX qw(:sys_wait_h setsid _exit);
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(fail say_step run capture spawn stop is_alive wait_until free_port slurp spew make_own ids_of as_user reachable_by);

sub fail { die join('', @_) . "\n" }

sub say_step { print "quickstart: ", @_, "\n" }

# Runs a command without a shell; dies with what it printed when it fails. Options first, in a hash: user, in, env.
sub capture {
    my $options = ref $_[0] ? shift : {};
    my @command = @_;
    pipe(my $out, my $child_out) or fail "pipe: $!";
    my $pid = fork // fail "fork: $!";
    if ($pid == 0) {
        close $out;
        open STDIN, '<', $options->{in} // '/dev/null' or _exit(126);
        open STDOUT, '>&', $child_out or _exit(126);
        open STDERR, '>&', $child_out or _exit(126);
        become($options->{user}) if $options->{user};
        %ENV = (%ENV, %{ $options->{env} // {} });
        exec { $command[0] } @command or do { print STDERR "$command[0]: $!\n"; _exit(127) };
    }
    close $child_out;
    my $text = do { local $/; <$out> } // '';
    waitpid $pid, 0;
    my $status = $? >> 8 || ($? & 127 ? 128 + ($? & 127) : 0);
    return wantarray ? ($status, $text) : $text if $options->{any_status} || $status == 0;
    fail "@command ended with $status:\n$text";
}

sub run { capture(@_); return }

# Starts a server of ours in a session of its own, its output appended to a log; returns the pid.
sub spawn {
    my ($options, @command) = @_;
    my $pid = fork // fail "fork: $!";
    return $pid if $pid;
    setsid();
    open STDIN, '<', '/dev/null' or _exit(126);
    # a link there is somebody else's idea: the directory may be a server's own
    sysopen my $log, $options->{log}, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0644 or _exit(126);
    open STDOUT, '>&', $log or _exit(126);
    open STDERR, '>&', \*STDOUT or _exit(126);
    chdir($options->{dir} // '/') or _exit(126);
    become($options->{user}) if $options->{user};
    %ENV = (%ENV, %{ $options->{env} // {} });
    exec { $command[0] } @command or do { print STDERR "$command[0]: $!\n"; _exit(127) };
}

# Ends a child of ours: TERM, then KILL.
sub stop {
    my ($pid, $patience_s) = @_;
    return unless $pid && is_alive($pid);
    kill TERM => $pid;
    return if wait_until($patience_s // 15, sub { !is_alive($pid) });
    kill KILL => $pid;
    waitpid $pid, 0;
}

sub is_alive {
    my ($pid) = @_;
    return 0 if waitpid($pid, WNOHANG) == $pid;
    return kill(0, $pid) || $!{EPERM};
}

sub wait_until {
    my ($patience_s, $condition) = @_;
    my $end = time + $patience_s;
    while (1) {
        my $answer = $condition->();
        return $answer if $answer;
        return if time >= $end;
        sleep 0.05;
    }
}

my %given_out;

sub free_port {
    for (1 .. 50) {
        my $socket = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1) or fail "no free port: $!";
        my $port = $socket->sockport;
        return $port unless $given_out{$port}++;
    }
    fail 'no free port';
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or fail "$path: $!";
    local $/;
    return scalar <$in> // '';
}

# By a new name and a rename: whoever looks sees the old file or the whole new one.
sub spew {
    my ($path, $text, $mode, $owner) = @_;
    my $new = "$path.new.$$";
    unlink $new;
    sysopen my $out, $new, O_WRONLY | O_CREAT | O_EXCL, $mode // 0644 or fail "$new: $!";
    chmod $mode // 0644, $out or fail "$new: $!"; # by the handle: the directory may belong to somebody who could put a link there
    if ($owner) { chown @$owner, $out or fail "$new: $!" }
    print {$out} $text;
    close $out or fail "$new: $!";
    rename $new, $path or fail "$path: $!";
}

# A directory with this mode and owner (undef: ours), whether or not it was there. A link to one is refused: what a server owns it may
# change, and root must not follow it.
sub make_own {
    my ($path, $mode, $owner) = @_;
    mkdir $path or $!{EEXIST} or fail "$path: $!";
    sysopen my $directory, $path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW or fail "$path is not a directory of its own: $!";
    if ($owner) { chown @$owner, $directory or fail "$path: $!" }
    chmod $mode, $directory or fail "$path: $!";
    return;
}

sub ids_of {
    my ($user) = @_;
    my (undef, undef, $uid, $gid) = getpwnam $user or fail "there is no user $user";
    return ($uid, $gid);
}

sub become {
    my ($user) = @_;
    my ($uid, $gid) = ids_of($user);
    my $home = (getpwuid $uid)[7];
    return if $> == $uid;
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    $< == $uid && $> == $uid && $( == $gid && $) == $gid or do { print STDERR "cannot become $user: $!\n"; _exit(126) };
    $ENV{HOME} = $home;
    $ENV{USER} = $ENV{LOGNAME} = $user;
    delete $ENV{$_} for grep { /^(?:XDG_|SUDO_)/ } keys %ENV;
}

# Runs code in a child that is the user; true when it answers true.
sub as_user {
    my ($user, $code) = @_;
    my $pid = fork // fail "fork: $!";
    if ($pid == 0) {
        become($user);
        _exit($code->() ? 0 : 1);
    }
    waitpid $pid, 0;
    return $? == 0;
}

sub reachable_by {
    my ($user, $path) = @_;
    return as_user($user, sub { -x $path });
}

1;
