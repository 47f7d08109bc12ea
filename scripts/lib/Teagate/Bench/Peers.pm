package Teagate::Bench::Peers;

# nginx and HAProxy as somebody would set them up who wants them fast and nothing else: one worker, one thread, connections to the upstream
# kept and shared, no log. They are told to judge nothing and to add nothing to a request.

use strict;
use warnings;
use Teagate::Bench::Rig;
use Teagate::Shell qw(fail capture spawn stop is_alive wait_until free_port slurp spew);
use IO::Socket::IP;

use constant FOREVER => 1_000_000_000; # requests of a connection

# A certificate for localhost that all of them use: NAME.crt and NAME.key in a directory, and both in one file for HAProxy.
sub certify {
    my ($dir) = @_;
    mkdir $dir, 0755 or fail "$dir: $!";
    capture(qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256 -nodes -days 2 -subj /CN=localhost
        -addext subjectAltName=DNS:localhost), '-keyout', "$dir/localhost.key", '-out', "$dir/localhost.crt");
    spew("$dir/both.pem", slurp("$dir/localhost.crt") . slurp("$dir/localhost.key"), 0600);
}

# kind: nginx or haproxy; dir: with its certificates below certs; upstream: a port, for nginx also the path of a socket; before: words before
# the command; unbuffered: nginx holds back no answers; user: whom nginx becomes when it is root, to reach that socket
sub start {
    my ($class, %options) = @_;
    my $self = bless { before => [], %options, port => free_port() }, $class;
    $self->{url} = "https://localhost:$self->{port}";
    $self->{log} = "$self->{dir}/$self->{kind}.out";
    my @command = $self->{kind} eq 'nginx' ? $self->nginx : $self->haproxy;
    $self->{pid} = spawn({ log => $self->{log} }, @{ $self->{before} }, @command);
    wait_until(10, sub { !is_alive($self->{pid}) || IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $self->{port}) });
    Teagate::Bench::Rig::to_end($self);
    is_alive($self->{pid}) or fail "$self->{kind} did not start:\n", slurp($self->{log});
    return $self;
}

sub nginx {
    my ($self) = @_;
    my ($dir, $forever) = ("$self->{dir}/nginx", FOREVER);
    my $upstream = $self->{upstream} =~ m{/} ? "unix:$self->{upstream}" : "127.0.0.1:$self->{upstream}";
    my $user = $self->{user} && $> == 0 ? "user $self->{user} " . getgrgid((getpwnam $self->{user})[3]) . ';' : '';
    mkdir $dir, 0755;
    spew("$dir/nginx.conf", <<"CONF");
daemon off;
$user
worker_processes 1;
worker_rlimit_nofile 8192;
pid $dir/pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    client_max_body_size 0;
    keepalive_requests $forever;
    upstream behind {
        server $upstream;
        keepalive 512;
        keepalive_requests $forever;
    }
    server {
        listen 127.0.0.1:$self->{port} ssl http2;
        ssl_certificate $self->{dir}/certs/localhost.crt;
        ssl_certificate_key $self->{dir}/certs/localhost.key;
        ssl_protocols TLSv1.3;
        location / {
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
            proxy_request_buffering off;
            @{[ $self->{unbuffered} ? 'proxy_buffering off;' : '' ]}
        }
    }
}
CONF
    return ('nginx', '-p', $dir, '-c', "$dir/nginx.conf");
}

sub haproxy {
    my ($self) = @_;
    spew("$self->{dir}/haproxy.cfg", <<"CONF");
global
    nbthread 1
    maxconn 4096
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    http-reuse always
frontend front
    bind 127.0.0.1:$self->{port} ssl crt $self->{dir}/certs/both.pem alpn h2,http/1.1
    default_backend behind
backend behind
    server one 127.0.0.1:$self->{upstream} pool-max-conn 512
CONF
    return ('haproxy', '-db', '-f', "$self->{dir}/haproxy.cfg");
}

sub version {
    my ($kind) = @_;
    my ($number) = capture($kind, '-v') =~ m{(\d+\.\d+\.\d+)};
    return $number;
}

sub stop_all { my ($self) = @_; stop(delete $self->{pid}, 10) if $self->{pid}; return }

1;
