"""The login as it is asked for again, and the one request to another place that login names."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from btdiag.core.measurement import spec_of
from btdiag.core.target import Mode, Secret, Target, Way
from btdiag.families.sdk.facts import ControlPlane, Namesake, SdkEnvironment
from btdiag.families.sdk.needs import DATA_ROUTES
from btdiag.families.sdk.probe.calls import control_plane
from btdiag.families.sdk.probe.variables import sdk_environment
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to, serving

KEY = "sk-canary"
LOGIN = "/api/apikey/login"
RESET = b""


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    keyed: bool


def answer(status: int, body: object = None, *headers: str) -> bytes:
    """A whole response."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def organisation(api_url: str, name: str = "acme") -> dict[str, str]:
    """One entry of org_info."""
    return {"id": "1", "name": name, "api_url": api_url}


def seen_with(
    logins: Sequence[bytes], environment: SdkEnvironment | None = None, *, unkeyed: int = 404
) -> tuple[ControlPlane, list[Asked]]:
    """What the probe finds where the login is answered so, one answer after the other and the last again and again;
    all else is answered 404, and `unkeyed` without the key."""
    asked: list[Asked] = []
    left = list(logins)

    ports: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        asked.append(Asked(method, path, KEY in head))
        said = answer(404 if KEY in head else unkeyed, {})
        if path == LOGIN:
            said = (left.pop(0) if len(left) > 1 else left[0]).replace(b"PORT", str(ports[0]).encode())
        writer.write(said)
        await writer.drain()

    async def run() -> ControlPlane:
        async with serving(handler) as own:
            ports.append(own)
            target = replace(http_target(own), api_key=Secret(KEY), lab_scenario="test")
            wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(own))
            return await control_plane(way, wire, target, environment or SdkEnvironment())

    return asyncio.run(run()), asked


HERE = answer(200, {"org_info": [organisation("http://127.0.0.1:1")]})


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (answer(429, {}, "Retry-After: 0"), 429),
        (answer(502, {}), 502),
        (RESET, None),
    ],
    ids=["429", "502", "closed"],
)
def test_a_login_that_stumbles_is_asked_for_again(first: bytes, status: int | None) -> None:
    found, asked = seen_with([first, HERE])
    assert found.login.first is not None
    assert (found.login.first.status, found.login.exchange.status) == (status, 200)
    assert found.login.organisations is not None
    assert len([one for one in asked if one.path == LOGIN]) == 2
    assert found.login.first in found.exchanges


@pytest.mark.parametrize("told", ["Retry-After: 17", "Retry-After: Wed, 21 Oct 2065 07:28:00 GMT"])
def test_a_login_that_may_come_back_late_is_left_alone(told: str) -> None:
    found, asked = seen_with([answer(429, {}, told), HERE])
    assert (found.login.first, found.login.exchange.status) == (None, 429)
    assert len([one for one in asked if one.path == LOGIN]) == 1


def test_another_place_on_the_own_host_gets_one_request_without_the_key() -> None:
    prefix = organisation("http://127.0.0.1:PORT/prefix")
    found, asked = seen_with([answer(200, {"org_info": [prefix]}).replace(b"Content-Length", b"X-Length")])
    assert found.elsewhere is not None
    assert found.elsewhere.status == 404
    assert [one for one in asked if one.path == "/prefix/version"] == [Asked("GET", "/prefix/version", keyed=False)]


@pytest.mark.parametrize("api_url", ["http://127.0.0.2:9", "nonsense", "http://127.0.0.1:9?x"])
def test_another_host_is_never_contacted(api_url: str) -> None:
    found, _ = seen_with([answer(200, {"org_info": [organisation(api_url)]})])
    assert found.elsewhere is None


def test_the_organisation_that_sdks_choose_decides() -> None:
    listed = [organisation("http://127.0.0.1:1/", "a"), organisation("http://127.0.0.2:1", "b")]
    found, _ = seen_with([answer(200, {"org_info": listed})], SdkEnvironment(org_name="b"))
    assert found.elsewhere is None
    found, _ = seen_with([answer(200, {"org_info": listed})])
    assert found.elsewhere is not None
    assert found.elsewhere.failure is not None


def test_what_a_refusal_without_the_key_hides_is_read_with_it() -> None:
    found, asked = seen_with([HERE], unkeyed=401)
    posts = {route.path for route in DATA_ROUTES if route.method == "POST"}
    assert posts <= {route.path for route, _ in found.keyed}
    assert found.keyed_unknown is not None
    assert found.keyed_login is not None
    assert {seen.status for _, seen in found.keyed} == {found.keyed_unknown.status} == {404}
    assert all(one.method == "GET" or one.path == LOGIN for one in asked if one.keyed)


def test_nothing_is_read_with_the_key_where_the_path_is_told_to_be_missing() -> None:
    found, asked = seen_with([HERE])
    assert (found.keyed, found.keyed_unknown) == ((), None)
    assert not any(one.keyed for one in asked if one.path in {"/logs3", "/v1/dataset"})


def test_the_dry_run_names_every_request() -> None:
    _, asked = seen_with([HERE])
    spec = spec_of(control_plane)
    assert spec is not None
    assert spec.sends is not None
    target = replace(http_target(80), api_key=Secret(KEY))
    lines = spec.sends(target, Mode())
    for one in asked:
        (line,) = [line for line in lines if line.startswith(f"{one.method} {target.url_for(one.path)} ")]
        assert ("with the API key" in line) is one.keyed
    bare = spec.sends(replace(target, api_key=None), Mode())
    assert not [line for line in bare if "with the API key" in line]


HOST = "api.example.test"


def namesake(api_url: str, names: Sequence[str], folder: Path) -> Namesake | None:
    """What is found of the host of an api_url (PORT is the target's own), where the certificate has these names."""
    authority, made = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, *names).configure_cert(made)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    ports: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        listed = [organisation(api_url.replace("PORT", str(ports[0])))]
        writer.write(answer(200, {"org_info": listed}) if LOGIN in head else answer(404, {}))
        await writer.drain()

    async def run() -> Namesake | None:
        async with serving(handler, context=made) as own:
            ports.append(own)
            url = f"https://{HOST}:{own}"
            target = Target(url=url, scheme="https", host=HOST, port=own, ca_file=folder / "ca.pem")
            wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(own))
            return (await control_plane(way, wire, target, SdkEnvironment())).namesake

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("names", "same"),
    [(("127.0.0.1",), True), ((), None)],
    ids=["one certificate", "not trusted under that name"],
)
def test_another_name_of_the_own_address_is_looked_at(
    names: tuple[str, ...], same: bool | None, tmp_path: Path
) -> None:
    found = namesake("https://127.0.0.1:PORT", names, tmp_path)
    assert found == Namesake(host="127.0.0.1", shared=("127.0.0.1",), same_certificate=same)
    assert found.is_same_server is bool(same)


def test_an_address_that_is_not_the_targets_is_not_connected_to(tmp_path: Path) -> None:
    assert namesake("https://127.0.0.2:PORT", (), tmp_path) == Namesake(host="127.0.0.2", shared=())


@pytest.mark.parametrize(
    "api_url", ["http://127.0.0.1:PORT", "https://127.0.0.1:1", f"https://{HOST}:PORT", "https://"]
)
def test_what_can_be_no_other_name_of_the_target_is_left_alone(api_url: str, tmp_path: Path) -> None:
    assert namesake(api_url, (), tmp_path) is None


def test_the_variables_are_those_of_this_process_but_for_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINTRUST_API_URL", " https://user:secret@api.example.test ")
    monkeypatch.setenv("BRAINTRUST_ORG_NAME", "")
    monkeypatch.delenv("BRAINTRUST_APP_URL", raising=False)
    found = asyncio.run(sdk_environment(http_target(80)))
    assert (found.api_url, found.org_name, found.app_url) == ("https://api.example.test", "", None)
    assert asyncio.run(sdk_environment(replace(http_target(80), lab_scenario="healthy"))) == SdkEnvironment()
