package Teagate::GiteaServer;

# A real Gitea of our own: found, configured, started, asked. Runs as a user of its own when we are root (Gitea refuses to be root).

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use JSON::PP;
use Teagate::Shell qw(fail run capture spawn stop is_alive wait_until slurp spew make_own ids_of reachable_by);

my @NAMES_TO_TRY = map { "$_/gitea" } split /:/, $ENV{PATH} // '';

# --gitea, $GITEA, then gitea on PATH; undef when there is none.
sub locate {
    my ($given) = @_;
    for my $wish ([ '--gitea', $given ], [ '$GITEA', $ENV{GITEA} ]) {
        my ($what, $path) = @$wish;
        next unless defined $path && length $path;
        fail "$what names $path, which is not a program that can be run" unless -f $path && -x _;
        return $path;
    }
    return (grep { -f && -x _ } @NAMES_TO_TRY)[0];
}

# Not a Gitea, but a program with its command line and answers as far as we rely on them; t/standin/gitea says more.
sub stand_in { return abs_path(dirname(__FILE__) . '/../../../t/standin/gitea') }

# A real one where there is one, else the stand-in; TG_GITEA_KIND chooses either. undef: the real one was asked for, and there is none.
sub choose {
    my ($given) = @_;
    my $kind = $ENV{TG_GITEA_KIND} // '';
    fail "TG_GITEA_KIND is gitea or stand-in, not $kind" unless $kind =~ /^(?:gitea|stand-in|)$/;
    return stand_in() if $kind eq 'stand-in' && !$given;
    return locate($given) // ($kind eq 'gitea' ? undef : stand_in());
}

sub kind_of { return $_[0] =~ /stand-in/ ? 'stand-in' : 'gitea' }

# A version in words, for people.
sub name_of {
    my ($version) = @_;
    return kind_of($version) eq 'gitea' ? "Gitea $version" : 'THE STAND-IN (this is not Gitea)';
}

# The program where the user (undef: we ourselves) can run it: itself, or a copy below DIR. The stand-in's modules go with it.
sub place {
    my ($binary, $dir, $user) = @_;
    return $binary if !$user || reachable_by($user, $binary);
    make_path($dir);
    run('cp', $binary, "$dir/gitea.new");
    run('cp', '-RT', dirname($binary) . '/standin', "$dir/standin") if -d dirname($binary) . '/standin';
    run('chmod', '-R', 'a+rX', $dir);
    rename "$dir/gitea.new", "$dir/gitea" or fail "$dir/gitea: $!";
    return "$dir/gitea";
}

sub version_of {
    my ($binary) = @_;
    my ($status, $text) = capture({ any_status => 1 }, $binary, '--version');
    my ($version, $major, $minor) = $text =~ /^gitea version ((\d+)\.(\d+)\S*)/mi
        or fail "$binary does not say its version as Gitea does; it said: $text";
    fail "$binary is Gitea $version; 1.25 or later is needed" if $major < 1 || ($major == 1 && $minor < 25);
    return $version;
}

# dir: everything of this Gitea; user: who it runs as (undef: we ourselves); root_url; fragment: what `teagate gitea setup` wants in app.ini
sub new {
    my ($class, %options) = @_;
    my $self = bless {%options}, $class;
    $self->{config} = "$self->{dir}/custom/conf/app.ini";
    $self->{socket} = "$self->{dir}/run/gitea.sock";
    $self->{log} = "$self->{dir}/log/gitea.out";
    $self->{token_file} = "$self->{dir}/admin-token";
    $self->{admin_login} = 'gitea-admin';
    return $self;
}

sub prepare {
    my ($self) = @_;
    my $owner = $self->{user} ? [ ids_of($self->{user}) ] : undef;
    make_own("$self->{dir}$_", /^(?:\/run)?$/ ? 0750 : 0755, $owner) for '', qw(/custom /custom/conf /run /log /data /home);
    return;
}

sub secret {
    my ($self, $kind) = @_;
    my $secret = capture($self->as_gitea, $self->{binary}, 'generate', 'secret', $kind);
    $secret =~ s/\s+$//;
    return $secret;
}

sub as_gitea {
    my ($self) = @_;
    return { user => $self->{user}, env => { GITEA_WORK_DIR => $self->{dir}, HOME => "$self->{dir}/home" } };
}

# Its own part of app.ini, kept secrets, and the gateway's fragment behind it.
sub write_config {
    my ($self, $fragment) = @_;
    my $secrets_file = "$self->{dir}/secrets.json";
    my $secrets = -e $secrets_file ? decode_json(slurp($secrets_file)) : undef;
    unless ($secrets) {
        $secrets = { map { $_ => $self->secret($_) } qw(SECRET_KEY INTERNAL_TOKEN JWT_SECRET LFS_JWT_SECRET) };
        spew($secrets_file, encode_json($secrets), 0600);
    }
    my $own = <<"INI";
APP_NAME = Teagate quickstart
RUN_MODE = prod
WORK_PATH = $self->{dir}
[database]
DB_TYPE = sqlite3
PATH = $self->{dir}/data/gitea.db
[repository]
ROOT = $self->{dir}/data/repositories
[server]
APP_DATA_PATH = $self->{dir}/data
OFFLINE_MODE = true
DISABLE_SSH = true
LFS_JWT_SECRET = $secrets->{LFS_JWT_SECRET}
[lfs]
PATH = $self->{dir}/data/lfs
[security]
SECRET_KEY = $secrets->{SECRET_KEY}
INTERNAL_TOKEN = $secrets->{INTERNAL_TOKEN}
PASSWORD_HASH_ALGO = pbkdf2
[oauth2]
JWT_SECRET = $secrets->{JWT_SECRET}
[session]
PROVIDER = file
PROVIDER_CONFIG = $self->{dir}/data/sessions
[log]
MODE = console
LEVEL = Warn
[mailer]
ENABLED = false
[cron.update_checker]
ENABLED = false
INI
    my @owner = $self->{user} ? ids_of($self->{user}) : ($>, (split ' ', $))[0]);
    spew($self->{config}, merge_ini($own, $fragment), 0640, \@owner);
}

# Sections of both texts joined by name; the second text's value wins.
sub merge_ini {
    my (%values, @sections, %seen);
    for my $text (@_) {
        my $section = '';
        for my $line (split /\n/, $text) {
            next if $line =~ /^\s*(?:[;#].*)?$/;
            if ($line =~ /^\s*\[(.+)\]/) { $section = $1; next }
            my ($key, $value) = $line =~ /^\s*([^=]+?)\s*=\s*(.*?)(?:\s+;.*)?$/ or fail "app.ini: not understood: $line";
            push @sections, $section unless $seen{$section}++;
            push @{ $values{$section}{order} }, $key unless exists $values{$section}{of}{$key};
            $values{$section}{of}{$key} = $value;
        }
    }
    my $out = '';
    for my $section (sort { ($a ne '') <=> ($b ne '') } @sections) {
        $out .= "[$section]\n" if $section ne '';
        $out .= "$_ = $values{$section}{of}{$_}\n" for @{ $values{$section}{order} };
    }
    return $out;
}

sub command {
    my ($self, @arguments) = @_;
    return scalar capture($self->as_gitea, $self->{binary}, '--config', $self->{config}, @arguments);
}

sub start {
    my ($self) = @_;
    unlink $self->{socket};
    $self->{pid} = spawn({ %{ $self->as_gitea }, log => $self->{log}, dir => $self->{dir} },
        $self->{binary}, '--config', $self->{config}, 'web');
    my $healthy = wait_until(60, sub {
        fail "Gitea stopped at its start; its log $self->{log} ends with:\n" . $self->log_tail unless is_alive($self->{pid});
        return ($self->api('GET', '/api/healthz'))[0] == 200;
    });
    fail "Gitea did not become healthy within 60 s; its log $self->{log} ends with:\n" . $self->log_tail unless $healthy;
    chmod 0660, $self->{socket};
}

sub stop_server {
    my ($self) = @_;
    stop($self->{pid});
    undef $self->{pid};
}

sub log_tail {
    my ($self) = @_;
    my @lines = split /\n/, -e $self->{log} ? slurp($self->{log}) : '';
    return join '', map { "    $_\n" } @lines > 10 ? @lines[-10 .. -1] : @lines;
}

# A site administrator and a token of his, made once.
sub ensure_admin {
    my ($self, @owner_of_token) = @_;
    return if -s $self->{token_file};
    my @bytes = map { sprintf '%02x', ord } split //, random_bytes(16);
    $self->command(qw(admin user create --admin --must-change-password=false --username), $self->{admin_login},
        '--email', "$self->{admin_login}\@quickstart.invalid", '--password', join('', @bytes));
    my $token = $self->command(qw(admin user generate-access-token --raw --scopes all --token-name gateway --username), $self->{admin_login});
    my ($hex) = $token =~ /\b([0-9a-f]{40})\b/ or fail "Gitea gave no token: $token";
    spew($self->{token_file}, "$hex\n", 0600, @owner_of_token ? \@owner_of_token : ());
}

sub random_bytes {
    my ($count) = @_;
    open my $in, '<:raw', '/dev/urandom' or fail "/dev/urandom: $!";
    read $in, my ($bytes), $count;
    return $bytes;
}

# Straight to Gitea's socket, not through the gateway: (status, decoded body).
sub api {
    my ($self, $method, $path, $token, $data) = @_;
    (my $host = $self->{root_url}) =~ s{^https://([^/]+).*}{$1};
    my @command = (qw(curl -sS -g --max-time 30 -o - -w \n%{http_code} --unix-socket), $self->{socket}, '-X', $method,
        '-H', "Host: $host", '-H', 'X-Forwarded-Proto: https');
    push @command, '-H', "Authorization: token $token" if $token;
    push @command, '-H', 'Content-Type: application/json', '--data-binary', encode_json($data) if $data;
    my ($failed, $text) = capture({ any_status => 1 }, @command, "http://gitea$path");
    return (0, undef) if $failed;
    my ($body, $status) = $text =~ /^(.*)\n(\d+)$/s or return (0, undef);
    return ($status, eval { decode_json($body) } // $body);
}

sub admin_token {
    my ($self) = @_;
    my $token = slurp($self->{token_file});
    $token =~ s/\s+//g;
    return $token;
}

1;
