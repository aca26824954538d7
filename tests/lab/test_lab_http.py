"""The lab's API, its control plane and the faults in HTTP behave as the scenarios declare."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btdiag.lab.faults.http import AnswersWith, Delays, Headers, Latches, LimitsSizes, RateLimits, RequestHeaders
from btdiag.lab.faults.names import DnsAnswers, Omits
from btdiag.lab.plan import API_KEY, APP_HOST, Backend, LabHop, LabPlan
from btdiag.lab.rules import Rule
from btdiag.lab.scenario import Scenario, find
from btdiag.lab.styles import vendor_page
from tests.support.labclient import Answer, Target, ask, ask_plain, careless, exchange, staged, trusting, url_port

KEY = {"Authorization": f"Bearer {API_KEY}"}
ORIGIN = "https://www.braintrust.dev"


def seen(what: str | LabPlan, look: Callable[[Target], Any]) -> Any:
    """What a blocking client sees, run in a thread beside the lab."""

    async def run() -> Any:
        async with staged(what) as target:
            return await asyncio.to_thread(look, target)

    return asyncio.run(run())


def plan(*rules: Rule) -> LabPlan:
    return Scenario(name="x", summary="", faults=rules).plan


def preflight(target: Target, path: str, origin: str = ORIGIN) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return ask(target, path, method="OPTIONS", headers=headers)


# The API server


@pytest.mark.parametrize(
    ("path", "headers", "status", "type_"),
    [
        ("/", {}, 200, "text/plain"),
        ("/v1", {}, 200, "text/plain"),
        ("/version", {}, 200, "application/json"),
        ("/status", {}, 200, "application/json"),
        ("/ping", {}, 401, "application/json"),
        ("/ping", KEY, 200, "application/json"),
        ("/v1/project?limit=1", KEY, 200, "application/json"),
        ("/no/such/path", {}, 404, "application/json"),
    ],
)
def test_route(path: str, headers: dict[str, str], status: int, type_: str) -> None:
    answer = seen("healthy", lambda target: ask(target, path, headers=headers))
    assert answer.status == status
    assert (answer.header("content-type") or "").startswith(type_)
    assert answer.header("x-bt-internal-trace-id")


def test_version_tells_the_payload_limit() -> None:
    assert seen("healthy", lambda target: ask(target, "/version")).json["logs3_payload_max_bytes"] == 6 * 1024 * 1024


def test_bodies_are_taken_and_forgotten() -> None:
    answer = seen("healthy", lambda target: ask(target, "/x", method="POST", body=b"a" * 200_000))
    assert answer.status == 404


def test_chunked_bodies_are_taken() -> None:
    def look(target: Target) -> list[int]:
        with socket.create_connection(("127.0.0.1", url_port(target["backend"])), 5.0) as sock:
            sock.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            first = sock.recv(4096)
            return [int(first.split()[1]), exchange(sock, 1, "/").status]

    assert seen("healthy", look) == [404, 200]


def test_too_large_body_is_refused_by_the_api_with_cors_headers() -> None:
    small = replace(LabPlan(), backend=Backend(payload_limit=1000))
    answer = seen(small, lambda target: ask(target, "/x", method="POST", body=b"a" * 2000, headers={"Origin": ORIGIN}))
    assert answer.status == 413
    assert answer.header("access-control-allow-origin") == ORIGIN


def test_login_is_passed_on_to_the_control_plane() -> None:
    def look(target: Target) -> tuple[Answer, Answer, str]:
        good = ask(target, "/api/apikey/login", method="POST", headers=KEY)
        return good, ask(target, "/api/apikey/login", method="POST"), target["url"]

    good, bad, url = seen("healthy", look)
    assert good.json["org_info"][0]["api_url"] == url
    assert bad.status == 401


def test_control_plane_serves_the_web_app_over_tls() -> None:
    def look(target: Target) -> Answer:
        port = url_port(target["app_url"])
        with (
            socket.create_connection(("127.0.0.1", port), 5.0) as raw,
            trusting(target).wrap_socket(raw, server_hostname=APP_HOST) as sock,
        ):
            return exchange(sock, port)

    answer = seen("healthy", look)
    assert answer.status == 200
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_malformed_requests_are_answered_400_at_once() -> None:
    def look(target: Target) -> bytes:
        with socket.create_connection(("127.0.0.1", url_port(target["backend"])), 5.0) as sock:
            sock.sendall(b"\x16\x03\x01\x02\x00")
            return sock.recv(4096)

    assert seen("healthy", look).startswith(b"HTTP/1.1 400 ")


def test_expect_continue_is_answered() -> None:
    def look(target: Target) -> list[bytes]:
        with socket.create_connection(("127.0.0.1", url_port(target["backend"])), 5.0) as sock:
            sock.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            first = sock.recv(4096)
            sock.sendall(b"ab")
            return [first, sock.recv(4096)]

    first, second = seen("healthy", look)
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert second.startswith(b"HTTP/1.1 404 ")


# CORS


@pytest.mark.parametrize("path", ["/btql", "/logs3", "/v1/proxy/chat/completions", "/api/apikey/login"])
@pytest.mark.parametrize("origin", [ORIGIN, "https://www.braintrustdata.com", "https://x.preview.braintrust.dev"])
def test_preflight_of_the_web_app_is_granted(path: str, origin: str) -> None:
    answer = seen("healthy", lambda target: preflight(target, path, origin))
    assert answer.status in (200, 204)
    assert answer.values("access-control-allow-origin") == [origin]
    assert answer.values("access-control-allow-credentials") == ["true"]
    assert "authorization" in (answer.header("access-control-allow-headers") or "").lower()
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    assert answer.header("access-control-max-age") == "86400"
    assert answer.header("vary") == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://www.braintrust.dev.evil.example", "null"])
def test_foreign_origins_get_no_cors_headers(origin: str) -> None:
    def look(target: Target) -> list[Answer]:
        proxied = ask(target, "/v1/proxy/models", headers={"Origin": origin})
        return [preflight(target, "/btql", origin), ask(target, headers={"Origin": origin}), proxied]

    answers = seen("healthy", look)
    assert [answer.status for answer in answers] == [404, 200, 403]
    assert all(answer.header("access-control-allow-origin") is None for answer in answers)


def test_errors_are_readable_for_the_web_app() -> None:
    answer = seen("healthy", lambda target: ask(target, "/ping", headers={"Origin": ORIGIN}))
    assert answer.status == 401
    assert answer.header("access-control-allow-origin") == ORIGIN


def test_proxy_answers_a_preflight_that_is_not_whole_with_allow_only() -> None:
    answer = seen("healthy", lambda target: ask(target, "/v1/proxy/x", method="OPTIONS"))
    assert answer.header("allow") == "GET, HEAD, POST, OPTIONS"
    assert answer.header("access-control-allow-origin") is None


# Scenarios of readiness


@pytest.mark.parametrize(
    ("scenario", "status", "mark"),
    [
        ("root-500", 500, "Internal Server Error"),
        ("root-502", 502, "awselb"),
        ("root-503", 503, "awselb"),
        ("root-504", 504, "Error from cloudfront"),
        ("root-404", 404, "nginx"),
        ("root-401", 401, "Basic realm"),
        ("root-403-waf", 403, "awselb"),
        ("root-redirect-login", 302, "https://login.lab.example/oauth2/authorize"),
        ("root-html", 200, "<!DOCTYPE html>"),
        ("root-login-page", 200, "Sign in"),
        ("root-421", 421, "Misdirected Request"),
        ("root-429", 429, "Retry-After"),
        ("backend-down", 502, "nginx"),
        ("front-broken", 502, "nginx"),
    ],
)
def test_every_address_says_so(scenario: str, status: int, mark: str) -> None:
    def look(target: Target) -> list[Answer]:
        return [ask(target, address=address) for address in ("127.0.0.2", "127.0.0.3")]

    for answer in seen(scenario, look):
        assert answer.status == status
        assert mark in f"{answer.headers} {answer.body.decode()}"


def behind(target: Target) -> int:
    return ask_plain(url_port(target["backend"])).status


def test_backend_tells_which_side_is_broken() -> None:
    assert seen("front-broken", behind) == 200
    with pytest.raises(ConnectionRefusedError):
        seen("backend-down", behind)
    assert seen("backend-unhealthy-front-ok", lambda target: (ask(target).status, behind(target))) == (200, 503)


def test_every_third_get_fails() -> None:
    statuses = seen("flapping", lambda target: [ask(target).status for _ in range(9)])
    assert statuses == [200, 200, 502] * 3


def test_one_address_fails() -> None:
    def look(target: Target) -> list[int]:
        return [ask(target, address=address).status for address in ("127.0.0.2", "127.0.0.3", "127.0.0.2")]

    assert seen("one-address-502", look) == [200, 502, 200]


def test_versions_differ_between_addresses() -> None:
    def look(target: Target) -> list[str]:
        return [ask(target, "/version", address=address).json["version"] for address in ("127.0.0.2", "127.0.0.3")]

    assert len(set(seen("mixed-versions", look))) == 2


def test_first_byte_is_late() -> None:
    def look(target: Target) -> float:
        start = time.monotonic()
        ask(target)
        return time.monotonic() - start

    assert seen(plan(Delays(seconds=0.2)), look) >= 0.2
    assert find("slow-first-byte") is not None


def test_status_stays_latched() -> None:
    def look(target: Target) -> list[int]:
        return [*(ask(target, "/status").status for _ in range(3)), ask(target).status]

    assert seen("status-latched", look) == [503, 503, 503, 200]
    assert seen(plan(Latches(paths=("/status",), good=2)), look) == [200, 200, 503, 200]


@pytest.mark.parametrize("scenario", ["brainstore-down", "brainstore-500"])
def test_brainstore_fails_alone(scenario: str) -> None:
    def look(target: Target) -> tuple[int, int]:
        try:
            brainstore = ask_plain(url_port(target["brainstore"])).status
        except ConnectionRefusedError:
            brainstore = 0
        return ask(target).status, brainstore

    assert seen(scenario, look) == (200, 500 if scenario == "brainstore-500" else 0)


def test_key_of_the_target_is_rejected() -> None:
    def look(target: Target) -> int:
        return ask(target, "/ping", headers={"Authorization": f"Bearer {target['api_key']}"}).status

    assert seen("key-rejected", look) == 401
    assert seen("healthy", look) == 200


def test_portal_redirects_on_both_ports() -> None:
    def look(target: Target) -> list[str | None]:
        secure = ask(target, context=careless())
        plain = ask_plain(target["plain_port"], address="127.0.0.2")
        return [secure.header("location"), plain.header("location")]

    assert seen("captive-portal", look) == ["http://portal.lab.example/login"] * 2


# Rules


def test_response_headers_are_dropped_set_and_added() -> None:
    rule = Headers(
        drop=("x-bt-internal-trace-id",), set=(("Server", "other"),), add=(("X-Twice", "1"), ("X-Twice", "2"))
    )
    answer = seen(plan(rule), ask)
    assert answer.header("x-bt-internal-trace-id") is None
    assert answer.values("server") == ["other"]
    assert answer.values("x-twice") == ["1", "2"]


def test_response_headers_may_depend_on_the_status() -> None:
    rule = Headers(drop=("access-control-allow-origin",), statuses=(4, 5))

    def look(target: Target) -> list[str | None]:
        return [
            ask(target, path, headers={"Origin": ORIGIN}).header("access-control-allow-origin")
            for path in ("/", "/no-such")
        ]

    assert seen(plan(rule), look) == [ORIGIN, None]


def test_request_headers_are_dropped_on_the_way() -> None:
    rule = RequestHeaders(drop=("origin",))
    answer = seen(plan(rule), lambda target: preflight(target, "/btql"))
    assert answer.status == 204
    assert answer.header("access-control-allow-origin") is None
    assert answer.header("access-control-allow-methods")


def test_rule_acts_on_its_hop_path_and_method_only() -> None:
    rule = AnswersWith(hop=LabHop.BACKEND, paths=("/v1/*",), methods=("POST",), status=418)

    def look(target: Target) -> list[int]:
        return [
            ask(target, "/v1/x", method="POST").status,
            ask(target, "/v1/x").status,
            ask(target, "/x", method="POST").status,
            ask_plain(url_port(target["brainstore"]), "/v1/x", method="POST").status,
        ]

    assert seen(plan(rule), look) == [418, 404, 404, 404]


def test_rate_limit_lets_some_through_and_then_says_when_to_come_back() -> None:
    answers = seen(plan(RateLimits(allowed=2, retry_after=7)), lambda target: [ask(target) for _ in range(4)])
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].header("retry-after") == "7"


def test_limits_of_a_gateway() -> None:
    rule = LimitsSizes(url=100, head=2000, body=1000, allowed_methods=("GET", "POST"))

    def look(target: Target) -> list[int]:
        return [
            ask(target, "/" + "a" * 200).status,
            ask(target, headers={"X-Long": "a" * 3000}).status,
            ask(target, "/x", method="POST", body=b"a" * 5000).status,
            ask(target, "/x", method="POST", body=b"a" * 500).status,
            ask(target, "/x", method="PATCH").status,
        ]

    assert seen(plan(rule), look) == [414, 431, 413, 404, 405]


def test_limit_holds_for_chunked_bodies_too() -> None:
    def look(target: Target) -> bytes:
        with socket.create_connection(("127.0.0.1", url_port(target["backend"])), 5.0) as sock:
            sock.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"a" * 2000)
            return sock.recv(4096)

    assert seen(plan(LimitsSizes(hop=LabHop.BACKEND, body=1000)), look).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("style", ["nginx", "awselb", "envoy", "haproxy", "cloudflare", "cloudfront", "api-gateway"])
@pytest.mark.parametrize("status", [403, 502, 503, 504])
def test_each_vendors_page_reaches_the_client(style: str, status: int) -> None:
    answer = seen(plan(AnswersWith(status=status, style=style)), ask)
    assert answer.status == status
    assert answer.body == vendor_page(style, status).body


# What a scenario declares


def test_checks_of_features_that_the_target_lacks_are_skipped() -> None:
    bare = Scenario(name="x", summary="", faults=(Omits(("api_key", "brainstore")),))
    assert {"readiness.key-is-accepted", "readiness.brainstore-answers", "connection.proxy-lets-through"} <= set(
        bare.all_skips
    )
    assert "readiness.backend-agrees" not in bare.all_skips


def test_faults_apply_in_order_and_one_server_can_be_meant() -> None:
    both = Scenario(name="x", summary="", faults=(DnsAnswers(ttl=5), DnsAnswers(server="system", rcode="REFUSED")))
    system, other = both.plan.resolvers
    assert (system.ttl, system.rcode, other.ttl, other.rcode) == (5, "REFUSED", 5, "NOERROR")
