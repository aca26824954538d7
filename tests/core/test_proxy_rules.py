"""How each client reads the proxy variables: held against requests, httpx and curl, and against what undici was seen to
do; and what is wrong with a value that programs cannot use."""

from __future__ import annotations

import os
import subprocess
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.utils import get_environ_proxies

from btdiag.core.client_kinds import ClientKind
from btdiag.core.proxy_rules import ValueFault, cleaned, exempting, honoured, reading
from tests.support.tools import need

API = "api.corp.test"
# Entry, host, port; then whether curl 7.88, requests 2.34, httpx 0.28, undici 7 and Go go directly.
CASES = [
    ("*", API, 443, "curl requests httpx node go"),
    ("*.corp.test", API, 443, "node go"),
    (".corp.test", API, 443, "curl requests httpx node go"),
    ("corp.test", API, 443, "curl requests httpx node go"),
    ("API.corp.test", API, 443, "curl requests httpx node go"),
    ("api.corp.test:443", API, 443, "node go"),
    ("api.corp.test:8443", API, 443, ""),
    ("api.corp.test:8443", API, 8443, "requests httpx node go"),
    ("corp.test:8443", API, 8443, "requests httpx node go"),
    ("*.corp.test:8443", API, 8443, "node go"),
    ("p.test", API, 443, ""),
    ("api.*", API, 443, ""),
    ("*corp.test", API, 443, ""),
    (".corp.test", "corp.test", 443, "curl requests node"),
    ("*.corp.test", "corp.test", 443, "node"),
    ("api.corp.test.", API, 443, "curl"),
    ("https://api.corp.test", API, 443, "httpx"),
    ("x.test api.corp.test", API, 443, "curl node"),
    ("x.test, api.corp.test", API, 443, "curl requests httpx node go"),
    ("10.0.0.0/8", "10.1.2.3", 443, "curl requests go"),
    ("10.1.2.3/32", "10.1.2.3", 443, "curl requests httpx go"),
    ("10.1.2.3", "10.1.2.3", 443, "curl requests httpx node go"),
    ("10.1.2.3:8443", "10.1.2.3", 8443, "httpx node go"),
    ("10.1.2.", "10.1.2.3", 443, ""),
    ("", "localhost", 443, "go"),
    ("", "127.0.0.1", 443, "go"),
]
KINDS = {
    "curl": ClientKind.CURL,
    "requests": ClientKind.PYTHON,
    "httpx": ClientKind.HTTPX,
    "node": ClientKind.NODE,
    "go": ClientKind.GO,
}
PROXY = {"HTTPS_PROXY": "http://127.0.0.1:9"}


@pytest.mark.parametrize(("entry", "host", "port", "direct"), CASES)
def test_whom_an_entry_lets_out(entry: str, host: str, port: int, direct: str) -> None:
    assert {name for name, kind in KINDS.items() if exempting(kind, entry, host, port)} == set(direct.split())


def url_of(host: str, port: int) -> str:
    return f"https://{host}/" if port == 443 else f"https://{host}:{port}/"


@pytest.mark.parametrize(("entry", "host", "port", "direct"), CASES)
def test_requests_and_httpx_do_so(entry: str, host: str, port: int, direct: str) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with patch.dict(os.environ, {**bare, **PROXY, "NO_PROXY": entry}, clear=True):
        assert (not get_environ_proxies(url_of(host, port))) is ("requests" in direct)
        with httpx.Client(verify=False) as client:
            chosen = client._transport_for_url(httpx.URL(url_of(host, port)))
            assert (chosen is client._transport) is ("httpx" in direct)


@pytest.mark.real
@pytest.mark.parametrize(("entry", "host", "port", "direct"), [case for case in CASES if case[0]][:16])
def test_curl_does_so(entry: str, host: str, port: int, direct: str) -> None:
    command = [need("curl"), "-sv", "-m", "5", "--resolve", f"{host}:{port}:127.0.0.1", url_of(host, port)]
    environment = {"PATH": os.environ["PATH"], **PROXY, "NO_PROXY": entry}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr
    assert ("Trying 127.0.0.1:9..." not in said) is ("curl" in direct), said


@pytest.mark.parametrize(
    ("kind", "variables", "variable"),
    [
        (ClientKind.CURL, {"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, "https_proxy"),
        (ClientKind.GO, {"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, "HTTPS_PROXY"),
        (ClientKind.PYTHON, {"ALL_PROXY": "http://a"}, "ALL_PROXY"),
        (ClientKind.GO, {"ALL_PROXY": "http://a"}, ""),
        (ClientKind.NODE, {"HTTPS_PROXY": "http://a"}, ""),
        (ClientKind.NODE, {"HTTPS_PROXY": "http://a", "NODE_USE_ENV_PROXY": "1"}, "HTTPS_PROXY"),
        (ClientKind.NODE, {"ALL_PROXY": "http://a", "NODE_USE_ENV_PROXY": "1"}, ""),
    ],
)
def test_which_variable_is_taken(kind: ClientKind, variables: dict[str, str], variable: str) -> None:
    assert reading(kind, variables, "https", API, 443).variable == variable


def test_curl_takes_no_upper_case_variable_for_http() -> None:
    assert not reading(ClientKind.CURL, {"HTTP_PROXY": "http://a"}, "http", API, 80).proxied
    assert reading(ClientKind.PYTHON, {"HTTP_PROXY": "http://a"}, "http", API, 80).proxied


def test_each_client_has_its_own_spelling_of_no_proxy_first() -> None:
    variables = {**PROXY, "no_proxy": "other.test", "NO_PROXY": API}
    assert reading(ClientKind.GO, variables, "https", API, 443).exempted_by == API
    assert reading(ClientKind.CURL, variables, "https", API, 443).proxied


def test_who_honours_an_entry() -> None:
    assert honoured("*.corp.test, other.test", API, 443) == {"*.corp.test": (ClientKind.NODE, ClientKind.GO)}


@pytest.mark.parametrize(
    ("value", "meant", "fault"),
    [
        ("http://p:1", "http://p:1", None),
        ('"http://p:1"', "http://p:1", ValueFault.QUOTED),
        ("'http://p:1'\r", "http://p:1", ValueFault.QUOTED),
        ("http://p:1\r", "http://p:1", ValueFault.RETURN),
        ("http://p:1\n", "http://p:1", ValueFault.RETURN),
        (" http://p:1", "http://p:1", ValueFault.BLANK),
        ("p:1", "p:1", ValueFault.SCHEMELESS),
        ("socks5h://p:1", "socks5h://p:1", ValueFault.SOCKS),
        ('"socks5://p:1"', "socks5://p:1", ValueFault.SOCKS),
    ],
)
def test_what_is_wrong_with_a_value(value: str, meant: str, fault: ValueFault | None) -> None:
    assert cleaned(value) == (meant, fault)


@given(st.text(), st.sampled_from([*KINDS.values()]))
def test_no_value_breaks_the_reading(text: str, kind: ClientKind) -> None:
    cleaned(text)
    exempting(kind, text, API, 443)
    exempting(kind, text, "10.1.2.3", 8443)
