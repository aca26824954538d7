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
HTTP = replace(TARGET, scheme="http", port=80)
FORWARDED = replace(TARGET, backend="http://127.0.0.1:8000")


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
        (TARGET, "https://127.0.0.1/ping", True, False),
        (FORWARDED, "http://127.0.0.1:8000/ping", None, True),
        (FORWARDED, "http://127.0.0.1:8001/ping", None, False),
        (FORWARDED, "http://127.0.0.2:8000/ping", None, False),
        (replace(TARGET, backend="http://localhost:8000"), "http://localhost:8000/ping", None, False),
        (replace(TARGET, backend="http://10.0.0.5:8000"), "http://10.0.0.5:8000/ping", None, False),
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
