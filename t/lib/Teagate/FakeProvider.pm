package Teagate::FakeProvider;

# An OpenID Connect provider of fixed answers, for tests of what Gitea asks and what it does with the answer. It keeps nothing: a code is
# KIND.SUB, and so is the access token that it is changed into. Kinds: good, operator (of that group), denied (invalid_grant), no-id-token, no-exp, late (expired
# 60 s ago), other-issuer, other-sub (userinfo names somebody else).

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64);
use POSIX ();
use Teagate::Shell qw(slurp spew);

use constant ISSUER => 'https://auth.example.test';

# file: where the requests are noted, one JSON object a line
sub new {
    my ($class, %options) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16, ReuseAddr => 1) or die "no port: $!";
    my $self = bless { %options, base => 'http://127.0.0.1:' . $socket->sockport }, $class;
    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (1) {
        my $client = $socket->accept or next;
        $self->serve($client);
        close $client;
    }
}

sub discovery { return "$_[0]{base}/.well-known/openid-configuration" }

sub stop {
    my ($self) = @_;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

# The requests so far; they are forgotten.
sub requests {
    my ($self) = @_;
    my @lines = -e $self->{file} ? split /\n/, slurp($self->{file}) : ();
    unlink $self->{file};
    return map { decode_json($_) } @lines;
}

sub serve {
    my ($self, $client) = @_;
    my ($method, $path) = (<$client> // '') =~ m{^(\S+) (\S+)} or return;
    my %head;
    while (my $line = <$client>) {
        last if $line =~ /^\r?\n/;
        $head{ lc $1 } = $2 if $line =~ /^([^:]+):\s*(.*?)\r?\n/;
    }
    read $client, my ($body), $head{'content-length'} // 0;
    my %form = map { map { s/\+/ /gr =~ s/%(..)/chr hex $1/ger } (split /=/, $_, 2)[0, 1] } split /&/, $body // '';
    open my $out, '>>', $self->{file} or return;
    print {$out} JSON::PP->new->canonical->encode({ method => $method, path => $path, head => \%head, form => \%form }), "\n";
    close $out;
    my ($status, $answer) = $self->answer($path, \%head, \%form);
    my $text = encode_json($answer);
    print {$client} "HTTP/1.1 $status\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ", length $text, "\r\n\r\n$text";
    return;
}

sub answer {
    my ($self, $path, $head, $form) = @_;
    return ('200 OK', { issuer => ISSUER, authorization_endpoint => ISSUER . '/authorize', token_endpoint => "$self->{base}/token",
        userinfo_endpoint => "$self->{base}/userinfo", jwks_uri => "$self->{base}/jwks" }) if $path =~ m{^/\.well-known/};
    return $self->tokens($head, $form) if $path eq '/token';
    if ($path eq '/userinfo') {
        my ($kind, $sub) = ($head->{authorization} // '') =~ /^Bearer ([a-z-]+)\.(\S+)/i or return ('401 Unauthorized', {});
        return ('200 OK', claims($kind eq 'other-sub' ? "not-$sub" : $sub, $kind eq 'operator'));
    }
    return ('404 Not Found', {});
}

sub claims {
    my ($sub, $operator) = @_;
    return { sub => $sub, preferred_username => $sub, name => "Name of $sub", email => "$sub\@example.test", groups => $operator ? ['operators'] : [] };
}

sub tokens {
    my ($self, $head, $form) = @_;
    my ($kind, $sub) = ($form->{code} // '') =~ /^([a-z-]+)\.(\S+)$/ or return ('400 Bad Request', { error => 'invalid_grant' });
    return ('400 Bad Request', { error => 'invalid_grant' }) if $kind eq 'denied';
    my ($client) = ($head->{authorization} // '') =~ /^Basic (\S+)/ ? split /:/, decode_base64($1) : $form->{client_id};
    my %id = (%{ claims($sub) }, iss => $kind eq 'other-issuer' ? 'https://elsewhere.test' : ISSUER, aud => $client, iat => time,
        exp => time + ($kind eq 'late' ? -60 : 600));
    delete $id{exp} if $kind eq 'no-exp';
    my %answer = (access_token => "$kind.$sub", token_type => 'Bearer', expires_in => 600);
    $answer{id_token} = join '.', map { encode_base64url($_) } '{"alg":"RS256","typ":"JWT"}', encode_json(\%id), 'not looked at'
        unless $kind eq 'no-id-token';
    return ('200 OK', \%answer);
}

1;
