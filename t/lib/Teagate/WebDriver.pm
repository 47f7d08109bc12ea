package Teagate::WebDriver;

# A real browser: headless Chromium by the W3C WebDriver protocol. Perl core only.

use strict;
use warnings;
use File::Temp;
use HTTP::Tiny;
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Teagate::Shell qw(fail spawn stop free_port wait_until);

sub available { return -x '/usr/bin/chromedriver' && -x '/usr/bin/chromium' }

sub new {
    my ($class, %options) = @_;
    my $self = bless { http => HTTP::Tiny->new(timeout => 60), dir => File::Temp->newdir }, $class;
    my $port = free_port();
    $self->{url} = "http://127.0.0.1:$port";
    $self->{pid} = spawn({ log => "$self->{dir}/log", dir => '/', env => { HOME => "$self->{dir}" } }, '/usr/bin/chromedriver', "--port=$port");
    wait_until(20, sub { $self->{http}->get("$self->{url}/status")->{success} }) or fail 'chromedriver did not start';
    my @arguments = ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync', "--user-data-dir=$self->{dir}/profile",
        '--window-size=' . ($options{size} // '1280,900'), $options{dark} ? '--force-dark-mode' : ());
    my $session = $self->call(POST => '/session', { capabilities => { alwaysMatch => { acceptInsecureCerts => JSON::PP::true,
        'goog:chromeOptions' => { binary => '/usr/bin/chromium', args => \@arguments }, 'goog:loggingPrefs' => { browser => 'ALL' } } } });
    $self->{session} = "/session/$session->{sessionId}";
    return $self;
}

sub call {
    my ($self, $method, $path, $data) = @_;
    my $answer = $self->{http}->request($method, "$self->{url}$path",
        $data ? { content => encode_json($data), headers => { 'Content-Type' => 'application/json' } } : {});
    my $value = eval { decode_json($answer->{content})->{value} };
    fail "WebDriver $method $path: $answer->{status} " . (ref $value ? $value->{message} : $answer->{content}) unless $answer->{success};
    return $value;
}

sub command { my ($self, $method, $path, $data) = @_; return $self->call($method, $self->{session} . $path, $data) }
sub go { my ($self, $url) = @_; $self->command(POST => '/url', { url => $url }) }
sub url { return $_[0]->command(GET => '/url') }
sub title { return $_[0]->command(GET => '/title') }
sub script { my ($self, $code, @arguments) = @_; return $self->command(POST => '/execute/sync', { script => $code, args => \@arguments }) }
sub text { return $_[0]->script('return document.body.innerText') }

sub find {
    my ($self, $css) = @_;
    return (values %{ $self->command(POST => '/element', { using => 'css selector', value => $css }) })[0];
}

sub type { my ($self, $css, $text) = @_; my $id = $self->find($css); $self->command(POST => "/element/$id/value", { text => $text }) }
sub click { my ($self, $css) = @_; my $id = $self->find($css); $self->command(POST => "/element/$id/click", {}) }

# Only for pages of ours: what the browser complains of (policy violations, missing files).
sub complaints {
    my ($self) = @_;
    return map { $_->{message} } @{ $self->command(POST => '/se/log', { type => 'browser' }) };
}

sub screenshot {
    my ($self, $file) = @_;
    open my $out, '>:raw', $file or fail "$file: $!";
    print {$out} decode_base64($self->command(GET => '/screenshot'));
    close $out;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{pid};
    local ($@, $?);
    eval { $self->call(DELETE => $self->{session}) } if $self->{session};
    stop($self->{pid});
}

# Through Gitea's link to the provider's form, as a person does
sub sign_in {
    my ($self, $git_url, $account, $password) = @_;
    $self->go("$git_url/user/login");
    $self->type('input[name=name]', $account->{login});
    $self->type('input[name=password]', $password // $account->{password});
    return $self->click('button.tg-go');
}

1;
