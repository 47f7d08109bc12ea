package Teagate::Demo;

# The demo accounts: one of each state, each with a public and a private repository.

use strict;
use warnings;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Teagate::Browser;
use Teagate::Shell qw(fail slurp spew);

our @STATES = qw(active expiring grace expired held);

my %DAYS = (active => '+300d', expiring => '+5d', grace => '-2d', expired => '-30d', held => '+300d');
my %NAMES = (active => 'ada', expiring => 'emil', grace => 'grit', expired => 'xenia', held => 'hedda');

# file: where logins and passwords are kept
sub new {
    my ($class, %options) = @_;
    return bless {%options}, $class;
}

sub accounts {
    my ($self) = @_;
    return $self->{accounts} //= -e $self->{file} ? decode_json(slurp($self->{file})) : $self->make_accounts;
}

sub make_accounts {
    my ($self) = @_;
    my @accounts = map {
        my $password = join '-', map { unpack 'H*', Teagate::GiteaServer::random_bytes(3) } 1 .. 3;
        { login => $NAMES{$_}, password => $password, email => "$NAMES{$_}\@quickstart.invalid", state => $_ };
    } @STATES;
    spew($self->{file}, JSON::PP->new->canonical->pretty->encode(\@accounts), 0600);
    return \@accounts;
}

# Everything a first start needs; each part looks whether it was done already, so that an interrupted start goes on. The states are
# set at every start, since their dates are relative to today.
sub ensure {
    my ($self, %with) = @_;
    my ($gateway, $gitea) = @with{qw(gateway gitea)};
    my $done = "$self->{file}.done-$gateway->{git_host}";
    if (-e $done) {
        $self->ensure_state($gateway, $_) for @{ $self->accounts };
        return;
    }
    for my $account (@{ $self->accounts }) {
        $self->ensure_account($gateway, $account);
        $gateway->must('subscription', 'set', $account->{login}, '--until', '+300d');
        $self->forget_flag($gitea, $account);
        $gateway->command('hold', 'lift', $account->{login}, '--kind', $_) for qw(admin gitea);
        my $browser = Teagate::Browser->new(ca_file => $with{ca_file});
        my $page = $browser->sign_in("https://$gateway->{git_host}", $account->{login}, $account->{password});
        fail "signing in as $account->{login} ended at $page->{url} with $page->{status}" unless $page->{status} == 200;
        $self->ensure_repositories($gitea, $account);
        $self->ensure_state($gateway, $account);
    }
    spew($done, "done\n");
}

# A gateway of another address has prohibited who may not sign in; to this one that would be somebody else's doing, and a hold.
sub forget_flag {
    my ($self, $gitea, $account) = @_;
    my ($status, $users) = $gitea->api('GET', '/api/v1/admin/users?limit=50', $gitea->admin_token);
    fail "Gitea does not list its users ($status)" unless $status == 200;
    my ($user) = grep { $_->{login} eq $account->{login} && $_->{prohibit_login} } @$users or return;
    ($status) = $gitea->api('PATCH', "/api/v1/admin/users/$account->{login}", $gitea->admin_token,
        { source_id => $user->{source_id}, login_name => $user->{login_name}, prohibit_login => JSON::PP::false });
    fail "Gitea does not let $account->{login} sign in again ($status)" unless $status == 200;
}

sub ensure_account {
    my ($self, $gateway, $account) = @_;
    my ($status) = $gateway->command('account', 'show', $account->{login});
    return if $status == 0;
    my $secret = "$self->{file}.password";
    spew($secret, "$account->{password}\n", 0600, $gateway->{user} ? [ Teagate::Shell::ids_of($gateway->{user}) ] : undef);
    $gateway->must('account', 'add', $account->{login}, '--email', $account->{email}, '--name', ucfirst $account->{login},
        '--password-file', $secret);
    unlink $secret;
}

sub ensure_repositories {
    my ($self, $gitea, $account) = @_;
    my $token = $gitea->command(qw(admin user generate-access-token --raw --scopes all --token-name), "quickstart-$$-" . int(rand 1e9),
        '--username', $account->{login});
    ($token) = $token =~ /\b([0-9a-f]{40})\b/ or fail "no token for $account->{login}";
    for my $name (qw(public private)) {
        my ($status) = $gitea->api('GET', "/api/v1/repos/$account->{login}/$name", $token);
        next if $status == 200;
        ($status) = $gitea->api('POST', '/api/v1/user/repos', $token,
            { name => $name, private => $name eq 'private' ? JSON::PP::true : JSON::PP::false, auto_init => JSON::PP::true,
              default_branch => 'main', description => "A $name repository of $account->{login}" });
        fail "Gitea made no repository $account->{login}/$name ($status)" unless $status == 201;
        ($status) = $gitea->api('POST', "/api/v1/repos/$account->{login}/$name/contents/hello.txt", $token,
            { content => encode_base64("Hello from $account->{login}'s $name repository.\n", ''), message => 'Say hello', branch => 'main' });
        fail "Gitea took no file for $account->{login}/$name ($status)" unless $status == 201;
    }
}

sub ensure_state {
    my ($self, $gateway, $account) = @_;
    $gateway->must('subscription', 'set', $account->{login}, '--until', $DAYS{ $account->{state} });
    $gateway->must('hold', 'place', $account->{login}, '--kind', 'admin', '--level', 'blocked', '--reason', 'demonstration')
        if $account->{state} eq 'held';
}

1;
