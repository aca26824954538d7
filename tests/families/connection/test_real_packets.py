"""Paths that lose large packets in either direction, or the first ones of connections: nftables on a router between.

One run of btdiag looks at a server each; the healthy one beside them is the twin of all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.cli import btdiag
from tests.support.namespaces import missing, network, server
from tests.support.tools import lacking

pytestmark = pytest.mark.real

HEALTHY, UP, DOWN, HANDSHAKE, LOSSY = 10, 11, 12, 13, 14
TCP, TLS, REQUESTS = (
    "connection.tcp-connects",
    "connection.tls-handshake-completes",
    "gateway.accepts-product-requests",
)
SYN = f"ip daddr {server(LOSSY)} tcp flags & (syn|ack) == syn"
RULES = f"""
table inet filter {{
  set asked {{ type inet_service; flags dynamic, timeout; timeout 60s; }}
  chain forward {{
    type filter hook forward priority 0;
    ip daddr {server(UP)} ip length > 1400 drop
    ip saddr {{ {server(DOWN)}, {server(HANDSHAKE)} }} ip length > 1400 drop
    {SYN} tcp sport @asked accept  # what is asked again is answered
    {SYN} add @asked {{ tcp sport }}
    {SYN} numgen inc mod 3 == 0 drop
  }}
}}
"""
CASES = {
    HEALTHY: {},
    UP: {REQUESTS: ("fail", "large packets are lost on the way to")},
    DOWN: {REQUESTS: ("fail", "large packets are lost on the way from")},
    HANDSHAKE: {TLS: ("fail", "large packets are lost on the way: nothing comes")},
    LOSSY: {TCP: ("warn", "were answered only when asked again")},
}


def nginx(folder: Path) -> Path:
    """One server for each case; the handshake's has a certificate that needs more than one packet."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for number in CASES:
        more = [f"another-name-{other}.example" for other in range(60)] if number == HANDSHAKE else []
        own = authority.issue_cert(server(number), *more)
        own.private_key_and_cert_chain_pem.write_to_path(folder / f"{number}.pem")
    servers = "".join(
        f"server {{ listen {server(number)}:443 ssl; default_type application/json;"
        f" ssl_certificate {folder}/{number}.pem; ssl_certificate_key {folder}/{number}.pem;"
        " large_client_header_buffers 8 16k; client_max_body_size 20m;"
        " location = / { return 200 'Hello'; } location = /version { return 200 '{}'; }"
        """ location / { return 404 '{"error":"Not Found"}'; } }\n"""
        for number in CASES
    )
    temporary = "".join(f"{kind}_temp_path {folder}/tmp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi"))
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} scgi_temp_path {folder}/tmp;\n{servers}}}\n"
    )
    return file


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if why_not := missing("nginx"):
        lacking(why_not) if "not installed" in why_not else pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("packets")
    folder.chmod(0o755)
    with network(folder, tuple(CASES)) as made:
        made.call(made.router, "nft", "-f", "-", text=RULES)
        made.start(made.servers, "nginx", "-c", str(nginx(folder)))
        made.await_ports(made.servers, *(f"{server(number)}:443" for number in CASES))
        targets = [part for number in CASES for part in ("--target", f"https://{server(number)}")]
        quick = ("--quick", "--browser", "none", "--no-progress", "--no-files", "--format", "json")
        only = ("--only", TCP, "--only", TLS, "--only", REQUESTS, "--ca", str(folder / "ca.pem"))
        done = btdiag("run", *targets, *quick, *only, timeout=150, prefix=made.within(made.client))
        assert done.out, done.err
        yield {one["target"]["url"].removeprefix("https://"): one for one in json.loads(done.out)["reports"]}


@pytest.mark.parametrize("number", CASES)
def test_what_a_path_loses_is_named(number: int, reports: dict[str, Any]) -> None:
    found = {
        check["id"]: (check["verdict"], check["hop"], check["summary"])
        for check in reports[server(number)]["checks"]
        if check["verdict"] not in {"pass", "skip"}
    }
    assert found.keys() == CASES[number].keys(), found
    for check, (verdict, words) in CASES[number].items():
        assert found[check][:2] == (verdict, "network")
        assert words in found[check][2]
