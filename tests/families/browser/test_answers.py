"""What a page got in a browser, as plain data: every code has a cause, and every refusal a whole finding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.families.browser import causes
from btdiag.families.browser.causes import CodeMeaning
from btdiag.families.browser.judge.answers import page_gets_its_answers
from btdiag.families.lna.facts import (
    BUCKET,
    GATEWAY,
    REFUSED,
    TARGET_ITSELF,
    Browser,
    BrowserSurvey,
    LaunchKind,
    ManagedProxy,
    PageTrial,
    PageVisit,
    Permissions,
    SeenRequest,
    Situation,
)

ORIGIN = "https://www.braintrust.dev"
URLS = {
    TARGET_ITSELF: "https://api.corp.example/version",
    GATEWAY: "https://gateway.corp.example/health",
    BUCKET: "https://bucket.corp.example/a",
}
OK = SeenRequest(kind=LaunchKind.SIMPLE, ok=True, status=200, address="203.0.113.5", passed=1)
BROWSER = Browser(name="Chromium", version="156.0.8078.79", path="/usr/bin/chromium")
FAILED = replace(OK, ok=False, status=None, tries=3, passed=0)
PROMPT = Permissions(local="prompt", loopback="prompt")


def visit(*requests: SeenRequest, what: str = TARGET_ITSELF, situation: Situation = Situation.CALLS) -> PageVisit:
    trial = PageTrial(
        situation=situation,
        secure=True,
        allowed_by_page=True,
        space="public",
        before=PROMPT,
        after=PROMPT,
        requests=requests,
        console=("a line",),
        screenshot="iVBOR",
    )
    return PageVisit(origin=ORIGIN, what=what, url=URLS[what], trials=(trial,))


def judged(*visits: PageVisit, managed: tuple[ManagedProxy, ...] = ()) -> Finding:
    return page_gets_its_answers(
        BrowserSurvey(browser=BROWSER, url=URLS[TARGET_ITSELF], visits=visits, managed=managed)
    )


def net(code: str, **more: object) -> SeenRequest:
    return replace(FAILED, net_error=f"net::{code}", **more)  # type: ignore[arg-type]


def test_what_passes_is_told_with_all_that_was_tried() -> None:
    post = replace(OK, kind=LaunchKind.POST, status=404)
    found = judged(visit(OK, post), visit(OK, what=BUCKET, situation=Situation.UNGUARDED))
    assert found.verdict is Verdict.PASS
    assert "the target (GET, POST); the bucket (GET)" in found.summary
    assert [one.kind for one in found.evidence] == ["table", "table", "text", "image", "image"]


HERE, FRONT = TARGET_ITSELF, Owner.LOAD_BALANCER
REFUSALS = [  # request, what is called, verdict, owner, words in the summary, a check that would explain it
    (net("ERR_CERT_AUTHORITY_INVALID"), HERE, "fail", Owner.CERTIFICATES, "CA", "connection.tls-is-trusted"),
    (net("ERR_CERT_SOMETHING_NEW"), HERE, "fail", Owner.CERTIFICATES, "SOMETHING_NEW", causes.CERTIFICATE),
    (net("ERR_SSL_SOMETHING_NEW"), GATEWAY, "fail", FRONT, "handshake", causes.CERTIFICATE),
    (net("ERR_HTTP2_PROTOCOL_ERROR"), HERE, "fail", FRONT, "RFC 9113", "readiness.root-answers"),
    (net("ERR_TUNNEL_CONNECTION_FAILED"), HERE, "fail", Owner.BROWSER, "CONNECT", "connection.proxy-lets-through"),
    (net("ERR_ECH_FALLBACK_CERTIFICATE_INVALID"), HERE, "fail", Owner.DNS, "ECH", causes.RECORD),
    (net("ERR_CONNECTION_ABORTED"), HERE, "fail", FRONT, "ClientHello", "connection.tcp-connects"),
    (net("ERR_NEVER_HEARD_OF"), HERE, "fail", FRONT, "ERR_NEVER_HEARD_OF", "readiness.root-answers"),
    (net("ERR_NETWORK_CHANGED"), HERE, "inconclusive", Owner.CLIENT, "changed", ""),
    (net("ERR_CONNECTION_RESET", passed=2), HERE, "warn", FRONT, "1 of 3 tries", ""),
    (net("ERR_FAILED", cors_error="MissingAllowOriginHeader", status=403), HERE, "fail", FRONT,
     "status 403", "cors.web-app-may-call"),
    (net("ERR_FAILED", cors_error="MissingAllowOriginHeader", status=429), HERE, "inconclusive",
     FRONT, "status 429", ""),
    (net("ERR_FAILED", cors_error="PreflightInvalidStatus", preflight_status=429), HERE, "inconclusive",
     FRONT, "status 429", ""),
    (net("ERR_FAILED", cors_error="PreflightMissingAllowOriginHeader", preflight_status=502), HERE, "fail",
     FRONT, "status 502 in Chromium 156: the answer is an error page", "keepalive.no-silent-drop"),
    (net("ERR_FAILED", cors_error="AllowOriginMismatch"), BUCKET, "fail", Owner.API, "AllowOriginMismatch",
     "cors.bucket-lets-the-web-app-read"),
    (net("ERR_FAILED", cors_error=REFUSED), HERE, "warn", Owner.BROWSER, "not public", "lna.web-app-reaches-target"),
    (replace(FAILED, blocked_reason="mixed-content"), HERE, "fail", FRONT, "mixed content",
     causes.SCHEME),
    (replace(FAILED, blocked_reason="mixed-content", ended_at="http://api.corp.example/x"), HERE, "fail",
     FRONT, "redirects to http://api.corp.example/x", "readiness.root-answers"),
    (net("ERR_NAME_NOT_RESOLVED", ended_at="https://login.corp.example/"), HERE, "inconclusive",
     FRONT, "https://login.corp.example/, which was not contacted", "cors.web-app-may-call"),
    (net("ERR_NAME_NOT_RESOLVED"), HERE, "fail", Owner.DNS, "no address", "dns.resolves"),
    (replace(FAILED, error="timeout"), HERE, "fail", FRONT, "within 6 s", "readiness.root-answers"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "what", "verdict", "owner", "words", "unless"), REFUSALS)
def test_each_refusal_is_named(
    request_: SeenRequest, what: str, verdict: str, owner: Owner, words: str, unless: str
) -> None:
    found = judged(visit(OK, request_, what=what))
    assert (str(found.verdict), found.owner) == (verdict, owner)
    assert words in found.summary
    assert unless in found.unless or not unless
    assert found.remedy is not None
    assert all((found.hop, found.expected, found.seen, found.evidence, found.sources, found.answer))


def test_the_worst_speaks_and_the_others_are_counted() -> None:
    lost = net("ERR_EMPTY_RESPONSE", kind=LaunchKind.POST)
    found = judged(
        visit(OK, lost, replace(lost, kind=LaunchKind.STREAM)), visit(net("ERR_NETWORK_CHANGED"), what=BUCKET)
    )
    assert found.verdict is Verdict.FAIL
    assert found.summary.endswith("2 requests in all fail")


def test_a_gateway_whose_answers_cors_hides_was_reached() -> None:
    hidden = net("ERR_FAILED", cors_error="MissingAllowOriginHeader")
    found = judged(visit(OK), visit(hidden, what=GATEWAY))
    assert found.verdict is Verdict.PASS
    assert "whose answers CORS hides" in found.summary


def test_the_policy_that_sets_the_proxy_is_named() -> None:
    policy = ManagedProxy(policy="ProxySettings", value="proxy.corp.example:3128", where="/etc/x.json", hosts=("p",))
    found = judged(visit(net("ERR_TUNNEL_CONNECTION_FAILED")), managed=(policy,))
    assert "(proxy.corp.example:3128, by the policy ProxySettings)" in found.summary
    assert found.hop is HopName.PROXY
    assert found.remedy is not None
    assert '"ProxyBypassList": "api.corp.example"' in found.remedy.snippets[0].code
    assert "/etc/x.json" in str(found.evidence[1].data)


def test_who_can_help_is_told_apart() -> None:
    found = judged(visit(net("ERR_CERT_AUTHORITY_INVALID")))
    assert found.remedy is not None
    assert "Users: " in found.remedy.text
    assert "Administrators of browsers: " in found.remedy.text


ALL = [*causes.CODES.values(), *(one for one in vars(causes).values() if isinstance(one, CodeMeaning))]


@pytest.mark.parametrize("cause", ALL, ids=lambda one: one.short)
def test_each_cause_can_be_read_aloud(cause: CodeMeaning) -> None:
    """The longest place is the AI gateway; a host of 35 characters is a long one."""
    assert len(f"The web app cannot call the AI gateway: {cause.short}") <= 90
    assert len(cause.action.replace("{host}", "x" * 35).replace("{port}", "65535")) <= 140
    filled = f"{cause.meaning}{cause.text}{cause.users}{cause.administrators}"
    for word in ("host", "port", "url", "code", "limit", "managed"):
        filled = filled.replace(f"{{{word}}}", "")
    assert "{" not in filled


def test_aliases_lead_somewhere() -> None:
    assert set(causes.ALIASES.values()) <= set(causes.CODES)
    assert causes.cause_of_code("net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin") is causes.CODES["ERR_BLOCKED_BY_RESPONSE"]
    assert causes.cause_of_code("net::ERR_SSL_KEY_USAGE_INCOMPATIBLE") is causes.CODES["ERR_SSL_KEY_USAGE_INCOMPATIBLE"]
    assert causes.cause_of_code("") is None


_requests = st.builds(
    SeenRequest,
    kind=st.sampled_from(LaunchKind),
    ok=st.booleans(),
    status=st.sampled_from([None, 200, 429, 502]),
    error=st.sampled_from(["", "timeout", "TypeError: Failed to fetch"]),
    net_error=st.sampled_from(["", "net::ERR_FAILED", "net::ERR_ABORTED", *(f"net::{code}X" for code in causes.CODES)]),
    cors_error=st.sampled_from(["", REFUSED, "MissingAllowOriginHeader"]),
    blocked_reason=st.sampled_from(["", "mixed-content", "csp"]),
    ended_at=st.sampled_from(["", "http://api.corp.example/", "https://[::1]/", "https://other.example/"]),
    tries=st.just(3),
    passed=st.integers(0, 2),
)


@given(st.lists(_requests, min_size=1, max_size=3), st.sampled_from([TARGET_ITSELF, GATEWAY, BUCKET]))
def test_every_answer_comes_to_a_whole_finding(requests: list[SeenRequest], what: str) -> None:
    found = judged(visit(*requests, what=what))
    assert found.summary
    if found.verdict is not Verdict.PASS:
        assert all((found.hop, found.owner, found.expected, found.seen, found.evidence, found.sources))
        assert len(found.answer) <= 90
        assert found.remedy is not None
        assert len(found.remedy.action) <= 140
