"""What the browser is started with, what its events mean, what a profile has stored: without any browser."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from btdiag.core.measurement import NotAsked, NotMeasured, PerAddress, Unknown
from btdiag.core.resolution import AddressSource, Resolution
from btdiag.core.target import Mode, Proxy, Resolver, Route, Secret, Target, Way
from btdiag.families.lna.facts import (
    BUCKET,
    GATEWAY,
    REFUSED,
    TARGET_ITSELF,
    CalledHost,
    LaunchKind,
    ManagedProxy,
    SeenRequest,
    StoredDecision,
)
from btdiag.families.lna.plan import BrowserPlan, switches
from btdiag.families.lna.probe import places, survey
from btdiag.families.lna.probe.chromium.events import ended, read_events
from btdiag.families.lna.probe.chromium.page import is_enough
from btdiag.families.lna.probe.find import find_browser
from btdiag.families.lna.probe.process import BrowserProcess
from btdiag.families.lna.probe.profile import stored_decision
from btdiag.families.lna.probe.trust import MOST, authorities, can_import, import_authorities, own_authorities
from tests.support.tools import need

ORIGIN = "https://www.braintrust.dev"
URL = "https://api.corp.example/version"
TARGET = Target(url="https://api.corp.example", scheme="https", host="api.corp.example", port=443)
PRIVATE = Resolution(name=TARGET.host, source=AddressSource.RESOLVER, addresses=("10.0.0.5",))
PLACE = CalledHost(what=TARGET_ITSELF, url=URL, unknown="https://api.corp.example/v1/none", guarded=True)
BUCKET_PLACE = CalledHost(what=BUCKET, url="https://bucket.corp.example/a?X-Amz-Signature=secret")
PLAN = BrowserPlan(
    executable="/usr/bin/chromium", places=(PLACE,), origins=(ORIGIN,), switches=("--a",), user_agent="btdiag/0"
)


# --- which browser ----------------------------------------------------------------------------------------------------


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_chrome_comes_before_chromium_and_before_playwrights_own(tmp_path: Path) -> None:
    own = program(tmp_path / "home/.cache/ms-playwright/chromium-1200/chrome-linux64/chrome")
    program(tmp_path / "home/.cache/ms-playwright/chromium-999/chrome-linux64/chrome")
    program(tmp_path / "home/.cache/ms-playwright/chromium_headless_shell-1200/chrome-linux64/chrome")
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}
    assert find_browser("auto", environment) == own
    chromium = program(tmp_path / "bin/chromium")
    assert find_browser("auto", environment) == chromium
    chrome = program(tmp_path / "bin/google-chrome")
    assert find_browser("auto", environment) == chrome
    assert find_browser(str(chromium), environment) == chromium


def test_no_browser_is_none(tmp_path: Path) -> None:
    assert find_browser("auto", {"PATH": str(tmp_path), "HOME": str(tmp_path)}) is None
    assert find_browser(str(tmp_path / "chrome")) is None


# --- what it is started with ------------------------------------------------------------------------------------------


def rules(*places: CalledHost, managed: tuple[ManagedProxy, ...] | None = ()) -> str:
    words = switches(TARGET, places, (), managed)
    return next(word for word in words if word.startswith("--host-resolver-rules="))


def test_only_the_places_and_their_proxies_exist_for_it() -> None:
    assert rules(PLACE).endswith("=EXCLUDE api.corp.example , MAP * ~NOTFOUND")
    assert rules(replace(PLACE, address="10.0.0.5")).endswith(
        "=MAP api.corp.example:443 10.0.0.5:443 , MAP * ~NOTFOUND"
    )
    assert "MAP api.corp.example:443 [fd00::5]:443 ," in rules(replace(PLACE, address="fd00::5"))
    assert "EXCLUDE proxy.corp.example" in rules(replace(PLACE, proxy="http://proxy.corp.example:3128"))
    assert "EXCLUDE api.corp.example , EXCLUDE bucket.corp.example ," in rules(PLACE, BUCKET_PLACE)


def test_a_proxy_that_a_policy_names_is_not_hidden() -> None:
    fixed = ManagedProxy(policy="ProxySettings", value="p:3128", where="x.json", hosts=("p.corp.example",))
    assert "EXCLUDE p.corp.example , MAP * ~NOTFOUND" in rules(PLACE, managed=(fixed,))
    for unknown in ((replace(fixed, hosts=()),), None):
        assert "MAP * ~NOTFOUND" not in rules(PLACE, managed=unknown)
        assert "MAP *.google.com ~NOTFOUND" in rules(PLACE, managed=unknown)


@pytest.mark.parametrize(("scheme", "keyword"), [("http", "PROXY"), ("https", "HTTPS"), ("socks5", "SOCKS5")])
def test_only_the_target_goes_through_the_proxy_and_its_login_is_not_on_the_command_line(
    scheme: str, keyword: str
) -> None:
    proxy = Proxy(url=f"{scheme}://proxy.corp.example:3128", source="x", credentials=Secret("user:hunter2"))
    words = switches(replace(TARGET, proxy=proxy), (replace(PLACE, proxy=proxy.url),), ())
    script = base64.b64decode(next(word for word in words if "pac-url" in word).partition("base64,")[2]).decode()
    assert f'host === "api.corp.example" ? "{keyword} proxy.corp.example:3128" : "DIRECT"' in script
    assert "hunter2" not in " ".join(words) + script
    assert "--no-proxy-server" in switches(TARGET, (PLACE,), ())


def test_certificates_are_never_ignored_but_for_the_keys_given() -> None:
    assert not [word for word in switches(TARGET, (PLACE,), ()) if "certificate" in word]
    assert "--ignore-certificate-errors-spki-list=a,b" in switches(TARGET, (PLACE,), ("a", "b"))


def test_a_labs_address_spaces_are_told() -> None:
    lab = replace(TARGET, address_spaces=(("127.0.0.2/32", "local"), ("::1/128", "public")))
    assert "--ip-address-space-overrides=127.0.0.2/32=local,[::1]/128=public" in switches(lab, (PLACE,), ())


def test_a_plan_survives_its_line() -> None:
    for plan in (
        PLAN,
        replace(PLAN, places=(PLACE, BUCKET_PLACE)),
        replace(PLAN, proxy=("http://p:1", "u", "p"), ca_file="/ca.pem", patience=60.0),
    ):
        assert BrowserPlan.read(plan.line()) == plan


# --- what its events mean ---------------------------------------------------------------------------------------------

Event = tuple[str, dict[str, Any]]


def sent(id_: str, *, preflight: bool = False) -> Event:
    initiator = {"type": "preflight" if preflight else "script"}
    kind = "Preflight" if preflight else "Fetch"
    event = {"requestId": id_, "request": {"url": URL}, "type": kind, "initiator": initiator}
    return ("Network.requestWillBeSent", event)


def issue(**more: Any) -> Event:
    state = {"initiatorIPAddressSpace": "Public", "localNetworkAccessRequestPolicy": "PermissionBlock"}
    details = {
        "corsErrorStatus": {"corsError": REFUSED, "failedParameter": ""},
        "request": {"requestId": "1", "url": URL},
        "clientSecurityState": state,
        **more,
    }
    return ("Audits.issueAdded", {"issue": {"code": "CorsIssue", "details": {"corsIssueDetails": details}}})


def failed(id_: str, text: str = "net::ERR_FAILED", code: str = "", **more: Any) -> Event:
    cors = {"corsErrorStatus": {"corsError": code, "failedParameter": "x"}} if code else {}
    return ("Network.loadingFailed", {"requestId": id_, "errorText": text, **cors, **more})


def read(*events: Event, ok: bool = False, status: int = 0, kind: LaunchKind = LaunchKind.SIMPLE) -> Any:
    return read_events(kind, {"ok": ok, "status": status, "error": "" if ok else "TypeError"}, events, URL, 0.1)


def test_a_refusal_is_read_as_one() -> None:
    seen = read(sent("1"), issue(), failed("1", code=REFUSED))
    assert (seen.refused, seen.gated, seen.policy, seen.space) == (True, True, "PermissionBlock", "")


def test_the_issue_alone_is_no_refusal() -> None:
    extra = ("Network.responseReceivedExtraInfo", {"requestId": "1", "resourceIPAddressSpace": "Local"})
    received = ("Network.responseReceived", {"requestId": "1", "response": {"status": 200, "remoteIPAddress": "[::1]"}})
    seen = read(sent("1"), extra, received, issue(), ok=True, status=200)
    assert (seen.ok, seen.refused, seen.gated) == (True, False, True)
    assert (seen.space, seen.address, seen.status) == ("local", "::1", 200)


def test_a_warning_tells_the_space_where_no_answer_came() -> None:
    seen = read(
        sent("1"), issue(isWarning=True, resourceIPAddressSpace="Loopback"), failed("1", "net::ERR_EMPTY_RESPONSE")
    )
    assert (seen.space, seen.net_error, seen.refused) == ("loopback", "net::ERR_EMPTY_RESPONSE", False)


def test_the_preflights_own_events_are_not_the_requests() -> None:
    events = (
        sent("1"),
        sent("2", preflight=True),
        failed("2", "net::ERR_ABORTED"),
        failed("1", code="PreflightInvalidStatus"),
    )
    seen = read(*events)
    assert (seen.net_error, seen.cors_error, seen.cors_parameter) == ("net::ERR_FAILED", "PreflightInvalidStatus", "x")


def test_where_redirects_led_is_told_without_its_query() -> None:
    name, event = sent("1")
    onward = (name, {**event, "request": {"url": "http://api.corp.example/other?key=1"}})
    assert read(sent("1"), onward, failed("1", "", blockedReason="mixed-content")).ended_at.endswith("/other")
    assert read(sent("1"), failed("1")).ended_at == ""


OK = SeenRequest(kind=LaunchKind.SIMPLE, ok=True, status=200, duration_s=0.1)
LOST = replace(OK, ok=False, status=None, error="timeout", duration_s=6.0)
SLOW = replace(OK, duration_s=1.5)
ASKED = [  # requests so far, seconds so far, follows, enough?
    ((OK,), 0.1, True, False),
    ((replace(OK, ok=False),), 0.1, True, False),
    ((LOST,), 6.0, True, True),
    ((SLOW, SLOW), 3.0, True, False),
    ((SLOW, SLOW, SLOW), 5.5, True, True),
    ((replace(OK, ok=False),), 0.1, False, True),
    ((SLOW, OK), 3.0, False, True),
    ((OK, OK), 0.3, False, False),
]


@pytest.mark.parametrize(("requests", "elapsed", "follows", "enough"), ASKED)
def test_how_much_is_asked(requests: tuple[SeenRequest, ...], elapsed: float, follows: bool, enough: bool) -> None:
    assert is_enough(requests, elapsed, follows=follows) is enough


def test_what_the_preflight_was_answered_is_told() -> None:
    extra = ("Network.responseReceivedExtraInfo", {"requestId": "2", "statusCode": 405})
    events = (sent("1"), sent("2", preflight=True), extra, failed("1", code="PreflightInvalidStatus"))
    assert read(*events).preflight_status == 405
    assert read(sent("1"), failed("1")).preflight_status is None


def test_mixed_content_has_a_reason_and_no_code() -> None:
    seen = read(sent("1"), failed("1", "", blockedReason="mixed-content"))
    assert (seen.blocked_reason, seen.net_error, seen.what) == ("mixed-content", "", "mixed-content")


def test_what_is_no_image_is_an_answer_all_the_same() -> None:
    extra = ("Network.responseReceivedExtraInfo", {"requestId": "1", "statusCode": 200})
    assert read(sent("1"), extra, failed("1", "net::ERR_BLOCKED_BY_ORB"), kind=LaunchKind.IMAGE).ok
    assert not read(sent("1"), failed("1", code=REFUSED), kind=LaunchKind.IMAGE).ok


def test_a_websocket_is_refused_without_a_cors_code() -> None:
    created = ("Network.webSocketCreated", {"requestId": "1", "url": URL})
    message = "Error in connection establishment: net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"
    seen = read(
        created, ("Network.webSocketFrameError", {"requestId": "1", "errorMessage": message}), kind=LaunchKind.WEBSOCKET
    )
    assert seen.refused
    assert seen.net_error == "net::ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS"


def test_what_the_network_service_says_of_an_answer_is_waited_for_though_the_page_has_ended() -> None:
    """On a busy machine it came after the page's last event, and the address space was missed."""
    received = ("Network.responseReceived", {"requestId": "1", "response": {"status": 200}, "hasExtraInfo": True})
    extra = ("Network.responseReceivedExtraInfo", {"requestId": "1", "resourceIPAddressSpace": "Local"})
    finished = ("Network.loadingFinished", {"requestId": "1"})
    assert not ended([sent("1"), received], URL)
    assert not ended([sent("1"), received, finished], URL)
    assert ended([sent("1"), received, finished, extra], URL)
    assert ended([sent("1"), finished], URL)  # from a cache or a data URL: nothing will be said


def test_an_error_in_the_answer_has_an_answer_and_one_before_it_none() -> None:
    extra = ("Network.responseReceivedExtraInfo", {"requestId": "1", "resourceIPAddressSpace": "Local"})
    for code, complete in (
        ("WildcardOriginNotAllowed", False),
        ("PreflightMissingAllowOriginHeader", True),
        (REFUSED, True),
    ):
        assert ended([sent("1"), failed("1", code=code)], URL) is complete
    assert ended([sent("1"), failed("1", code="WildcardOriginNotAllowed"), extra], URL)


# --- what a profile has stored ----------------------------------------------------------------------------------------


def profile(folder: Path, exceptions: dict[str, Any], state: str = "{}") -> Path:
    place = folder / "Default"
    place.mkdir(parents=True, exist_ok=True)
    (place / "Preferences").write_text(json.dumps({"profile": {"content_settings": {"exceptions": exceptions}}}))
    (folder / "Local State").write_text(state)
    return place


def entry(setting: int, origin: str = f"{ORIGIN}:443") -> dict[str, Any]:
    return {f"{origin},*": {"setting": setting, "last_modified": "13400000000000000"}}


def test_a_decision_is_found_in_the_profile_and_in_the_folder_above(tmp_path: Path) -> None:
    place = profile(tmp_path, {"local_network": entry(2), "loopback_network": entry(1)})
    expected = StoredDecision(origin=ORIGIN, folder=str(place), local="block", loopback="allow")
    assert stored_decision(tmp_path, ORIGIN) == stored_decision(place, ORIGIN) == expected
    assert stored_decision(place, "https://other.example").local == ""


def test_an_older_profile_has_one_decision_for_both(tmp_path: Path) -> None:
    profile(tmp_path, {"local_network_access": entry(2), "loopback_network": entry(1)})
    seen = stored_decision(tmp_path, ORIGIN)
    assert (seen.local, seen.loopback) == ("block", "allow")


def test_flags_on_local_network_access_are_told(tmp_path: Path) -> None:
    flags = ["some-thing@1", "local-network-access-check@2"]
    profile(tmp_path, {}, json.dumps({"browser": {"enabled_labs_experiments": flags}}))
    assert stored_decision(tmp_path, ORIGIN).flags == ("local-network-access-check@2",)


@pytest.mark.parametrize("content", ["[]", '{"profile": 1}', '{"profile": {"content_settings": {"exceptions": []}}}'])
def test_a_profile_of_another_shape_has_nothing_stored(tmp_path: Path, content: str) -> None:
    (tmp_path / "Preferences").write_text(content)
    assert stored_decision(tmp_path, ORIGIN).local == ""


@pytest.mark.parametrize("content", ["", "{", "\x00"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, content: str) -> None:
    with pytest.raises(Unknown, match="no Preferences"):
        stored_decision(tmp_path, ORIGIN)
    (tmp_path / "Preferences").write_text(content)
    with pytest.raises(Unknown, match="cannot be read"):
        stored_decision(tmp_path, ORIGIN)


# --- whom it trusts ---------------------------------------------------------------------------------------------------


def test_a_whole_trust_store_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "certutil")
    monkeypatch.setenv("PATH", str(tmp_path))
    pem = trustme.CA().cert_pem.bytes()
    file = tmp_path / "ca.pem"
    file.write_bytes(b"# a comment\n" + pem * 2)
    assert len(authorities(file)) == 2
    assert can_import(file) is (sys.platform == "linux")
    file.write_bytes(pem * (MOST + 1))
    assert not can_import(file)
    file.write_text("no certificate")
    assert not can_import(file)
    assert authorities(tmp_path / "absent.pem") == []


# --- when it is asked at all ------------------------------------------------------------------------------------------


def called(*places: CalledHost, mode: Mode | None = None, **target: Any) -> tuple[CalledHost, ...]:
    return survey._called(replace(TARGET, **target), mode or Mode(), places)


def test_what_is_called_over_http_and_what_cannot_be_tried_is_left_out(tmp_path: Path) -> None:
    public = replace(PLACE, guarded=False)
    plain = replace(public, url="http://api.corp.example/version")
    assert called(public, BUCKET_PLACE) == (public, BUCKET_PLACE)
    assert called(replace(plain, guarded=True)) == (replace(plain, guarded=True),)
    assert called(plain, BUCKET_PLACE) == (BUCKET_PLACE,)
    with pytest.raises(NotAsked, match="called over http"):
        called(plain)
    with pytest.raises(NotAsked, match="--browser none"):
        called(public, mode=Mode(browser="none"))
    with pytest.raises(NotAsked, match="client certificate"):
        called(public, client_cert=tmp_path)


def test_every_place_has_its_addresses_and_its_way() -> None:
    public = replace(PRIVATE, addresses=("203.0.113.5",))
    itself = places._itself(TARGET, public, way("203.0.113.5"))
    assert (itself.guarded, itself.shown, itself.port) == (False, URL, 443)
    for addresses in (("10.0.0.5",), ("203.0.113.5", "10.0.0.5"), ()):
        assert places._itself(TARGET, replace(PRIVATE, addresses=addresses), way("10.0.0.5")).guarded
    target = replace(TARGET, gateway="https://127.0.0.9:8080/", bucket="https://no-such-name.invalid/a?X=1")
    routes = (way("10.0.0.5").route,)
    ways = PerAddress[Way]({"10.0.0.5": way("10.0.0.5")})
    found = asyncio.run(places.page_places(target, PRIVATE, routes, ways))
    assert [(place.what, place.addresses, place.guarded) for place in found] == [
        (TARGET_ITSELF, ("10.0.0.5",), True),
        (GATEWAY, ("127.0.0.9",), True),
        (BUCKET, (), False),
    ]
    assert (found[1].url, found[1].host) == ("https://127.0.0.9:8080/health", "127.0.0.9")
    given = replace(target, proxy=Proxy(url="http://p.example:1", source="--proxy"))
    assert asyncio.run(places._other(BUCKET, "https://bucket.corp.example/", "", given)).proxy == "http://p.example:1"


def way(label: str) -> Way:
    return Way(route=Route(label=label, address=label, port=443))


def test_it_is_sent_to_a_working_address_private_before_public() -> None:
    labels = ("203.0.113.5", "10.0.0.4", "10.0.0.5")
    routes = [way(label).route for label in labels]
    dead = NotMeasured(reason="refused")
    ways = PerAddress[Way]({labels[0]: way(labels[0]), labels[1]: dead, labels[2]: way(labels[2])})
    assert places.way_for(TARGET, routes, ways).route.label == "10.0.0.5"
    only_public = PerAddress[Way]({labels[0]: way(labels[0]), labels[1]: dead, labels[2]: dead})
    assert places.way_for(TARGET, routes, only_public).route.label == "203.0.113.5"


def test_it_resolves_the_name_itself_unless_it_cannot() -> None:
    used = way("10.0.0.5")
    assert places._pinned(TARGET, PRIVATE, used) == ""
    by_server = replace(TARGET, resolvers=(Resolver(label="x", address="192.0.2.1:53"),))
    assert places._pinned(by_server, PRIVATE, used) == "10.0.0.5"
    assert places._pinned(TARGET, replace(PRIVATE, source=AddressSource.OVERRIDE), used) == "10.0.0.5"
    assert places._pinned(TARGET, replace(PRIVATE, source=AddressSource.LITERAL), used) == ""
    proxied = replace(by_server, proxy=Proxy(url="http://p:1", source="x"))
    assert places._pinned(proxied, PRIVATE, used) == ""


def test_a_dry_run_names_what_would_be_sent() -> None:
    assert "https://api.corp.example/version from pages of" in survey._planned(TARGET, Mode())[0]
    with_bucket = replace(TARGET, bucket=BUCKET_PLACE.url)
    assert "GET https://bucket.corp.example/a from" in survey._planned(with_bucket, Mode())[1]
    assert survey._planned(TARGET, Mode(browser="none")) == []


def test_an_error_is_told_without_the_browsers_log() -> None:
    error = "BrowserType.launch: Target closed Browser logs: <launching> /bin/false --a --b"
    assert survey._in_short(error) == "Target closed"


# --- its process ------------------------------------------------------------------------------------------------------


def test_the_process_answers_what_went_wrong_and_is_gone() -> None:
    async def run() -> tuple[bytes, BrowserProcess]:
        started = BrowserProcess.started(replace(PLAN, executable=os.devnull))
        try:
            return await asyncio.wait_for(started.answer(), 20), started
        finally:
            started.let_go()

    line, started = asyncio.run(run())
    assert "error" in json.loads(line)
    started.end()
    assert started.process.returncode == 0


def test_a_run_that_ends_first_takes_the_process_with_it() -> None:
    async def run() -> BrowserProcess:
        return BrowserProcess.started(PLAN)

    started = asyncio.run(run())
    started.end()
    assert started.process.returncode is not None


def test_a_persons_own_authorities_are_the_browsers_too(tmp_path: Path) -> None:
    """As Chromium on Linux has them: in the database of the HOME that it is started with."""
    need("certutil")
    assert asyncio.run(own_authorities(tmp_path)) == ()
    ca, home = tmp_path / "ca.pem", tmp_path / "home"
    trustme.CA().cert_pem.write_to_path(ca)

    async def both() -> tuple[tuple[str, ...], str]:
        await import_authorities(str(ca), (), home)
        found = await own_authorities(home)
        return found, await import_authorities("", found, tmp_path / "other")

    found, words = asyncio.run(both())
    assert [pem.split() for pem in found] == [ca.read_text().split()]
    assert words.startswith("1 CA of this user's")
    assert len(asyncio.run(own_authorities(tmp_path / "other"))) == 1
