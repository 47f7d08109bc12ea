# Every attack on the whole system, as it is set up by default: the front lives and stays small, the attacker is cut, counted and named

use strict;
use warnings;
use File::Temp;
use JSON::PP;
use Test::More;
use Teagate::Test;

plan skip_all => 'memory and time are measured without sanitizers' if sanitized();
my $contract = own_system();
plan skip_all => 'the stand-in has no large answers' if $contract->{gitea}{kind} ne 'gitea';
my $dir = File::Temp->newdir;

# Latency is for scripts/siege on a machine of its own: here others are served, and that is all.
sub besiege {
    my (@arguments) = @_;
    my ($status, $text) = capture({ any_status => 1 }, 'scripts/siege', '--contract', contract_file(), '--json', "$dir/rows", @arguments);
    my $rows = -e "$dir/rows" ? decode_json(slurp("$dir/rows")) : [];
    unlink "$dir/rows";
    ok(scalar @$rows, 'the siege was made') or diag $text;
    for my $row (@$rows) {
        is_deeply([ grep { !/^the other client waited/ } @{ $row->{faults} } ], [], $row->{name}) or diag $text;
        cmp_ok($row->{p50}, '<', 1000, "$row->{name}: another client is served");
    }
    return;
}

subtest 'floods, all at once' => sub {
    besiege('--together', qw(bomb-headers bomb-cookies bomb-streams bomb-cookies-streams hoard-heads rapid-reset made-you-reset continuation
        continuation-empty settings ping ping-unread empty-data priority window-updates window-updates-stream random large-upload window-abort));
};
subtest 'what takes time, all at once' => sub {
    besiege('--together', qw(slow-head slow-frame slow-frame-busy slow-block-busy slow-handshake slow-body slow-body-trickle slow-read
        slow-read-trickle));
};
subtest 'answers that nobody takes' => sub { besiege('--together', qw(zero-window tiny-window zero-window-small)) };
subtest 'crowds, from one address and from many' => sub {
    besiege(qw(thousands thousands-requests idle idle-handshakes idle-sessions idle-sessions-old idle-requests idle-requests-old));
};
subtest 'a header block that goes on while the front is replaced' => sub { besiege('shutdown-spin') };

done_testing;
