# HTTP/2 of the whole system, before a real Gitea, judged by h2spec where this machine has it or can build it

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::H2spec;
use Teagate::Test;
use Test::More;

h2spec_or_skip();
my $contract = system_or_skip();
my ($host, $port) = $contract->{git_url} =~ m{//([^:/]+):(\d+)};

# pages, an answer of the API, answers of our own, refusals, and what is not there; a redirect and a refusal of git have no body
judged_conformant($host, $port, $_) for '/', '/explore/repos', '/api/v1/version', '/.teagate/style.css', '/nobody/nothing', '/user/forgot_password',
    '/metrics', '/nobody/nothing.git/info/refs?service=git-receive-pack', '/v2/';
judged_conformant($host, $port, $_, bodiless => 4) for '/user/login', '/nobody/nothing.git/git-receive-pack';
done_testing;
