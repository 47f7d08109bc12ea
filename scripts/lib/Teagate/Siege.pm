package Teagate::Siege;

# Attacks on a running quickstart: t/fault/attack from addresses of their own, while a witness asks from another one.

use strict;
use warnings;
use Getopt::Long qw(GetOptionsFromArray);
use IO::Socket::SSL;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Teagate::Shell qw(fail capture run spawn stop slurp spew wait_until free_port is_alive);
use Time::HiRes qw(time sleep);

use constant { MEMORY_KB => 64 * 1024, P99_MS => 50, BIG => 'siege.bin', BIG_BYTES => 32 << 20, PACE_S => 0.01 };

# name => seconds, whether all of its connections, some or none must be cut, and what may count them
my %ATTACKS = (
    'window-abort'          => [ 8,  'none' ],
    'bomb-headers'          => [ 10, 'all', 'header-block' ],
    'bomb-cookies'          => [ 10, 'all', 'header-block' ],
    'bomb-streams'          => [ 10, 'all', 'header-block' ],
    'bomb-cookies-streams'  => [ 10, 'all', 'header-block' ],
    'hoard-heads'           => [ 40, 'all', 'header-block', 'hoarding', 'slow-read' ],
    'rapid-reset'           => [ 10, 'all', 'resets' ],
    'made-you-reset'        => [ 10, 'all', 'resets' ],
    'continuation'          => [ 10, 'all', 'header-block' ],
    'continuation-empty'    => [ 10, 'all', 'header-block' ],
    'settings'              => [ 10, 'all', 'frames' ],
    'ping'                  => [ 10, 'all', 'frames' ],
    'ping-unread'           => [ 10, 'all', 'frames' ],
    'empty-data'            => [ 10, 'all', 'frames' ],
    'priority'              => [ 10, 'all', 'frames' ],
    'window-updates'        => [ 10, 'all', 'frames' ],
    'window-updates-stream' => [ 10, 'all', 'frames' ],
    'random'                => [ 20, 'some', 'protocol', 'frames', 'header-block' ],
    'slow-head'             => [ 30, 'all', 'slow-head' ],
    'slow-frame'            => [ 30, 'all', 'slow-head' ],
    'slow-frame-busy'       => [ 30, 'all', 'slow-head' ],
    'slow-block-busy'       => [ 30, 'all', 'slow-head', 'frames' ],
    'slow-handshake'        => [ 30, 'all', 'slow-handshake' ],
    'slow-body'             => [ 55, 'all', 'slow-body' ],
    'slow-body-trickle'     => [ 55, 'all', 'slow-body' ],
    'slow-read'             => [ 50, 'all', 'slow-read', 'hoarding' ],
    'slow-read-trickle'     => [ 50, 'all', 'slow-read', 'hoarding' ],
    'zero-window'           => [ 45, 'all', 'hoarding', 'slow-read' ],
    'tiny-window'           => [ 45, 'all', 'hoarding', 'slow-read' ],
    'zero-window-small'     => [ 45, 'all', 'hoarding', 'slow-read' ],
    'large-upload'          => [ 20, 'all', 'large-body' ],
    'shutdown-spin'         => [ 8,  'all' ],
    'idle'                  => [ 15, 'all', 'slow-handshake', 'crowd' ],
    'idle-handshakes'       => [ 40, 'some', 'crowd' ],
    'idle-sessions'         => [ 40, 'some', 'crowd' ],
    'idle-sessions-old'     => [ 40, 'some', 'crowd' ],
    'idle-requests'         => [ 40, 'some', 'crowd' ],
    'idle-requests-old'     => [ 40, 'some', 'crowd' ],
    'thousands'             => [ 8,  'some', 'connections' ],
    'thousands-requests'    => [ 15, 'some', 'connections' ],
);

sub main {
    my $self = bless {}, __PACKAGE__;
    GetOptionsFromArray(\@_, $self, 'top=s', 'contract=s', 'together', 'seconds=i', 'json=s', 'list') or return 2;
    if ($self->{list}) { print map { "$_\n" } sort keys %ATTACKS; return 0 }
    my @names = @_ ? @_ : sort keys %ATTACKS;
    for my $name (@names) { $ATTACKS{$name} or fail "siege: there is no attack $name; --list lists them" }
    my $status = eval { $self->open_system; $self->prepare; $self->besiege(@names) };
    my $why = $@;
    stop($self->{quickstart}, 60) if $self->{quickstart};
    run('rm', '-rf', $self->{own}) if $self->{own};
    print STDERR "siege: $why" if !defined $status;
    return $status // 1;
}

# A system that runs, with a large file in it.
sub attach {
    my ($class, $contract) = @_;
    my $self = bless { contract => $contract }, $class;
    $self->prepare;
    return $self;
}

sub big_path { my ($self) = @_; return $self->{big} }

sub open_system {
    my ($self) = @_;
    if (!$self->{contract}) {
        chomp($self->{own} = capture(qw(mktemp -d /tmp/teagate-siege.XXXXXX)));
        chmod 0755, $self->{own};
        $self->{contract} = "$self->{own}/state/quickstart.json";
        $self->{quickstart} = spawn({ log => "$self->{own}/out", dir => $self->{top} }, 'scripts/quickstart', '--state', "$self->{own}/state",
            '--port', free_port());
        wait_until(240, sub { -e $self->{contract} || !is_alive($self->{quickstart}) });
        -e $self->{contract} or fail "quickstart did not start:\n", slurp("$self->{own}/out");
    }
    $self->facts->{gitea}{kind} eq 'gitea' or fail 'the stand-in has no large answers; a real Gitea is needed';
    return;
}

# Anew each time: pids change.
sub facts {
    my ($self) = @_;
    my $text = wait_until(20, sub { -e $self->{contract} && slurp($self->{contract}) }) // fail 'the system is gone';
    return decode_json($text);
}

sub fetch {
    my ($self, @arguments) = @_;
    return capture({ any_status => 1 }, qw(curl -sS -g --max-time 60 --cacert), $self->facts->{ca_file}, @arguments);
}

# A large file that anybody may read, once for each system; what the attacks ask for.
sub prepare {
    my ($self) = @_;
    my $facts = $self->facts;
    my ($login) = map { $_->{login} } grep { $_->{state} eq 'active' } @{ $facts->{accounts} };
    my $raw = $self->{big} = "/$login/public/raw/branch/main/" . BIG;
    ($self->{host}) = $facts->{git_url} =~ m{//(.*)};
    ($self->{port}) = $self->{host} =~ /:(\d+)$/;
    my ($form_host) = $facts->{auth_url} =~ m{//(.*)};
    $self->{target} = "host=$self->{host} small=/explore/repos quick=/assets/img/favicon.svg wait=/explore/repos big=$raw post=/$login/public/issues/new " .
        "form-host=$form_host form=/sign-in";
    my ($status, $code) = $self->fetch('-o', '/dev/null', '-I', '-w', '%{http_code}', "$facts->{git_url}$raw");
    return if $code eq '200';
    my $file = scalar capture(qw(mktemp /tmp/teagate-siege.XXXXXX));
    chomp $file;
    spew($file, encode_json({ message => 'large', content => encode_base64('x' x BIG_BYTES, '') }));
    ($status, $code) = $self->fetch('-o', '/dev/null', '-w', '%{http_code}', '-H', 'Authorization: token ' . gitea_token($facts, $login),
        '-H', 'Content-Type: application/json', '--data-binary', "\@$file", "$facts->{git_url}/api/v1/repos/$login/public/contents/" . BIG);
    unlink $file;
    $code eq '201' or fail "no large file could be made: $code";
    return;
}

sub gitea_token {
    my ($facts, $login) = @_;
    my $gitea = $facts->{gitea};
    my $owner = getpwuid((stat $gitea->{config})[4]);
    my $text = capture({ user => $owner, env => { GITEA_WORK_DIR => $gitea->{work_dir}, HOME => "$gitea->{work_dir}/home" } },
        $gitea->{binary}, '--config', $gitea->{config}, qw(admin user generate-access-token --raw --scopes all --token-name),
        "siege-$$-" . int(rand 1e9), '--username', $login);
    return $text =~ /\b([0-9a-f]{40})\b/ ? $1 : fail "no token for $login: $text";
}

# --- what is measured ---

sub attacks_counted {
    my ($self) = @_;
    my ($status, $text) = $self->fetch($self->facts->{metrics_url});
    return { $text =~ /^teagate_attacks_total\{kind="([^"]+)"\} (\d+)$/mg };
}

# 0: it is gone
sub pss_kb {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/smaps_rollup" or return 0;
    return do { local $/; readline $in // '' } =~ /^Pss:\s+(\d+)/m ? $1 : 0;
}

# A process that does something until it is told to stop, and then hands over what it found.
my $told_to_stop;

sub start_helper {
    my ($step, $result) = @_;
    pipe my $out, my $in or fail "pipe: $!";
    $told_to_stop = 0;
    local $SIG{TERM} = sub { $told_to_stop = 1 }; # the child has it from its first moment
    my $pid = fork // fail "fork: $!";
    if ($pid) {
        close $in;
        return { pid => $pid, out => $out };
    }
    $SIG{PIPE} = 'IGNORE'; # a server may close while it is written to
    until ($told_to_stop) { eval { $step->(); 1 } or print STDERR $@ }
    print {$in} encode_json($result->());
    close $in;
    POSIX::_exit(0);
}

# A process that does again and again what make gives it, which returns how much it asked and what failed.
sub start_counter {
    my ($make) = @_;
    my ($work, $asked, @failed);
    return start_helper(sub {
        $work //= $make->();
        my ($n, @bad) = $work->();
        return if $told_to_stop && @bad; # which has interrupted it
        $asked += $n;
        push @failed, @bad;
    }, sub { return { asked => $asked // 0, failed => \@failed } });
}

sub end_helper {
    my ($helper) = @_;
    kill TERM => $helper->{pid};
    my $text = do { local $/; readline $helper->{out} };
    waitpid $helper->{pid}, 0;
    return decode_json($text);
}

sub watch_memory {
    my ($front) = @_;
    my $most = 0;
    return start_helper(sub { my $now = pss_kb($front); $most = $now if $now > $most; sleep 0.05 }, sub { return { most => $most } });
}

# Another client: asks for something small on a kept connection, and every tenth time on a new one.
sub start_witness {
    my ($self) = @_;
    my ($host, $port, $ca) = (@{$self}{qw(host port)}, $self->facts->{ca_file});
    my ($connection, @took, $failed, $asked) = (undef, (), 0, 0);
    my $request = "GET /assets/img/favicon.svg HTTP/1.1\r\nHost: $host\r\nUser-Agent: witness\r\n\r\n";
    my $step = sub {
        my $start = time;
        undef $connection if $asked++ % 10 == 0;
        my $good = eval {
            local $SIG{ALRM} = sub { die "late\n" };
            alarm 10;
            $connection //= IO::Socket::SSL->new(PeerHost => '127.0.0.1', PeerPort => $port, LocalHost => '127.0.0.2', SSL_ca_file => $ca,
                SSL_hostname => 'localhost', SSL_verifycn_name => 'localhost', SSL_alpn_protocols => ['http/1.1']) // die "no connection\n";
            print {$connection} $request;
            my $answer = read_answer($connection);
            alarm 0;
            undef $connection if $answer =~ /^connection: close\r$/mi;
            $answer =~ m{^HTTP/1.1 200 } or die "refused\n";
        };
        alarm 0;
        return if $told_to_stop; # which has interrupted it
        $failed++, undef $connection if !$good;
        push @took, 1000 * (time - $start);
        sleep PACE_S;
    };
    return start_helper($step, sub { return { failed => $failed, took => \@took } });
}

sub read_answer {
    my ($connection) = @_;
    my $answer = '';
    while ($answer !~ /\r\n\r\n/) { sysread $connection, $answer, 65536, length $answer or die "closed\n" }
    my ($length) = $answer =~ /^content-length: (\d+)/mi or die "no length\n";
    my $whole = index($answer, "\r\n\r\n") + 4 + $length;
    while (length $answer < $whole) { sysread $connection, $answer, 65536, length $answer or die "closed\n" }
    return $answer;
}

sub unique { my %seen; return grep { !$seen{$_}++ } @_ }

sub percentile { my ($part, @values) = @_; return @values ? (sort { $a <=> $b } @values)[ int($part * $#values) ] : 0 }

# --- attacking ---

# An address for each attack of each run, and others that begin with it: lines of the log come once a minute and address.
sub address_for {
    my ($self) = @_;
    $self->{net} //= 10 + int rand 240;
    my $n = ++$self->{addresses};
    return "127.$self->{net}.$n.1";
}

sub launch {
    my ($self, $name) = @_;
    my ($seconds) = @{ $ATTACKS{$name} };
    my $attack = { name => $name, address => $self->address_for, out => scalar capture(qw(mktemp /tmp/teagate-siege.XXXXXX)) };
    chomp $attack->{out};
    $attack->{pid} = spawn({ log => $attack->{out}, env => { ATTACK_TARGET => $self->{target} } }, $^X, "$self->{top}/t/fault/attack", $name,
        $self->{port}, $attack->{address}, $self->{seconds} // $seconds);
    return $attack;
}

sub finish {
    my ($self, $attack) = @_;
    waitpid $attack->{pid}, 0;
    my $text = slurp($attack->{out});
    unlink $attack->{out};
    $attack->{cut} = () = $text =~ /^cut$/mg;
    $attack->{open} = () = $text =~ /^open$/mg;
    $attack->{said} = join ' ', grep { !/^(cut|open)$/ } split /\n/, $text;
    return;
}

# One attack or several at a time: the rows of the table.
sub assault {
    my ($self, @names) = @_;
    my $front = $self->facts->{pids}{front};
    my $before = $self->attacks_counted;
    my ($memory, $witness) = (watch_memory($front), $self->start_witness);
    sleep 0.5;
    my @attacks = map { $self->launch($_) } @names;
    my $reloads = grep { $_ eq 'shutdown-spin' } @names;
    if ($reloads) {
        sleep 1;
        $self->reload($front);
    }
    $self->finish($_) for @attacks;
    my ($most, $seen) = (end_helper($memory)->{most}, end_helper($witness));
    my $alive = $reloads ? $self->was_replaced($front) : $self->facts->{pids}{front} == $front && kill 0, $front;
    my $after = $self->attacks_counted;
    sleep 1.5; # lines are written once a second
    my $log = slurp($self->facts->{event_log_file});
    for my $attack (@attacks) {
        my (undef, undef, @kinds) = @{ $ATTACKS{ $attack->{name} } };
        $attack->{alive} = $alive;
        $attack->{counted} = { map { ($_ => $after->{$_} - $before->{$_}) } grep { $after->{$_} > $before->{$_} } @kinds };
        my ($net) = $attack->{address} =~ /^(.*\.)/;
        my @lines = map { [ / attack kind=(\S+) client=(\Q$net\E\d+) / ] } split /\n/, $log;
        $attack->{logged} = [ unique(map { $_->[0] // () } @lines) ];
        $attack->{is_repeated} = unique(map { $_->[1] // () } @lines) < grep { @$_ } @lines;
        $attack->{memory_kb} = $most - $self->{idle_kb};
        @{$attack}{qw(asked failed p50 p99)} = (scalar @{ $seen->{took} }, $seen->{failed}, percentile(0.5, @{ $seen->{took} }),
            percentile(0.99, @{ $seen->{took} }));
    }
    return @attacks;
}

sub reload {
    my ($self) = @_;
    my $facts = $self->facts;
    my ($status, $text) = capture({ any_status => 1 }, $facts->{teagate}, 'reload', '--config', $facts->{config_file});
    fail "reload failed: $text" if $status;
    return;
}

# After a reload: the old front must be gone soon, and not have spun.
sub was_replaced {
    my ($self, $front) = @_;
    return wait_until(20, sub { my $now = $self->facts->{pids}{front}; $now && $now != $front }) && wait_until(30, sub { !kill 0, $front });
}

# What is wrong with one, in words.
sub faults {
    my ($attack) = @_;
    my ($seconds, $cuts, @kinds) = @{ $ATTACKS{ $attack->{name} } };
    my @faults;
    push @faults, 'the front died' if !$attack->{alive};
    push @faults, "the tool failed: $attack->{said}" if $attack->{cut} + $attack->{open} == 0;
    push @faults, 'not cut' if $cuts eq 'all' ? $attack->{open} > 0 : $cuts eq 'some' && $attack->{cut} == 0;
    push @faults, 'not counted' if @kinds && !%{ $attack->{counted} };
    push @faults, 'not logged' if @kinds && !@{ $attack->{logged} };
    push @faults, 'logged more than once' if $attack->{is_repeated};
    push @faults, 'memory' if $attack->{memory_kb} > MEMORY_KB;
    push @faults, "$attack->{failed} requests of the other client failed" if $attack->{failed};
    push @faults, 'the other client waited' if $attack->{p99} > P99_MS;
    return @faults;
}

sub print_row {
    my ($attack) = @_;
    my @faults = faults($attack);
    printf "%-22s %-4s %5d %5d  %-32s %-16s %7.1f %6d %7.1f %7.1f  %s\n", $attack->{name}, $attack->{alive} ? 'yes' : 'NO',
        @{$attack}{qw(cut open)}, join(' ', map { "$_=$attack->{counted}{$_}" } sort keys %{ $attack->{counted} }) || '-',
        join(' ', @{ $attack->{logged} }) || '-', $attack->{memory_kb} / 1024, @{$attack}{qw(asked p50 p99)}, join ', ', @faults;
    return !@faults;
}

sub besiege {
    my ($self, @names) = @_;
    end_helper($self->start_witness); # whatever is allocated once
    my $witness = $self->start_witness;
    sleep 3;
    my $calm = end_helper($witness);
    $self->{idle_kb} = pss_kb($self->facts->{pids}{front});
    printf "idle: %.1f MiB; the other client, alone: p50 %.1f ms, p99 %.1f ms\n\n", $self->{idle_kb} / 1024,
        percentile(0.5, @{ $calm->{took} }), percentile(0.99, @{ $calm->{took} });
    printf "%-22s %-4s %5s %5s  %-32s %-16s %7s %6s %7s %7s\n", qw(attack live cut open counted logged MiB asked p50 p99);
    STDOUT->flush;
    my ($good, @rows) = (1);
    for my $group ($self->{together} ? \@names : map { [$_] } @names) {
        for my $attack ($self->assault(@$group)) {
            print_row($attack) or $good = 0;
            STDOUT->flush;
            push @rows, { %$attack, faults => [ faults($attack) ] };
        }
    }
    spew($self->{json}, JSON::PP->new->canonical->pretty->encode(\@rows)) if $self->{json};
    return $good ? 0 : 1;
}

1;
