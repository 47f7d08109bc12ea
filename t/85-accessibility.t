# axe-core finds nothing to mend on any page of ours, on desktop and phone, light and dark.

use strict;
use warnings;
use File::Temp;
use Test::More;
use Teagate::Test;
use Teagate::WebDriver;

my $contract = system_or_skip();
plan skip_all => 'there is no chromium with its driver' unless Teagate::WebDriver::available();
my $axe = axe() // plan skip_all => 'axe-core cannot be had: npm, or its registry, is not there';
my ($base, $auth) = @{$contract}{qw(git_url auth_url)};
my $shots = $ENV{TG_SCREENSHOTS};
mkdir $shots if $shots;

for my $look ([ 'desktop, light', '1280,900', 0 ], [ 'phone, dark', '500,900', 1 ]) {
    my ($name, $size, $dark) = @$look;
    subtest $name => sub {
        my $driver = Teagate::WebDriver->new(size => $size, dark => $dark);
        $driver->go("$base/user/login");
        is_clean($driver, 'sign-in');
        $driver->sign_in($base, account('active'), 'not this');
        is_clean($driver, 'sign-in after a wrong password');
        $driver->go("$auth/nothing-here");
        is_clean($driver, 'not found');
        $driver->sign_in($base, account('active'));
        wait_until(10, sub { $driver->url =~ m{^\Q$base\E/} });
        $driver->go("$auth/");
        is_clean($driver, 'who is signed in');
        $driver->go("$auth/sign-out");
        is_clean($driver, 'sign-out');
        $driver->click('form button');
        is_clean($driver, 'signed out');
        for my $state (qw(expired expiring grace held)) {
            my $other = Teagate::WebDriver->new(size => $size, dark => $dark);
            $other->sign_in($base, account($state));
            ok(wait_until(10, sub { $other->script('return document.querySelector(".tg-state") !== null') }), "$state: its page opens");
            is_clean($other, $state);
        }
    };
}
done_testing;

sub is_clean {
    my ($driver, $page) = @_;
    $driver->script($axe);
    my $findings = $driver->command(POST => '/execute/async', { args => [], script => <<'JS' });
        var done = arguments[0];
        axe.run(document).then(function (result) {
            done(result.violations.map(function (v) { return v.id + ': ' + v.help + ': ' + v.nodes.map(function (n) { return n.target; }).join(' '); }));
        }, function (error) { done(['axe-core: ' + error]); });
JS
    is_deeply($findings, [], $page);
    (my $file = $page) =~ s/\W+/-/g;
    $driver->screenshot("$shots/$file.png") if $shots;
}

sub axe {
    my $dir = File::Temp->newdir;
    return unless grep { -x "$_/npm" } split /:/, $ENV{PATH};
    my ($status) = capture({ any_status => 1, env => { HOME => "$dir" } }, 'npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', "$dir", 'axe-core@4');
    my $file = "$dir/node_modules/axe-core/axe.min.js";
    return $status == 0 && -s $file ? slurp($file) : undef;
}
