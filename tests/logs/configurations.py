"""How the load balancers of test_real_logs are configured: DIR, FRONT, BACKEND and DEAD are put in."""

NGINX = """
daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log;
events { worker_connections 256; }
http {
  log_format rich '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "-" "$http_user_agent" msec=$msec'
    ' rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time'
    ' ua="$upstream_addr" us="$upstream_status" ubr="$upstream_bytes_received" c=$connection';
  access_log DIR/access.log rich;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f;
  uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  upstream api { server 127.0.0.1:BACKEND; keepalive 64; keepalive_timeout 20s; }
  upstream dead { server 127.0.0.1:DEAD; }
  server {
    listen 127.0.0.1:FRONT;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 500ms;
    location / { proxy_pass http://api; }
    location /refused { proxy_pass http://dead; }
  }
}
"""
HAPROXY = """
global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option abortonclose
  retries 1
  timeout connect 300ms
  timeout client 20s
  timeout server 500ms
frontend front
  bind 127.0.0.1:FRONT
  use_backend dead if { path_beg /refused }
  default_backend api
backend api
  http-reuse always
  server s1 127.0.0.1:BACKEND
backend dead
  server s1 127.0.0.1:DEAD
"""
CADDY = """
{
  admin off
  auto_https off
  storage file_system DIR/caddy
}
http://:FRONT {
  bind 127.0.0.1
  log {
    output file DIR/access.log
    format json
  }
  handle /refused* {
    reverse_proxy 127.0.0.1:DEAD
  }
  handle {
    reverse_proxy 127.0.0.1:BACKEND {
      transport http {
        keepalive 20s
        response_header_timeout 500ms
        max_response_header 4096
      }
    }
  }
}
"""

APACHE = """
ServerRoot DIR
PidFile DIR/apache.pid
ServerName x
Listen 127.0.0.1:FRONT
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule proxy_module MODULES/mod_proxy.so
LoadModule proxy_http_module MODULES/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
MinSpareThreads 1
MaxSpareThreads 32
ErrorLog DIR/error.log
LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %O \\"-\\" \\"%{User-Agent}i\\" X=%X k=%k D=%D L=%L note=%{error-notes}n" rich
CustomLog DIR/access.log rich
ProxyPass /refused http://127.0.0.1:DEAD/ retry=0
ProxyPass / http://127.0.0.1:BACKEND/ ttl=20 timeout=1 retry=0
"""
TRAEFIK = """
[global]
checkNewVersion = false
sendAnonymousUsage = false
[entryPoints.web]
address = "127.0.0.1:FRONT"
[providers.file]
filename = "DIR/routes.toml"
[accessLog]
filePath = "DIR/access.log"
format = "json"
[log]
level = "DEBUG"
filePath = "DIR/traefik.log"
format = "json"
"""
TRAEFIK_ROUTES = """
[http.routers.dead]
rule = "PathPrefix(`/refused`)"
service = "dead"
[http.routers.api]
rule = "PathPrefix(`/`)"
service = "api"
[http.services.dead.loadBalancer]
[[http.services.dead.loadBalancer.servers]]
url = "http://127.0.0.1:DEAD"
[http.services.api.loadBalancer]
serversTransport = "short"
[[http.services.api.loadBalancer.servers]]
url = "http://127.0.0.1:BACKEND"
[http.serversTransports.short.forwardingTimeouts]
responseHeaderTimeout = "500ms"
idleConnTimeout = "20s"
"""
ENVOY = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: FRONT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: DIR/access.log
              log_format: {text_format_source: {inline_string: ISTIO}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /refused}
                route: {cluster: dead}
              - match: {prefix: /}
                route: {cluster: api, timeout: 0.5s}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: api
    connect_timeout: 1s
    load_assignment: &at
      cluster_name: api
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: BACKEND}}}}]}]
  - name: dead
    connect_timeout: 1s
    load_assignment:
      cluster_name: dead
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: DEAD}}}}]}]
"""
ISTIO = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%'
    " %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%"
    ' "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION%'
    ' %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%"'
    ' "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%'
    " %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%"
)
"""Istio's default format (https://istio.io/latest/docs/tasks/observability/logs/access-log/)."""
