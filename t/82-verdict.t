# Who may do what, by page, git and API; a change is effective within a second.

use strict;
use warnings;
use JSON::PP;
use Test::More;
use Teagate::Test;

my $contract = system_or_skip();
my $base = $contract->{git_url};
my %by_state = map { $_ => account($_) } qw(active expiring grace expired held);

sub api {
    my ($account, $path) = @_;
    return curl('-H', 'Authorization: token ' . token($account->{login}), "$base/api/v1$path");
}

subtest 'accounts in good standing use the API' => sub {
    for my $state (qw(active expiring grace)) {
        my $answer = api($by_state{$state}, '/user');
        is($answer->{status}, 200, "$state: 200") or diag $answer->{body};
        is(eval { decode_json($answer->{body})->{login} }, $by_state{$state}{login}, 'as itself');
    }
};

subtest 'an expired account gets JSON that says why' => sub {
    my $answer = api($by_state{expired}, '/user');
    is($answer->{status}, 402, 'the status is 402');
    like($answer->{headers}, qr{^content-type:\s*application/json}mi, 'JSON');
    my $body = eval { decode_json($answer->{body}) } // {};
    like($body->{message} // '', qr/ended/, 'message says what happened');
    is($body->{state}, 'expired', 'state is a word for programs');
    like($body->{until} // '', qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'until when it stays so') or diag $answer->{body};
    like($body->{renew_url} // '', qr{^https://.*/renew}, 'renew_url leads to the remedy') or diag $answer->{body};
};

subtest 'a held account is refused with 403' => sub {
    is(api($by_state{held}, '/user')->{status}, 403, 'the status is 403');
};

subtest 'an expired account signs in to a page, not to Gitea' => sub {
    my $page = browser()->sign_in($base, $by_state{expired}{login}, $by_state{expired}{password});
    is($page->{status}, 402, 'the status is 402');
    like($page->{url}, qr{^\Q$contract->{auth_url}\E/}, 'at the provider');
    like($page->{body}, qr{href="https://[^"]*/renew"}, 'with the link');
    like($page->{body}, qr/closed, and kept/, 'and a calm sentence');
};

subtest 'a change is effective within a second, on a session and on a token' => sub {
    my $active = $by_state{active};
    my $browser = browser();
    $browser->sign_in($base, $active->{login}, $active->{password});
    is($browser->request('GET', "$base/user/settings")->{status}, 200, 'paid: the page opens');
    is(api($active, '/user')->{status}, 200, 'and the API answers');
    teagate('subscription', 'set', $active->{login}, '--until', '-30d');
    ok(wait_until(1, sub { $browser->request('GET', "$base/user/settings")->{status} == 402 }), 'ended: the page says so within a second');
    ok(wait_until(1, sub { api($active, '/user')->{status} == 402 }), 'and so does the API');
    teagate('subscription', 'set', $active->{login}, '--until', '+300d');
    ok(wait_until(1, sub { $browser->request('GET', "$base/user/settings")->{status} == 200 }), 'paid again: open within a second');
    ok(wait_until(1, sub { api($active, '/user')->{status} == 200 }), 'the API too');
};

subtest 'public things stay visible to anonymous visitors' => sub {
    is(curl("$base/$by_state{expired}{login}/public")->{status}, 200, 'also those of an expired account');
};

subtest 'a token first seen after expiry is refused with words' => sub {
    my $answer = curl('-u', "anybody:" . token($by_state{expired}{login}), "$base/$by_state{active}{login}/public.git/info/refs?service=git-upload-pack");
    is($answer->{status}, 402, 'the status is 402');
    like($answer->{headers}, qr{^content-type:\s*text/plain}mi, 'text/plain');
};

subtest 'the administrator of Gitea, who is no account of ours, is let through' => sub {
    my $token = slurp($contract->{gitea}{admin_token_file});
    $token =~ s/\s//g;
    is(curl('-H', "Authorization: token $token", "$base/api/v1/user")->{status}, 200, 'by the unmanaged rule');
    is(curl('-H', "Authorization: token $token", "$base/api/v1/admin/users")->{status}, 403, 'but not to the administration');
};

subtest 'the administration asks visitors who they are, and customers to leave' => sub {
    my $answer = curl("$base/-/admin");
    is($answer->{status}, 303, 'a visitor signs in');
    like($answer->{headers}, qr{^location: /user/oauth2/[^/]+\?redirect_to=%2F-%2Fadmin\r?$}mi, 'and comes back');
    is(curl("$base/api/v1/admin/users")->{status}, 403, 'a program is refused');
    is(api($by_state{active}, '/admin/users')->{status}, 403, 'and so is a customer');
};

done_testing;
