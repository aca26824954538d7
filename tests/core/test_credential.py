"""Where the key may go: to the target itself over verified TLS, to a lab, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.credential import headers_withheld, is_secret_header, key_withheld
from btdiag.core.target import Secret, Target

TARGET = Target(
    url="https://api.example.com",
    scheme="https",
    host="api.example.com",
    port=443,
    api_key=Secret("x"),
    headers=(("X-Door", Secret("y")),),
)
LAB = replace(TARGET, host="api.lab.example", lab_scenario="healthy")
HTTP = replace(TARGET, url="http://api.example.com", scheme="http", port=80)
BEHIND = replace(TARGET, backend="http://api.internal:8000")
OVER_HTTP = replace(HTTP, key_over_http=True)


@pytest.mark.parametrize(
    ("target", "url", "verified", "allowed"),
    [
        (TARGET, "https://api.example.com/ping", True, True),
        (TARGET, "https://api.example.com:443/ping", True, True),
        (TARGET, "https://api.example.com/ping", False, False),
        (TARGET, "https://api.example.com:8443/ping", True, False),
        (TARGET, "http://api.example.com/ping", None, False),
        (TARGET, "https://api.example.com.evil.example/ping", True, False),
        (TARGET, "https://backend.example.com/ping", True, False),
        (replace(TARGET, backend="https://backend.example.com"), "https://backend.example.com/ping", True, True),
        (replace(TARGET, backend="https://backend.example.com"), "https://backend.example.com/ping", False, False),
        (TARGET, "https://127.0.0.1/ping", True, False),
        (HTTP, "http://api.example.com/ping", None, False),
        (replace(TARGET, api_key=None), "https://api.example.com/ping", True, False),
        (LAB, "https://api.lab.example:1234/ping", False, True),
        (LAB, "http://127.0.0.1:9/ping", None, True),
        (LAB, "http://[::1]:9/ping", None, True),
        (LAB, "https://www.braintrust.dev/ping", True, False),
        (LAB, "https://api.lab.example.evil.example/", True, False),
    ],
)
def test_key(target: Target, url: str, verified: bool | None, allowed: bool) -> None:
    assert (key_withheld(target, url, verified) is None) is allowed


@pytest.mark.parametrize(
    ("target", "url", "peer", "allowed"),
    [
        (HTTP, "http://api.example.com/ping", "127.0.0.1", True),  # a port-forward
        (HTTP, "http://api.example.com/ping", "::1", True),
        (HTTP, "http://api.example.com/ping", "10.0.0.7", False),
        (HTTP, "http://api.example.com/ping", None, False),  # through a proxy, wherever that is
        (HTTP, "http://other.example.com/ping", "127.0.0.1", False),
        (HTTP, "http://api.example.com:8080/ping", "127.0.0.1", False),
        (OVER_HTTP, "http://api.example.com/ping", "10.0.0.7", True),
        (OVER_HTTP, "http://api.example.com/ping", "fd00::7", True),
        (OVER_HTTP, "http://api.example.com/ping", "100.64.0.7", True),
        (OVER_HTTP, "http://api.example.com/ping", "8.8.8.8", False),
        (OVER_HTTP, "http://api.example.com/ping", "64:ff9b::808:808", False),
        (OVER_HTTP, "http://api.example.com/ping", None, False),
        (OVER_HTTP, "http://other.example.com/ping", "10.0.0.7", False),
        (BEHIND, "http://api.internal:8000/ping", "127.0.0.1", True),
        (BEHIND, "http://api.internal:8000/ping", "10.0.0.7", False),
        (BEHIND, "http://api.internal:8001/ping", "127.0.0.1", False),
        (replace(BEHIND, key_over_http=True), "http://api.internal:8000/ping", "10.0.0.7", True),
    ],
)
def test_key_without_tls(target: Target, url: str, peer: str | None, allowed: bool) -> None:
    assert (key_withheld(target, url, None, peer) is None) is allowed


def test_untrusted_tls_keeps_the_key_from_loopback_too() -> None:
    assert key_withheld(replace(TARGET, key_over_http=True), "https://api.example.com/ping", False, "127.0.0.1")


@pytest.mark.parametrize(
    ("target", "url", "verified", "allowed"),
    [
        (HTTP, "http://api.example.com/", None, True),
        (HTTP, "http://other.example.com/", None, False),
        (TARGET, "https://api.example.com/", True, True),
        (TARGET, "https://api.example.com/", False, False),
        (TARGET, "http://api.example.com/", None, False),
    ],
)
def test_own_headers(target: Target, url: str, verified: bool | None, allowed: bool) -> None:
    assert (headers_withheld(target, url, verified) is None) is allowed


def test_secret_headers() -> None:
    assert all(is_secret_header(TARGET, name) for name in ("AUTHORIZATION", "cookie", "x-door", "Proxy-Authorization"))
    assert not is_secret_header(TARGET, "accept")
