package Teagate::H2spec;

# h2spec, which judges an HTTP/2 server by RFC 9113 and RFC 7541: $H2SPEC, "h2spec" on PATH, or built by Go from its module, once for
# this user, into the cache directory.

use strict;
use warnings;
use Exporter 'import';
use File::Path qw(make_path);
use Teagate::Http qw(run);
use Test::More;

our @EXPORT = qw(h2spec_or_skip judged_conformant);

my $module = 'github.com/summerwind/h2spec/cmd/h2spec';
my $version = 'v2.2.1+incompatible';
my $program;

sub find_program {
    my ($name) = @_;
    return (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0];
}

sub cache_directory {
    my $base = $ENV{XDG_CACHE_HOME} || (($ENV{HOME} || (getpwuid $>)[7]) . '/.cache');
    return "$base/teagate/h2spec-$version";
}

# (program) or (undef, why there is none)
sub locate {
    my $found = $ENV{H2SPEC} || find_program('h2spec');
    return $found if $found;
    my $cache = cache_directory();
    return "$cache/h2spec" if -x "$cache/h2spec";
    my $go = find_program('go') or return (undef, 'there is no h2spec, and no Go that could build it');
    make_path($cache, { error => \my $errors });
    return (undef, "$cache cannot be made, where h2spec would be built") if @$errors;
    local @ENV{qw(GOBIN GIT_TERMINAL_PROMPT)} = ($cache, 0);
    my ($text, $status) = run('timeout', 240, $go, 'install', "$module\@$version");
    return "$cache/h2spec" if $status == 0 && -x "$cache/h2spec";
    my ($line) = reverse grep { /\S/ } split /\n/, $text;
    return (undef, "Go does not build $module\@$version here: " . ($line // "status $status"));
}

sub h2spec_or_skip {
    ($program, my $why) = locate();
    plan skip_all => $why if !$program;
    return;
}

# judged_conformant(host, port, path): all cases, the optional ones too, over TLS. A path whose answers have no body says how many cases
# need one and are skipped: bodiless => N.
sub judged_conformant {
    my ($host, $port, $path, %option) = @_;
    my ($text, $status) = run('timeout', 300, $program, '-t', '-k', '-S', '-h', $host, '-p', $port, '-P', $path, '-o', 5);
    my ($count, $passed, $skipped, $failed) = $text =~ /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed$/m;
    subtest "h2spec on $path" => sub {
        ok(defined $count && $count >= 145, 'has run to its end') or diag $text;
        is($failed, 0, 'nothing failed') or diag $text =~ /^(Failures:.*)/ms ? $1 : $text;
        is($skipped, $option{bodiless} // 0, 'nothing was skipped that could be tried');
        is($status, 0, 'its own verdict');
    };
    return;
}

1;
