package Teagate::Browser;

# A browser without a screen: curl with a cookie jar, that follows links and fills the sign-in form.

use strict;
use warnings;
use File::Temp;
use Teagate::Shell qw(fail capture);

# ca_file, and jar for the cookies (a temporary one by default)
sub new {
    my ($class, %options) = @_;
    my $self = bless {%options}, $class;
    $self->{temporary} = File::Temp->newdir;
    $self->{jar} //= "$self->{temporary}/jar";
    $self->{protocol} //= '--http2';
    return $self;
}

# One request: { status, location, type, body, headers }. Redirects are not followed.
sub request {
    my ($self, $method, $url, %options) = @_;
    my $head = "$self->{temporary}/head";
    my @command = (qw(curl -sS -g --path-as-is --max-time 30), $self->{protocol}, '--cacert', $self->{ca_file}, '-b', $self->{jar}, '-c',
        $self->{jar}, '-D', $head, '-w', "\n%{http_code}");
    push @command, $method eq 'HEAD' ? '-I' : ('-X', $method);
    push @command, map { ('-H', $_) } @{ $options{headers} // [] };
    push @command, map { ('--data-urlencode', $_) } @{ $options{form} // [] };
    my ($failed, $text) = capture({ any_status => 1 }, @command, $url);
    fail "$method $url: $text" if $failed;
    my ($body, $status) = $text =~ /^(.*)\n(\d+)\z/s or fail "$method $url: no status in: $text";
    my $headers = Teagate::Shell::slurp($head);
    my ($location) = $headers =~ /^location:\s*(\S+)/mi;
    my ($type) = $headers =~ /^content-type:\s*([^\s;]+)/mi;
    return { status => $status, location => $location, type => $type // '', body => $body, headers => $headers };
}

sub absolute {
    my ($base, $location) = @_;
    return $location if $location =~ m{^https?://};
    my ($origin) = $base =~ m{^(https?://[^/]+)};
    return $origin . $location if $location =~ m{^/};
    (my $directory = $base) =~ s{[^/]*$}{};
    return $directory . $location;
}

# Follows redirects as a browser does; the answer has its url.
sub visit {
    my ($self, $url, %options) = @_;
    for (1 .. 12) {
        my $answer = $self->request('GET', $url, headers => [ 'Accept: text/html,application/xhtml+xml' ]);
        $answer->{url} = $url;
        return $answer unless $answer->{status} =~ /^30[12378]$/ && $answer->{location};
        $url = absolute($url, $answer->{location});
    }
    fail "too many redirects, the last to $url";
}

# From Gitea's sign-in link to the page behind it. Returns the last answer; dies unless a form was met. Who is told on the way that his
# subscription ends reads it and goes on, unless the browser was made with stops_at_notices.
sub sign_in {
    my ($self, $git_url, $login, $password) = @_;
    my $page = $self->visit("$git_url/user/login");
    my $answer = $self->submit($page, "name=$login", "password=$password");
    return $answer if $self->{stops_at_notices} || $answer->{body} !~ m{<form[^>]*action="/notice"};
    return $self->submit($answer);
}

# Fills the form on a page and follows where it leads.
sub submit {
    my ($self, $page, @fields) = @_;
    my ($form) = $page->{body} =~ m{(<form[^>]*method="post".*?</form>)}is
        or fail "no form at $page->{url} ($page->{status}): " . substr($page->{body}, 0, 400);
    my ($action) = $form =~ /<form[^>]*action="([^"]*)"/i;
    my @hidden;
    while ($form =~ /<input\b([^>]*type="hidden"[^>]*)>/gi) {
        my $attributes = $1;
        my ($name) = $attributes =~ /name="([^"]*)"/;
        my ($value) = $attributes =~ /value="([^"]*)"/;
        push @hidden, "$name=" . unescape($value // '');
    }
    my ($origin) = $page->{url} =~ m{^(https://[^/]+)};
    my $url = absolute($page->{url}, unescape($action));
    my $answer = $self->request('POST', $url, headers => [ "Origin: $origin", 'Sec-Fetch-Site: same-origin', 'Accept: text/html' ],
        form => [ @hidden, @fields ]);
    $answer->{url} = $url;
    return $answer unless $answer->{status} =~ /^30[123]$/;
    return $self->visit(absolute($url, $answer->{location}));
}

sub unescape {
    my ($text) = @_;
    $text =~ s/&lt;/</g; $text =~ s/&gt;/>/g; $text =~ s/&quot;|&#34;/"/g; $text =~ s/&#39;/'/g; $text =~ s/&amp;/&/g;
    return $text;
}

1;
