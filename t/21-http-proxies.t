# Real proxies before the HTTP server: HAProxy with the PROXY protocol, nginx with X-Forwarded-For

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::IP;
use Teagate::Http;
use Test::More;
use Time::HiRes qw(time sleep);

my $dir = $Teagate::Http::dir;
my ($with_header, $with_field) = map { listen_on('127.0.0.1') } 1, 2;
write_file("$dir/listen.yaml", <<"YAML");
listen:
  https:
    - address: 127.0.0.1:@{[$with_header->sockport]}
      proxy-protocol: v2
      trusted-proxies: 127.0.0.1
    - address: 127.0.0.1:@{[$with_field->sockport]}
      trusted-proxies: 127.0.0.1
YAML
my $server = Teagate::Http->start(https => [$with_header, $with_field], ca => "$dir/ca", names => ['localhost'], conf => "$dir/listen.yaml");
my @proxies;

sub path_of { my ($program) = @_; return (grep { -x } map { "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin')[0] }

sub free_port { return IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 1)->sockport }

sub start_proxy {
    my ($port, @command) = @_;
    my $pid = fork // die;
    if (!$pid) {
        open STDERR, '>>', "$dir/proxy.log";
        open STDOUT, '>&', \*STDERR;
        exec @command or exit 127;
    }
    push @proxies, $pid;
    my $until = time + 10;
    sleep 0.1 while time < $until && !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port);
    return;
}

sub hello { my ($port, @option) = @_; return curl('-k', '--interface', '127.0.0.77', @option, "https://localhost:$port/hello") }

SKIP: {
    my $haproxy = path_of('haproxy') or skip 'there is no haproxy', 1;
    subtest 'HAProxy' => sub {
        my ($plain, $more, $to) = (free_port(), free_port(), '127.0.0.1:' . $with_header->sockport);
        write_file("$dir/haproxy.cfg", <<"CFG");
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen plain
  bind 127.0.0.1:$plain
  server s $to send-proxy-v2 check check-send-proxy inter 300
listen more
  bind 127.0.0.1:$more
  unique-id-format %[uuid()]
  server s $to send-proxy-v2-ssl proxy-v2-options unique-id,crc32c
CFG
        start_proxy($plain, $haproxy, '-f', "$dir/haproxy.cfg");
        for my $protocol ('--http1.1', '--http2') {
            like(hello($plain, $protocol), qr/ client=127\.0\.0\.77 /, "send-proxy-v2, $protocol");
            like(hello($more, $protocol), qr/ client=127\.0\.0\.77 /, "with TLVs, $protocol");
        }
    };
}

SKIP: {
    my $nginx = path_of('nginx') or skip 'there is no nginx', 1;
    subtest 'nginx' => sub {
        my $port = free_port();
        certify("$dir/nginx", 'localhost');
        write_file("$dir/nginx.conf", <<"CONF");
daemon off;
pid $dir/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:$port ssl http2;
        ssl_certificate $dir/nginx.crt;
        ssl_certificate_key $dir/nginx.key;
        location / {
            proxy_pass https://127.0.0.1:@{[$with_field->sockport]};
            proxy_ssl_server_name on;
            proxy_ssl_name localhost;
            proxy_set_header Host localhost;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
        }
    }
}
CONF
        start_proxy($port, $nginx, '-p', $dir, '-c', "$dir/nginx.conf", '-e', 'stderr');
        like(hello($port), qr/ client=127\.0\.0\.77 /, 'it says who the client is');
        like(hello($port, '-H', 'X-Forwarded-For: 192.0.2.9'), qr/ client=127\.0\.0\.77 /, 'what the client says of himself is not believed');
    };
}

kill 'TERM', @proxies;
waitpid $_, 0 for @proxies;
note read_file("$dir/proxy.log");
$server->stops_clean('the server ends in order');
done_testing;
