package Teagate::Quickstart;

# What scripts/quickstart does once everything is built: a real Gitea, the gateway before it, demo accounts, and a file that says where
# everything is. Ends what it started, and only that.

use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Getopt::Long qw(GetOptionsFromArray);
use IO::Socket::IP;
use JSON::PP;
use Teagate::Check;
use Teagate::Demo;
use Teagate::Gateway;
use Teagate::GiteaServer;
use Teagate::RedisServer;
use Teagate::Shell qw(fail say_step run capture free_port slurp spew make_own ids_of reachable_by wait_until is_alive);

use constant NO_GITEA => <<'TEXT';
  **************************************************************************************
  *  THIS IS A STAND-IN, NOT GITEA. It answers as Gitea does, as far as Teagate relies *
  *  on that, and can do little else. For a real one put its program on PATH as        *
  *  "gitea" (1.25 or later; its releases come as one file), or give --gitea PATH.     *
  **************************************************************************************

TEXT
use constant { GATEWAY_USER => 'teagate-demo', GITEA_USER => 'gitea-demo' };

sub main {
    my %options = (port => undef, state => undef);
    GetOptionsFromArray(\@_, \%options, 'top=s', 'build=s', 'state=s', 'port=i', 'gitea=s', 'stand-in', 'check')
        or return usage();
    return usage() if @_;
    my $self = bless {%options}, __PACKAGE__;
    my $status = eval { $self->go; 1 } ? 0 : 1;
    my $why = $@;
    # a signal while stopping must not leave anything behind
    local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
    $self->stop_all;
    print STDERR "quickstart: $why" if $status;
    return $status;
}

sub usage {
    print STDERR "usage: scripts/quickstart [--state DIR] [--port N] [--gitea PATH | --stand-in] | --check [--gitea PATH | --stand-in]\n";
    return 2;
}

sub go {
    my ($self) = @_;
    my $binary = $self->{'stand-in'} ? Teagate::GiteaServer::stand_in() : Teagate::GiteaServer::choose($self->{gitea}) // fail no_gitea();
    my $version = Teagate::GiteaServer::version_of($binary);
    local $SIG{INT} = local $SIG{TERM} = local $SIG{HUP} = sub { $self->{stopped} = 1; die "stopped by a signal\n" };
    $self->{gitea_version} = $version;
    $self->prepare_state;
    $self->choose_ports;
    $self->prepare_users;
    $self->place_programs($binary);
    $self->start_all;
    return Teagate::Check::run_all($self) if $self->{check};
    $self->print_summary;
    $self->stay;
}

sub no_gitea {
    return <<'TEXT';
no Gitea was found, and TG_GITEA_KIND wants a real one: give its program, 1.25 or later, as --gitea PATH or in the variable GITEA, or
    put it on PATH as "gitea". Its releases come as one file.
TEXT
}

# STATE holds everything; --check has one of its own that is removed at the end.
sub prepare_state {
    my ($self) = @_;
    if ($self->{check}) {
        $self->{temporary} = $self->{state} = capture(qw(mktemp -d /tmp/teagate-check.XXXXXX));
        chomp $self->{temporary};
        chomp $self->{state};
    }
    my $kind = Teagate::GiteaServer::kind_of($self->{gitea_version});
    $self->{state} //= "$self->{top}/var/quickstart" . ($kind eq 'gitea' ? '' : "-$kind");
    make_path($self->{state});
    $self->{state} = abs_path($self->{state});
    $self->{lock} = lock_state("$self->{state}/lock");
    $self->{settings_file} = "$self->{state}/settings.json";
    $self->{settings} = -e $self->{settings_file} ? decode_json(slurp($self->{settings_file})) : { kind => $kind };
    my $made_with = $self->{settings}{kind} // 'gitea';
    fail "$self->{state} was made with the $made_with, and this is the $kind; give another --state DIR" if $made_with ne $kind;
    unlink "$self->{state}/quickstart.json";
}

sub lock_state {
    my ($file) = @_;
    open my $lock, '>', $file or fail "$file: $!";
    flock $lock, 2 | 4 or fail 'another quickstart runs with this state; stop it, or give another --state DIR';
    return $lock;
}

sub choose_ports {
    my ($self) = @_;
    my $settings = $self->{settings};
    $settings->{port} = $self->{port} // ($self->{check} ? free_port() : $settings->{port} // 8443);
    fail "--port $settings->{port} is no port from 1 to 65535" unless $settings->{port} >= 1 && $settings->{port} <= 65535;
    for my $name (qw(backchannel admin)) {
        $settings->{$name} = free_port() unless $settings->{$name} && port_is_free($settings->{$name});
    }
    fail "port $settings->{port} is in use; stop what listens there, or give another --port" unless port_is_free($settings->{port});
    spew($self->{settings_file}, JSON::PP->new->canonical->pretty->encode($settings), 0600);
}

sub port_is_free {
    my ($port) = @_;
    return !!IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
}

sub has_ipv6 {
    return !!IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0, Listen => 1);
}

# As root both servers get users of their own, who must be able to reach their files: where STATE lies behind closed doors, what they
# need goes below /var/lib instead.
sub prepare_users {
    my ($self) = @_;
    $self->{data} = $self->{state};
    return if $> != 0;
    for my $user (GATEWAY_USER, GITEA_USER) {
        next if getpwnam $user;
        run(qw(groupadd --system --force), GATEWAY_USER);
        run(qw(useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --gid), GATEWAY_USER, $user);
    }
    chmod 0755, $self->{state};
    return if reachable_by(GITEA_USER, $self->{state});
    $self->{data} = '/var/lib/teagate-demo/' . substr sha256_hex($self->{state}), 0, 12;
    make_own($_, 0755) for '/var/lib/teagate-demo', $self->{data};
    unlink "$self->{state}/data";
    symlink $self->{data}, "$self->{state}/data";
}

sub users { return $> == 0 ? (gateway => GATEWAY_USER, gitea => GITEA_USER) : () }

# The programs stand where their users reach them; the gateway's can be replaced there by an upgraded one.
sub place_programs {
    my ($self, $gitea) = @_;
    make_own("$self->{data}/bin", 0755);
    install("$self->{build}/teagate", "$self->{data}/bin/teagate");
    $self->{teagate} = "$self->{data}/bin/teagate";
    $self->{gitea_binary} = Teagate::GiteaServer::place(abs_path($gitea), "$self->{data}/bin", $> == 0 ? GITEA_USER : undef);
}

sub install {
    my ($from, $to) = @_;
    copy($from, "$to.new") or fail "$from could not be copied to $to: $!";
    chmod 0755, "$to.new";
    rename "$to.new", $to or fail "$to: $!";
}

sub start_all {
    my ($self) = @_;
    my ($settings, %users) = ($self->{settings}, $self->users);
    my $git_host = "localhost:$settings->{port}";
    my $gitea = $self->{gitea_server} = Teagate::GiteaServer->new(dir => "$self->{data}/gitea", user => $users{gitea},
        binary => $self->{gitea_binary}, root_url => "https://$git_host/");
    my $redis = $self->{redis} = $self->start_redis($users{gateway});
    my $gateway = $self->{gateway} = Teagate::Gateway->new(binary => $self->{teagate}, dir => "$self->{data}/teagate",
        user => $users{gateway}, port => $settings->{port}, git_host => $git_host, auth_host => "auth.localhost:$settings->{port}",
        backchannel => $settings->{backchannel}, admin_port => $settings->{admin}, gitea => $gitea, has_ipv6 => has_ipv6(),
        redis => $redis && $redis->{socket});
    $gitea->prepare;
    $gateway->prepare;
    $gateway->write_config;
    say_step('starting the gateway');
    $gateway->start;
    my $ca_file = $self->{ca_file} = "$self->{state}/ca.crt";
    spew($ca_file, $gateway->must('ca', 'print'), 0644);
    say_step('starting ' . Teagate::GiteaServer::name_of($self->{gitea_version}));
    $gitea->write_config($gateway->must('gitea', 'setup', $git_host, '--print-app-ini'));
    $gitea->start;
    $gitea->ensure_admin($users{gateway} ? ids_of($users{gateway}) : ());
    if ($gateway->must('gitea', 'setup', $git_host) =~ /^restart Gitea:/m) {
        $gitea->stop_server;
        $gitea->start;
    }
    $self->{demo} = Teagate::Demo->new(file => "$self->{state}/accounts.json");
    say_step('making the demo accounts') unless -e "$self->{state}/accounts.json";
    $self->{demo}->ensure(gateway => $gateway, gitea => $gitea, ca_file => $ca_file);
    $self->write_contract;
}

sub start_redis {
    my ($self, $user) = @_;
    return unless Teagate::RedisServer::locate();
    my $redis = Teagate::RedisServer->new(dir => "$self->{data}/redis", user => $user);
    $redis->prepare;
    $redis->start;
    return $redis;
}

# What tools outside need to know, also after a reload or a crash.
sub write_contract {
    my ($self) = @_;
    my ($gateway, $gitea, $settings) = @{$self}{qw(gateway gitea_server settings)};
    my $status = $gateway->status // return;
    my $contract = {
        git_url => "https://$gateway->{git_host}", auth_url => "https://$gateway->{auth_host}",
        ca_file => $self->{ca_file}, admin_url => "http://127.0.0.1:$settings->{admin}",
        metrics_url => "http://127.0.0.1:$settings->{admin}/metrics", log_file => $gateway->{access_log}, event_log_file => $gateway->{log},
        config_file => $gateway->{config}, teagate => $self->{teagate}, redis => $self->{redis} && $self->{redis}{socket},
        pids => { %{ $status->{pids} }, gitea => $gitea->{pid}, $self->{redis} && $self->{redis}{pid} ? (redis => $self->{redis}{pid}) : () },
        gitea => { kind => Teagate::GiteaServer::kind_of($self->{gitea_version}), version => $self->{gitea_version},
            binary => $gitea->{binary}, work_dir => $gitea->{dir},
            config => $gitea->{config}, admin_login => $gitea->{admin_login}, admin_token_file => $gitea->{token_file} },
        accounts => $self->{demo}->accounts,
    };
    my $text = JSON::PP->new->canonical->pretty->encode($contract);
    return if ($self->{contract} // '') eq $text;
    $self->{contract} = $text;
    spew("$self->{state}/quickstart.json", $text, 0600);
}

sub print_summary {
    my ($self) = @_;
    my ($gateway, $gitea) = @{$self}{qw(gateway gitea_server)};
    print "\nTeagate runs, before ", Teagate::GiteaServer::name_of($self->{gitea_version}), " ($gitea->{binary}).\n\n";
    print NO_GITEA if Teagate::GiteaServer::kind_of($self->{gitea_version}) eq 'stand-in';
    print "  Gitea              https://$gateway->{git_host}/\n";
    print "  Provider           https://$gateway->{auth_host}/\n";
    print "  Trust its CA       curl --cacert $self->{ca_file} | git -c http.sslCAInfo=$self->{ca_file}\n";
    print "                     browser: import $self->{ca_file} as an authority (good for localhost names only)\n";
    print "  Log                $gateway->{access_log}\n";
    print "                     $gateway->{log}\n";
    print "  Details            $self->{state}/quickstart.json\n\n";
    printf "  %-8s %-22s %s\n", 'account', 'password', 'state';
    printf "  %-8s %-22s %s\n", @{$_}{qw(login password state)} for @{ $self->{demo}->accounts };
    print "\nCtrl-C stops everything.\n";
}

sub stay {
    my ($self) = @_;
    while (1) {
        eval { sleep 1; 1 } or last;
        $self->{stopped} and last;
        fail "Gitea stopped by itself; its log $self->{gitea_server}{log} ends with:\n" . $self->{gitea_server}->log_tail
            unless is_alive($self->{gitea_server}{pid});
        fail "teagate stopped by itself:\n" . $self->{gateway}->log_tail unless is_alive($self->{gateway}{pid});
        $self->watch_redis;
        eval { $self->write_contract; 1 } or last;
    }
}

# Without its Redis everything goes on.
sub watch_redis {
    my ($self) = @_;
    my $redis = $self->{redis};
    return if !$redis || !$redis->{pid} || is_alive($redis->{pid});
    undef $redis->{pid};
    say_step('Redis has stopped; the gateway goes on without it');
}

sub stop_all {
    my ($self) = @_;
    unlink "$self->{state}/quickstart.json" if $self->{state};
    $self->{gateway}->stop_server if $self->{gateway};
    $self->{gitea_server}->stop_server if $self->{gitea_server};
    $self->{redis}->stop_server if $self->{redis};
    return unless $self->{temporary};
    remove_tree($self->{data}) if $self->{data} && $self->{data} ne $self->{state};
    remove_tree($self->{temporary});
}

1;
