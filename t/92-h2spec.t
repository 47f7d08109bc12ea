# HTTP/2 as RFC 9113 and RFC 7541 want it, judged by h2spec where this machine has it or can build it: the server alone, and the
# program without a Gitea

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::H2spec;
use Teagate::Http;
use Teagate::Service;
use Test::More;

h2spec_or_skip();
my $listener = listen_on('127.0.0.1');
my $server = Teagate::Http->start(https => [$listener], ca => "$Teagate::Http::dir/ca", names => ['localhost']);

# /post takes a body before it answers, the others do not wait for it
judged_conformant('localhost', $listener->sockport, $_) for '/post', '/hello', '/refuse', '/nothing', '/big/100000';
$server->stops_clean('the server ends in order, without a leak');

# the provider, and refusals of the front, under the one name that every resolver knows; there is no Gitea behind it
for my $gitea ('gitea.localhost', 'localhost') {
    my $service = Teagate::Service->new;
    my $config = slurp($service->config);
    if ($gitea ne 'localhost') {
        $config =~ s/auth\.localhost/localhost/g;
        $config =~ s/- host: localhost/- host: $gitea/;
        $config =~ s/internal-ca: .*/internal-ca: [localhost, $gitea]/;
    }
    spew($service->config, $config);
    $service->start or BAIL_OUT('the service does not start: ' . $service->events);
    my @path = $gitea eq 'localhost' ? ('/metrics', '/a/b', '/a/b.git/git-receive-pack')
        : ('/sign-in', '/nothing', '/token', '/.well-known/openid-configuration');
    judged_conformant('localhost', $service->{port}, $_) for @path;
    is($service->stop, 0, 'the service ends in order');
}
done_testing;
