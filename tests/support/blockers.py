"""What blocks, in the network of `tests.support.namespaces`: configurations of real software, and their start.

On the router: nftables, dnsmasq (the client's resolver), Unbound (a second one), squid, tinyproxy. Behind it: nginx and
HAProxy, which play the hosts and the filters that speak TLS or HTTP.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.support.namespaces import ROUTER, SECOND, Network, server, server6

GOOD, REJECTED, FORBIDDEN, UNREACHED, DROPPED, CLOSED = 10, 11, 12, 13, 14, 15
ACCEPTED, NAMED, NAMED_SILENT, HELLO, SLOW, COLD = 20, 21, 22, 23, 24, 25
BLOCK_PAGE, INSPECTED, VENDOR, PORTAL, PAGE, DENIED, PARTS, HALF, LOOKS = 30, 31, 32, 33, 34, 35, 36, 37, 38
PATHS, METHODS, BODIES, WHOLE, REALTIME = 40, 41, 42, 43, 44
UNNAMED, FORBIDDEN_HERE = 45, 46
NO_HOST = 99
HOSTS = {
    "api.good.example": GOOD,
    "also.good.example": GOOD,
    "rejected.example": REJECTED,
    "an.exempt.example": REJECTED,
    "forbidden.example": FORBIDDEN,
    "forbidden6.example": FORBIDDEN,
    "unreached.example": UNREACHED,
    "closed.example": CLOSED,
    "unnamed.example": UNNAMED,
    "forbidden-here.example": FORBIDDEN_HERE,
    "nohost.example": NO_HOST,
    "accepted.example": ACCEPTED,
    "named.example": NAMED,
    "silent-name.example": NAMED_SILENT,
    "hello.example": HELLO,
    "slow.example": SLOW,
    "cold.example": COLD,
    "filtered.example": BLOCK_PAGE,
    "inspected.example": INSPECTED,
    "vendor.example": VENDOR,
    "portal.example": PORTAL,
    "page.example": PAGE,
    "denied.example": DENIED,
    "parts.example": PARTS,
    "half.example": HALF,
    "looks.example": LOOKS,
    "kept.example": GOOD,
    "led.example": GOOD,
    "withheld.example": GOOD,
    "known-to-the-proxy.example": GOOD,
    "paths.example": PATHS,
    "methods.example": METHODS,
    "bodies.example": BODIES,
    "whole.example": WHOLE,
    "www.braintrust.dev": WHOLE,
    "braintrust.dev": WHOLE,
    "realtime.braintrustapi.com": REALTIME,
}
SERVERS = sorted({*HOSTS.values(), DROPPED} - {NO_HOST})
_UNKNOWN_TO_DNSMASQ = {"withheld.example", "known-to-the-proxy.example"}
_FILTERED = {"kept.example", "led.example"}
_ONLY_IPV6, _BOTH = {"forbidden6.example"}, {"half.example"}
PROXY, PROXY_WITH_LOGIN = f"http://{ROUTER}:3128", f"http://{ROUTER}:8888"

NFTABLES = f"""
table inet filter {{
  chain forward {{
    type filter hook forward priority 0;
    ip daddr {server(REJECTED)} tcp dport 443 reject with tcp reset
    ip daddr {server(FORBIDDEN)} tcp dport 443 reject with icmp admin-prohibited
    ip6 daddr {server6(FORBIDDEN)} tcp dport 443 reject with icmpv6 admin-prohibited
    ip daddr {server(UNREACHED)} tcp dport 443 reject
    ip daddr {server(DROPPED)} drop
    ip6 daddr {server6(HALF)} tcp dport 443 drop
  }}
}}
"""
OWN_RULES = f"""
table inet own {{
  chain output {{
    type filter hook output priority 0;
    ip daddr {server(FORBIDDEN_HERE)} tcp dport 443 reject
  }}
}}
"""
PORTAL_RULES = f"""
table ip portal {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr 10.77.2.0/24 tcp dport {{ 80, 443 }} dnat to {server(BLOCK_PAGE)}
  }}
}}
"""
DNSMASQ = f"""
no-resolv
no-hosts
user=root
log-queries
log-facility=-
bind-interfaces
listen-address={ROUTER}
local=/nonexistent.example/asked0.example/asked1.example/asked2.example/withheld.example/known-to-the-proxy.example/
server=/refused.example/{SECOND}
address=/sunk.example/0.0.0.0
address=/sunk.example/::
address=/dropped.example/{server(DROPPED)}
"""
UNBOUND = f"""
server:
  interface: {SECOND}
  access-control: 0.0.0.0/0 allow
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  pidfile: ""
  module-config: "iterator"
  local-zone: "refused.example." always_refuse
  local-zone: "kept.example." always_nxdomain
  local-zone: "nonexistent.example." always_nxdomain
  local-data: "led.example. A {server(BLOCK_PAGE)}"
  DATA
remote-control:
  control-enable: no
"""
SQUID = """
http_port {router}:3128
visible_hostname proxy.example
acl listed dstdomain .good.example closed.example nonexistent.example known-to-the-proxy.example .exempt.example
http_access allow listed
http_access deny all
hosts_file none
dns_nameservers {second}
connect_timeout 3 seconds
shutdown_lifetime 0 seconds
cache deny all
pid_filename none
cache_log /dev/stderr
access_log stdio:/dev/stdout
logfile_rotate 0
"""
TINYPROXY = """
Port 8888
Listen {router}
Timeout 20
MaxClients 50
BasicAuth someone secret
Filter "{folder}/tinyproxy.filter"
FilterDefaultDeny Yes
ConnectPort 443
LogFile "{folder}/tinyproxy.log"
"""
HAPROXY = f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  default_backend nginx
frontend accepted
  bind {server(ACCEPTED)}:443
  tcp-request connection reject
frontend named
  bind {server(NAMED)}:443
  tcp-request inspect-delay 2s
  tcp-request content reject if {{ req.ssl_sni -i named.example }}
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
frontend named_silent
  bind {server(NAMED_SILENT)}:443
  tcp-request inspect-delay 2s
  tcp-request content silent-drop if {{ req.ssl_sni -i silent-name.example }}
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
frontend hello
  bind {server(HELLO)}:443
  tcp-request inspect-delay 2s
  tcp-request content reject if {{ req.ssl_hello_type 1 }}
frontend slow
  bind {server(SLOW)}:443
  tcp-request inspect-delay 1200ms
  tcp-request content accept if WAIT_END
frontend cold
  bind {server(COLD)}:443
  stick-table type ip size 10 expire 3s store conn_cnt
  tcp-request connection track-sc0 src
  tcp-request inspect-delay 1200ms
  tcp-request content accept if {{ sc0_conn_cnt gt 1 }}
  tcp-request content accept if WAIT_END
backend nginx
  server nginx {server(GOOD)}:443
"""
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; default_type text/html;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/good.pem; ssl_certificate_key {folder}/good.pem;
  {sites}
}}
"""
BLOCKED_PAGE = "<!DOCTYPE html><html><body>Access to this site is blocked by policy</body></html>"
SPA = '<!DOCTYPE html><html><body><p>Requests that are denied</p><div id="root"></div></body></html>'
JSON = 'default_type application/json; return 200 \'{"hello": "world"}\';'
LOGIN = 'default_type application/json; error_page 405 =401 /no-key; return 401 \'{"error": "Invalid API key"}\';'
S3 = '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def _shown(name: str) -> str:
    return f"ssl_certificate {{folder}}/{name}.pem; ssl_certificate_key {{folder}}/{name}.pem;"


SITES = {
    GOOD: f"location / {{ {JSON} }}",
    REJECTED: f"location / {{ {JSON} }}",
    BLOCK_PAGE: f"{_shown('block')} return 200 '{BLOCKED_PAGE}';",
    INSPECTED: f"{_shown('inspecting')} location / {{ {JSON} }}",
    VENDOR: f"{_shown('vendor')} location / {{ {JSON} }}",
    UNNAMED: "ssl_reject_handshake on;",
    PORTAL: "return 302 http://portal.hotel.example/login;",
    PAGE: f"return 200 '{BLOCKED_PAGE}';",
    DENIED: f"return 403 '{BLOCKED_PAGE}';",
    PARTS: f"location /allowed {{ {JSON} }} location / {{ return 403; }}",
    HALF: f"location / {{ {JSON} }}",
    LOOKS: f"""
      location = / {{ return 200 '{SPA}'; }}
      location /s3 {{ default_type application/xml; return 403 '{S3}'; }}
      location /json {{ {LOGIN} }}
      location /canonical {{ return 301 https://api.good.example/; }}""",
    PATHS: f"location = / {{ return 200 '{SPA}'; }} location / {{ return 403 '{BLOCKED_PAGE}'; }}",
    METHODS: f"""
      if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}
      location = / {{ return 200 '{SPA}'; }} location / {{ {LOGIN} }}""",
    BODIES: f"client_max_body_size 32k; location = / {{ return 200 '{SPA}'; }} location / {{ {LOGIN} }}",
    WHOLE: f"location = / {{ return 200 '{SPA}'; }} location / {{ {LOGIN} }}",
    REALTIME: f"if ($http_upgrade) {{ return 403 '{BLOCKED_PAGE}'; }} location / {{ {JSON} }}",
}


def start(made: Network, folder: Path) -> None:
    """Write the configurations and start everything; returns when all of it listens."""
    sites = "\n".join(_site(number, settings.replace("{folder}", str(folder))) for number, settings in SITES.items())
    files = {
        "dnsmasq.conf": DNSMASQ + _records(),
        "unbound.conf": UNBOUND.replace("DATA", _local_data()),
        "squid.conf": SQUID.format(router=ROUTER, second=SECOND),
        "tinyproxy.conf": TINYPROXY.format(router=ROUTER, folder=folder),
        "tinyproxy.filter": r"good\.example" + "\n",
        "haproxy.cfg": HAPROXY,
        "nginx.conf": NGINX.format(folder=folder, sites=sites),
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    made.call(made.router, "nft", "-f", "-", text=NFTABLES)
    made.call(made.client, "nft", "-f", "-", text=OWN_RULES)
    made.start(made.router, "dnsmasq", "-d", "-C", f"{folder}/dnsmasq.conf")
    made.start(made.router, "unbound", "-d", "-c", f"{folder}/unbound.conf")
    made.start(made.router, "squid", "-N", "-n", f"btdiag{os.getpid()}", "-f", f"{folder}/squid.conf")
    made.start(made.router, "tinyproxy", "-d", "-c", f"{folder}/tinyproxy.conf")
    made.start(made.servers, "nginx", "-c", f"{folder}/nginx.conf")
    made.start(made.servers, "haproxy", "-f", f"{folder}/haproxy.cfg")
    made.await_ports(made.servers, *(f"{server(number)}:443" for number in (GOOD, ACCEPTED, REALTIME)))
    made.await_ports(made.router, f"{ROUTER}:53", f"{SECOND}:53", f"{ROUTER}:3128", f"{ROUTER}:8888")


@contextlib.contextmanager
def portal(made: Network) -> Iterator[None]:
    """A portal that takes every connection to itself, for as long as the block lasts."""
    made.call(made.router, "nft", "-f", "-", text=PORTAL_RULES)
    try:
        yield
    finally:
        made.call(made.router, "nft", "delete", "table", "ip", "portal")


def _site(number: int, settings: str) -> str:
    listens = f"{server(number)}:443 ssl", f"[{server6(number)}]:443 ssl", f"{server(number)}:80"
    return f"server {{ {' '.join(f'listen {one};' for one in listens)} {settings} }}"


def _records() -> str:
    lines = []
    for name, number in HOSTS.items():
        addresses = [*([server(number)] if name not in _ONLY_IPV6 else [])]
        addresses += [server6(number)] if name in _ONLY_IPV6 | _BOTH else []
        if name not in _UNKNOWN_TO_DNSMASQ:
            lines.append(f"host-record={','.join([name, *addresses])}")
    return "\n".join(lines)


def _local_data() -> str:
    """What Unbound knows beside the names that it filters."""
    lines = [f'local-data: "{name}. A {server(number)}"' for name, number in HOSTS.items() if name not in _FILTERED]
    return "\n  ".join(lines)
