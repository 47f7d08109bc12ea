# A person with a real browser.

use strict;
use warnings;
use Test::More;
use Teagate::Test;
use Teagate::WebDriver;

my $contract = system_or_skip();
plan skip_all => 'there is no chromium with its driver' unless Teagate::WebDriver::available();
my $base = $contract->{git_url};
my $shots = $ENV{TG_SCREENSHOTS};
mkdir $shots if $shots;

sub shot { my ($driver, $name) = @_; $driver->screenshot("$shots/$name.png") if $shots }

subtest 'an active account signs in and works' => sub {
    my $account = account('active');
    my $driver = Teagate::WebDriver->new;
    $driver->go("$base/user/login");
    like($driver->url, qr{^\Q$contract->{auth_url}\E/sign-in}, "Gitea's sign-in leads to the provider");
    is_deeply([ $driver->complaints ], [], 'the page breaks none of its own rules');
    shot($driver, 'sign-in');
    is($driver->script('return document.scripts.length'), 0, 'no script on the page');
    $driver->sign_in($base, $account, 'not this');
    ok(wait_until(10, sub { $driver->text =~ /don.t match/ }), 'a wrong password is told') or diag $driver->text;
    shot($driver, 'sign-in-wrong');
    $driver->sign_in($base, $account);
    ok(wait_until(10, sub { $driver->url =~ m{^\Q$base\E/} }), 'the right one ends at Gitea') or diag $driver->url, $driver->text;
    $driver->go("$base/$account->{login}/private");
    like($driver->text, qr/hello\.txt/, 'a private repository opens');
    shot($driver, 'gitea');
    is($driver->script('return document.cookie.includes("i_like_gitea")'), JSON::PP::false(), "Gitea's session is not in the page's reach");
    $driver->go($contract->{auth_url});
    like($driver->text, qr/\Q$account->{login}\E/, 'the provider knows who is signed in');
    shot($driver, 'home');
};

subtest 'an expired account reads why' => sub {
    my $account = account('expired');
    for my $look ([ 'desktop', '1280,900' ], [ 'phone', '500,900' ]) {
        my ($name, $size) = @$look;
        my $driver = Teagate::WebDriver->new(size => $size);
        $driver->sign_in($base, $account);
        ok(wait_until(10, sub { $driver->text =~ /closed, and kept/ }), "$name: the page says so") or diag $driver->url, $driver->text;
        is($driver->script('return document.querySelectorAll("a.tg-go").length'), 1, 'with one button');
        is($driver->script('return document.documentElement.scrollWidth <= window.innerWidth'), JSON::PP::true(), 'and nothing is cut off');
        shot($driver, "expired-$name");
    }
};

subtest 'signing out on the page' => sub {
    my $account = account('active');
    my $driver = Teagate::WebDriver->new;
    $driver->sign_in($base, $account);
    wait_until(10, sub { $driver->url =~ m{^\Q$base\E/} });
    $driver->go("$contract->{auth_url}/sign-out");
    shot($driver, 'sign-out');
    $driver->click('form button');
    like($driver->text, qr/signed out/i, 'ends with a page that says so');
    shot($driver, 'signed-out');
};

done_testing;
