# Who should renew soon reads so on the way in, once a day.

use strict;
use warnings;
use Test::More;
use Teagate::Test;
use Teagate::WebDriver;

my $contract = system_or_skip();
my ($base, $auth) = @$contract{qw(git_url auth_url)};
my $active = account('active');

# Other tests sign the same accounts in: only one of this test's own is sure to have read nothing today.
my $reader = { login => "reader$$", password => 'korrekt pferd batterie' };
my $file = File::Temp->new;
print $file "$reader->{password}\n";
close $file;
chmod 0644, "$file";
teagate(qw(account add), $reader->{login}, '--email', "$reader->{login}\@quickstart.invalid", '--password-file', "$file");
sub paid { teagate(qw(subscription set), $reader->{login}, "--until=$_[0]"); return }

sub sign_in { return browser(stops_at_notices => 1)->sign_in($base, $reader->{login}, $reader->{password}) }
sub is_notice { return $_[0]{body} =~ m{action="/notice"} }

subtest 'an account in good standing meets no page' => sub {
    paid('+300d');
    my $page = sign_in();
    is($page->{status}, 200, 'it signs in') or diag $page->{body};
    like($page->{url}, qr/^\Q$base\E/, 'and is at Gitea');
};

for ([ expiring => '+5d', qr/Your subscription ends on/, qr/Everything works today/ ], [ grace => '-2d', qr/Your subscription has ended/, qr/Everything still works/ ]) {
    my ($phase, $until, @says) = @$_;
    subtest "$phase: a page first, then Gitea, then not again today" => sub {
        paid($until);
        my $browser = browser(stops_at_notices => 1);
        my $page = $browser->sign_in($base, $reader->{login}, $reader->{password});
        is($page->{status}, 200, 'a page');
        like($page->{url}, qr{^\Q$auth\E/authorize}, 'of the provider');
        like($page->{body}, $_, 'says what happens') for @says;
        like($page->{body}, qr/\d{1,2}\x{c2}?\x{a0}\w+ 20\d\d,? \d\d:\d\d/, 'and when');
        is(scalar(() = $page->{body} =~ /class="tg-go"/g), 1, 'with one button');
        like($page->{body}, qr{<a class="tg-go" href="https://[^"]*/renew"}, 'to renewing');
        like($page->{headers}, qr{^content-security-policy:.*form-action 'self' \Q$base\E}mi, 'the policy lets its form end at Gitea');
        unlike($page->{body}, qr{[?&]code=}, 'no code has been given');
        my $settings = $browser->request('GET', "$base/user/settings");
        isnt($settings->{status}, 200, 'it does not sign in by itself');

        my $on = $browser->submit($page);
        is($on->{status}, 200, 'Continue goes on') or diag $on->{body};
        like($on->{url}, qr/^\Q$base\E/, 'to Gitea');
        is($browser->visit("$base/user/settings")->{status}, 200, 'signed in');
        ok(!is_notice(sign_in()), 'the next sign-in of the day goes straight on');
    };
}

subtest 'who was read to once is not asked without a token of the page' => sub {
    my $answer = browser()->request('POST', "$auth/notice", headers => [ "Origin: $auth" ], form => [ 'csrf=x', 'request=/authorize?client_id=x' ]);
    is($answer->{status}, 403, 'refused');
};

subtest 'a person with a real browser goes on' => sub {
    plan skip_all => 'there is no chromium with its driver' unless Teagate::WebDriver::available();
    my $shots = $ENV{TG_SCREENSHOTS};
    mkdir $shots if $shots;
    for my $look ([ 'desktop', '1280,900', '+4d' ], [ 'phone', '500,900', '-1d' ]) {
        my ($name, $size, $until) = @$look;
        paid($until);
        my $driver = Teagate::WebDriver->new(size => $size);
        $driver->go("$base/user/login");
        $driver->type('input[name=name]', $reader->{login});
        $driver->type('input[name=password]', $reader->{password});
        $driver->click('button.tg-go');
        ok(wait_until(10, sub { $driver->text =~ /Continue/ }), "$name: the page") or diag $driver->url, $driver->text;
        is_deeply([ $driver->complaints ], [], 'breaks none of its own rules');
        is($driver->script('return document.documentElement.scrollWidth <= window.innerWidth'), JSON::PP::true(), 'and nothing is cut off');
        $driver->screenshot("$shots/notice-$name.png") if $shots;
        $driver->click('form[action="/notice"] button');
        ok(wait_until(10, sub { $driver->url =~ m{^\Q$base\E/} }), 'Continue ends at Gitea') or diag $driver->url, $driver->text;
        is_deeply([ grep { !m{/favicon\.ico - Failed to load} } $driver->complaints ], [], 'without a complaint'); # the stand-in has no icon
    }
};

done_testing;
