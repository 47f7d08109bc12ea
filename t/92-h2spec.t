# HTTP/2 as RFC 9113 and RFC 7541 want it, judged by h2spec where this machine has it or can build it

use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use Teagate::Http;
use Test::More;

my $module = 'github.com/summerwind/h2spec/cmd/h2spec@latest';

sub find_program {
    my ($name) = @_;
    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0];
}

sub find_h2spec {
    my $found = $ENV{H2SPEC} // find_program('h2spec');
    return $found if $found;
    my $go = find_program('go') // return undef;
    my $cache = ($ENV{TG_BUILD} // './build') . '/h2spec';
    $cache = "$FindBin::Bin/../$cache" if $cache !~ m{^/};
    return "$cache/h2spec" if -x "$cache/h2spec";
    local $ENV{GOBIN} = $cache;
    my ($text, $status) = run('timeout', 40, $go, 'install', $module);
    note $text if $status != 0;
    return $status == 0 ? "$cache/h2spec" : undef;
}

my $h2spec = find_h2spec() or plan skip_all => 'there is no h2spec, and no Go that builds it';
my $listener = listen_on('127.0.0.1');
my $server = Teagate::Http->start(https => [$listener], ca => "$Teagate::Http::dir/ca", names => ['localhost']);

# /post takes a body before it answers: where an answer comes first, what the client says later cannot be judged
my ($text, $status) = run('timeout', 50, $h2spec, '-t', '-k', '-h', 'localhost', '-p', $listener->sockport, '-P', '/post', '-o', 3);
my ($count, $passed, $skipped, $failed) = $text =~ /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed$/m;
ok(defined $count && $count >= 140, 'h2spec has run') or diag $text;
is($failed, 0, 'nothing failed') or diag $text =~ /^(Failures:.*)/ms ? $1 : $text;
is($skipped, 0, 'nothing was skipped');
is($status, 0, 'its own verdict');
$server->stops_clean('the server ends in order, without a leak');
done_testing;
