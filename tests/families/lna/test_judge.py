"""What the browser's facts come to: who is asked, who is blocked by whom, what lies beneath, and what is advised."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.resolution import AddressSource, DnsAnswer, LookupOutcome, Resolution, ServerLookup, View
from btdiag.core.target import Target
from btdiag.families.dns.judge.addresses import addresses_share_a_space
from btdiag.families.lna.facts import (
    BUCKET,
    GATEWAY,
    REFUSED,
    TARGET_ITSELF,
    Browser,
    BrowserSurvey,
    CalledHost,
    LaunchKind,
    PageTrial,
    PageVisit,
    Permissions,
    SeenRequest,
    Situation,
    StoredDecision,
)
from btdiag.families.lna.judge.address_space import address_space_is_stable
from btdiag.families.lna.judge.page import page_context_allows
from btdiag.families.lna.judge.reading import GETS_ANSWERS, Standing, page_readings, place, where_guarded
from btdiag.families.lna.judge.web_app import no_prompt_needed, web_app_reaches_target
from btdiag.families.lna.remedy import policies

ORIGIN = "https://www.braintrust.dev"
TARGET = Target(url="https://api.corp.example", scheme="https", host="api.corp.example", port=443)
OK = SeenRequest(
    kind=LaunchKind.SIMPLE, ok=True, status=200, space="local", policy="PermissionBlock", address="10.0.0.5"
)
HELD = SeenRequest(
    kind=LaunchKind.SIMPLE,
    ok=False,
    net_error="net::ERR_FAILED",
    cors_error=REFUSED,
    policy="PermissionBlock",
    gated=True,
)
PROMPT = Permissions(local="prompt", loopback="prompt")
GRANTED = Permissions(local="granted", loopback="granted")
STATES = ("prompt", "granted", "denied", "unsupported")
DENIED = Permissions(local="denied", loopback="denied")


def all_ok(request: SeenRequest = OK) -> tuple[SeenRequest, ...]:
    return tuple(
        replace(request, kind=kind) for kind in (LaunchKind.SIMPLE, LaunchKind.PREFLIGHTED, LaunchKind.CREDENTIALS)
    )


def trial(situation: Situation, *requests: SeenRequest, before: Permissions = PROMPT, **more: Any) -> PageTrial:
    given = {"secure": True, "allowed_by_page": True, "space": "public", "after": before, **more}
    return PageTrial(situation=situation, before=before, requests=requests, **given)


def survey(*trials: PageTrial, unguarded: tuple[SeenRequest, ...] = all_ok(), **more: Any) -> BrowserSurvey:
    beneath = trial(Situation.UNGUARDED, *unguarded)
    given = {"browser": Browser(name="Chromium", version="156.0.8078.79", path="/usr/bin/chromium"), **more}
    visit = PageVisit(origin=ORIGIN, trials=(beneath, *trials))
    return BrowserSurvey(url=f"{TARGET.url}/version", visits=(visit,), **given)


def asked(**more: Any) -> BrowserSurvey:
    """A private target: held back in a new profile, answered after Allow."""
    return survey(trial(Situation.FRESH, HELD), trial(Situation.ALLOWED, *all_ok(), before=GRANTED), **more)


def fresh(request: SeenRequest, before: Permissions = PROMPT, **more: Any) -> BrowserSurvey:
    requests = all_ok(request) if request.ok else (request,)
    return survey(trial(Situation.FRESH, *requests, before=before, **more))


def version(number: int, of: BrowserSurvey) -> BrowserSurvey:
    return replace(of, browser=replace(of.browser, version=f"{number}.0.1.2"))


PROXIED = all_ok(replace(OK, space="unknown"))
STANDINGS = [
    (asked(), Standing.ASKED),
    (fresh(HELD, DENIED), Standing.BLOCKED),
    (fresh(OK, GRANTED), Standing.ALLOWED),
    (fresh(replace(OK, policy="PermissionWarn")), Standing.NOT_ENFORCED),
    (fresh(replace(OK, policy="Allow")), Standing.NOT_ENFORCED),
    (version(141, fresh(replace(OK, policy=""))), Standing.NOT_ENFORCED),
    (fresh(HELD, DENIED, allowed_by_page=False), Standing.SHUT_OUT),
    (fresh(replace(HELD, cors_error="InsecureLocalNetwork"), secure=False), Standing.SHUT_OUT),
    (fresh(SeenRequest(kind=LaunchKind.SIMPLE, ok=False, blocked_reason="mixed-content")), Standing.SHUT_OUT),
    (fresh(SeenRequest(kind=LaunchKind.SIMPLE, ok=False, net_error="net::ERR_CONNECTION_REFUSED")), Standing.BROKEN),
    (fresh(SeenRequest(kind=LaunchKind.SIMPLE, ok=False, error="timeout")), Standing.BROKEN),
    (survey(trial(Situation.FRESH, *PROXIED), unguarded=PROXIED), Standing.NOT_GUARDED),
    # after a grant any later fault is told as a refusal: the state before says that it is none
    (fresh(HELD, GRANTED), Standing.ALLOWED),
]


@pytest.mark.parametrize(("seen", "standing"), STANDINGS)
def test_where_the_page_stands(seen: BrowserSurvey, standing: Standing) -> None:
    assert [reading.standing for reading in page_readings(seen, TARGET)] == [standing]


def claims(seen: BrowserSurvey, target: Target = TARGET) -> tuple[Finding, Finding, Finding]:
    return web_app_reaches_target(seen, target), no_prompt_needed(seen, target), page_context_allows(seen, target)


VERDICTS = [  # reaches, no prompt, context
    ("pass", "warn", "pass"),
    ("fail", "skip", "pass"),
    ("pass", "pass", "pass"),
    ("pass", "warn", "pass"),
    ("pass", "warn", "pass"),
    ("pass", "warn", "pass"),
    ("skip", "skip", "fail"),
    ("skip", "skip", "fail"),
    ("skip", "skip", "skip"),  # because browser.scheme-is-secure fails
]


@pytest.mark.parametrize(
    ("seen", "verdicts"), [(seen, verdicts) for (seen, _), verdicts in zip(STANDINGS, VERDICTS, strict=False)]
)
def test_each_standing_has_its_verdicts(seen: BrowserSurvey, verdicts: tuple[str, ...]) -> None:
    assert tuple(str(finding.verdict) for finding in claims(seen)) == verdicts


def test_who_is_asked_is_told_by_whom_where_and_what_to_click() -> None:
    finding = no_prompt_needed(asked(pinned="10.0.0.5"), TARGET)
    assert "Chromium 156 asks users" in finding.summary
    assert "api.corp.example at 10.0.0.5 (local)" in finding.summary
    assert finding.remedy is not None
    assert "Access other devices on your local network" in finding.remedy.text
    assert "Data plane is on a private network" in finding.remedy.text


def test_this_device_has_a_question_and_a_policy_of_its_own() -> None:
    local = replace(OK, space="loopback", address="127.0.0.1")
    after = Permissions(local="prompt", loopback="denied")
    seen = survey(
        trial(Situation.FRESH, HELD, after=after),
        trial(Situation.ALLOWED, *all_ok(local), before=GRANTED),
        unguarded=all_ok(local),
    )
    finding = no_prompt_needed(seen, TARGET)
    assert finding.remedy is not None
    assert "Access other apps and services on this device" in finding.remedy.text
    assert "LoopbackNetworkAllowedForUrls" in finding.remedy.snippets[0].code
    assert page_readings(seen, TARGET)[0].space == "loopback"


def test_the_refusal_tells_the_space_where_no_answer_came() -> None:
    broken = replace(HELD, cors_error="", net_error="net::ERR_EMPTY_RESPONSE")
    after = Permissions(local="prompt", loopback="denied")
    seen = survey(trial(Situation.FRESH, HELD, after=after), unguarded=(broken,))
    assert [(reading.space, reading.seen_space) for reading in page_readings(seen, TARGET)] == [("loopback", "")]


BENEATH = [
    replace(HELD, cors_error="MissingAllowOriginHeader"),
    replace(HELD, cors_error="", net_error="net::ERR_CONNECTION_REFUSED"),
    replace(HELD, cors_error="", net_error="net::ERR_CERT_AUTHORITY_INVALID"),
    SeenRequest(kind=LaunchKind.SIMPLE, ok=False, error="timeout"),
]


@pytest.mark.parametrize("failed", BENEATH)
def test_what_breaks_beneath_is_another_checks_failure(failed: SeenRequest) -> None:
    seen = survey(trial(Situation.FRESH, HELD), unguarded=(failed,))
    finding = web_app_reaches_target(seen, TARGET)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, GETS_ANSWERS)
    assert no_prompt_needed(seen, TARGET).verdict is Verdict.WARN


def test_a_broken_preflight_counts_and_broken_credentials_are_a_note() -> None:
    refused = replace(HELD, kind=LaunchKind.PREFLIGHTED, cors_error="PreflightMissingAllowOriginHeader")
    assert web_app_reaches_target(asked(unguarded=(OK, refused)), TARGET).because == GETS_ANSWERS
    careless = (*all_ok()[:2], replace(HELD, kind=LaunchKind.CREDENTIALS, cors_error="InvalidAllowCredentials"))
    seen = survey(trial(Situation.FRESH, HELD), trial(Situation.ALLOWED, *careless, before=GRANTED), unguarded=careless)
    finding = web_app_reaches_target(seen, TARGET)
    assert finding.verdict is Verdict.PASS
    assert "with credentials it fails: InvalidAllowCredentials" in finding.summary


def test_nobody_is_asked_where_no_connection_comes_about() -> None:
    dead = replace(HELD, cors_error="", net_error="net::ERR_CONNECTION_REFUSED")
    seen = survey(trial(Situation.FRESH, dead), unguarded=(dead,))
    reaches, prompt, context = claims(seen)
    assert (reaches.because, prompt.because) == (GETS_ANSWERS,) * 2
    assert context.verdict is Verdict.PASS


@pytest.mark.parametrize(
    "trials",
    [
        (trial(Situation.FRESH, HELD),),
        (trial(Situation.FRESH, HELD), trial(Situation.ALLOWED, HELD, before=GRANTED)),
        (trial(Situation.FRESH, replace(HELD, cors_error="", net_error="net::ERR_CONNECTION_RESET")),),
    ],
)
def test_what_passes_once_and_fails_once_is_not_guessed_at(trials: tuple[PageTrial, ...]) -> None:
    assert web_app_reaches_target(survey(*trials), TARGET).verdict is Verdict.INCONCLUSIVE


DECISIONS = [
    ("block", "", ("fail", "skip")),
    ("allow", "", ("pass", "pass")),
    ("", "block", ("pass", "warn")),
    ("", "", ("pass", "warn")),
]


@pytest.mark.parametrize(("local", "loopback", "verdicts"), DECISIONS)
def test_a_stored_decision_counts_for_its_own_space(local: str, loopback: str, verdicts: tuple[str, str]) -> None:
    stored = StoredDecision(origin=ORIGIN, folder="/home/u/Default", local=local, loopback=loopback)
    other = replace(stored, origin="https://other.example", local="block")
    reaches, prompt, _ = claims(asked(stored=(other, stored)))
    assert (reaches.verdict, prompt.verdict) == verdicts
    assert prompt.because == ("lna.web-app-reaches-target" if local == "block" else None)


ANSWERS = [
    (OK, GRANTED, "a person clicked Allow"),
    (HELD, GRANTED, "but the request failed all the same"),
    (HELD, DENIED, "a person clicked Block"),
    (HELD, PROMPT, "a person closed the question"),
    (SeenRequest(kind=LaunchKind.SIMPLE, ok=False, error="timeout"), PROMPT, "nobody answered"),
]


@pytest.mark.parametrize(("request_", "after", "words"), ANSWERS)
def test_the_report_says_what_a_person_chose(request_: SeenRequest, after: Permissions, words: str) -> None:
    seen = asked()
    person = trial(Situation.PERSON, request_, after=after)
    visit = replace(seen.visits[0], trials=(*seen.visits[0].trials, person))
    assert words in no_prompt_needed(replace(seen, visits=(visit,)), TARGET).summary


def test_a_proxy_spares_only_those_who_use_it() -> None:
    seen = survey(trial(Situation.FRESH, *PROXIED), unguarded=PROXIED, proxy="http://proxy.corp.example:3128")
    finding = no_prompt_needed(seen, TARGET)
    assert finding.verdict is Verdict.PASS
    assert "through the proxy http://proxy.corp.example:3128" in finding.summary
    assert "without the proxy are asked" in finding.summary


def test_frames_are_told_of() -> None:
    seen = asked()
    frames = (trial(Situation.FRAMED, HELD, before=DENIED), trial(Situation.FRAMED_WITH_ALLOW, HELD))
    framed = replace(seen, visits=(replace(seen.visits[0], trials=(*seen.visits[0].trials, *frames)),))
    assert 'only with allow="local-network-access"' in page_context_allows(framed, TARGET).summary
    assert "frame" not in page_context_allows(seen, TARGET).summary


def test_the_worst_origin_speaks_for_all() -> None:
    good, bad = asked().visits[0], fresh(HELD, DENIED).visits[0]
    seen = replace(asked(), visits=(good, replace(bad, origin="https://other.example")))
    finding = web_app_reaches_target(seen, TARGET)
    assert finding.verdict is Verdict.FAIL
    assert "https://other.example" in finding.summary


BUCKET_VISIT = PageVisit(
    origin=ORIGIN,
    what=BUCKET,
    url="https://bucket.corp.example/a",
    trials=(trial(Situation.UNGUARDED, OK), trial(Situation.FRESH, HELD), trial(Situation.ALLOWED, OK, before=GRANTED)),
)
PUBLIC_VISIT = PageVisit(origin=ORIGIN, trials=(trial(Situation.CALLS, *all_ok(replace(OK, space="public"))),))


def test_a_bucket_on_a_private_network_is_asked_for_though_the_target_is_public() -> None:
    seen = replace(asked(), visits=(PUBLIC_VISIT, BUCKET_VISIT))
    reaches, prompt, context = claims(seen)
    assert (reaches.verdict, prompt.verdict, context.verdict) == (Verdict.PASS, Verdict.WARN, Verdict.PASS)
    assert "the bucket bucket.corp.example at 10.0.0.5 (local)" in prompt.summary
    assert prompt.answer.startswith("Calls to the bucket fail")
    assert prompt.remedy is not None
    assert "bucket.corp.example" in prompt.remedy.text


def test_what_cors_hides_of_a_gateway_is_reached_all_the_same() -> None:
    hidden = replace(OK, ok=False, cors_error="MissingAllowOriginHeader")
    trials = (trial(Situation.UNGUARDED, hidden), trial(Situation.FRESH, HELD))
    visit = replace(BUCKET_VISIT, what=GATEWAY, trials=(*trials, trial(Situation.ALLOWED, hidden, before=GRANTED)))
    assert web_app_reaches_target(replace(asked(), visits=(visit,)), TARGET).verdict is Verdict.PASS


def test_an_address_that_is_no_private_networks_own_is_told_as_what_it_is() -> None:
    shared = replace(OK, address="100.64.0.5")
    seen = survey(trial(Situation.FRESH, *all_ok(shared)), unguarded=all_ok(shared))
    assert "100.64.0.5 (local: shared (CGNAT, RFC 6598))" in place(page_readings(seen, TARGET)[0], seen)


def test_where_nothing_is_private_nobody_is_asked_and_no_browser_is_needed() -> None:
    def claim(seen: BrowserSurvey) -> Finding:
        return no_prompt_needed(seen, TARGET)

    near = CalledHost(what=TARGET_ITSELF, url=TARGET.url, guarded=True)
    none = NotMeasured(reason="no browser was found", skipped=True)
    assert where_guarded((replace(near, guarded=False),), none, claim, TARGET.host).summary.startswith(TARGET.host)
    assert where_guarded((near,), none, claim, TARGET.host).verdict is Verdict.SKIP
    assert where_guarded((near,), NotMeasured(reason="-"), claim, TARGET.host).verdict is Verdict.INCONCLUSIVE
    assert where_guarded((near,), asked(), claim, TARGET.host).verdict is Verdict.WARN


def test_policies_can_be_copied() -> None:
    linux, windows, mac = policies(ORIGIN, "local")
    assert json.loads(linux.code) == {
        "LocalNetworkAccessAllowedForUrls": [ORIGIN],
        "LocalNetworkAllowedForUrls": [ORIGIN],
    }
    assert windows.code.count(f'"1"="{ORIGIN}"') == 4
    assert mac.code.count(f"<string>{ORIGIN}</string>") == 2


# --- address spaces ---------------------------------------------------------------------------------------------------


def resolved(*addresses: str, others: tuple[str, ...] = ()) -> Resolution:
    answer = DnsAnswer(qtype="A", outcome=LookupOutcome.ADDRESSES, addresses=others)
    view = View(label="other", servers=(ServerLookup(server="192.0.2.1:53", name=TARGET.host, answers=(answer,)),))
    return Resolution(
        name=TARGET.host, source=AddressSource.RESOLVER, addresses=addresses, views=(view,) if others else ()
    )


SPACES = [
    (resolved("10.0.0.5"), "pass"),
    (resolved("10.0.0.5", "192.168.0.1"), "pass"),
    (resolved("10.0.0.5", "203.0.113.5"), "warn"),
    (resolved("10.0.0.5", others=("203.0.113.5",)), "warn"),
    (resolved("10.0.0.5", "0.0.0.0"), "pass"),  # leads nowhere, so nobody is there
]


@pytest.mark.parametrize(("resolution", "verdict"), SPACES)
def test_one_space_for_everybody(resolution: Resolution, verdict: str) -> None:
    finding = address_space_is_stable(asked(pinned="10.0.0.5"), resolution, TARGET)
    assert finding.verdict == verdict


def test_the_spaces_of_every_host_count() -> None:
    itself = CalledHost(what=TARGET_ITSELF, url=TARGET.url, addresses=("10.0.0.5",), guarded=True)
    bucket = CalledHost(what=BUCKET, url="https://bucket.corp.example/a", addresses=("10.0.0.9", "203.0.113.9"))
    mixed = address_space_is_stable(asked(), resolved("10.0.0.5"), TARGET, (itself, bucket))
    assert mixed.verdict is Verdict.WARN
    assert "bucket.corp.example" in mixed.summary
    near = replace(bucket, addresses=("100.64.0.9",))
    sound = address_space_is_stable(asked(), resolved("10.0.0.5"), TARGET, (itself, near))
    assert sound.verdict is Verdict.PASS
    assert "the bucket: local: 100.64.0.9" in sound.summary
    assert "CGNAT" in str(sound.evidence[0].data)


def test_a_browser_with_another_table_is_told_of() -> None:
    public = replace(OK, space="public")
    seen = survey(trial(Situation.FRESH, *all_ok(public)), unguarded=all_ok(public), pinned="10.0.0.5")
    finding = address_space_is_stable(seen, resolved("10.0.0.5"), TARGET)
    assert finding.verdict is Verdict.WARN
    assert "counts 10.0.0.5 as public" in finding.summary


def test_what_the_browser_did_not_see_is_not_claimed() -> None:
    dead = replace(HELD, cors_error="", net_error="net::ERR_CONNECTION_REFUSED")
    seen = survey(trial(Situation.FRESH, dead), unguarded=(dead,), pinned="10.0.0.5")
    assert "sees it so" not in address_space_is_stable(seen, resolved("10.0.0.5"), TARGET).summary
    assert "sees it so" in address_space_is_stable(asked(), resolved("10.0.0.5"), TARGET).summary


@given(st.lists(st.ip_addresses().map(str), min_size=1, max_size=4))
def test_it_is_stable_where_dns_has_one_space(addresses: list[str]) -> None:
    """The same addresses make both claims hold or neither: nothing but the resolvers' differences sets them apart."""
    resolution = resolved(*addresses)
    stable = address_space_is_stable(asked(), resolution, TARGET).verdict is Verdict.PASS
    assert stable is (addresses_share_a_space(resolution, TARGET).verdict is Verdict.PASS)


_requests = st.builds(
    SeenRequest,
    kind=st.just(LaunchKind.SIMPLE),
    ok=st.booleans(),
    status=st.sampled_from([None, 200, 502]),
    net_error=st.sampled_from(["", "net::ERR_FAILED", "net::ERR_CERT_DATE_INVALID", "net::ERR_CONNECTION_RESET"]),
    cors_error=st.sampled_from(["", REFUSED, "MissingAllowOriginHeader", "InsecureLocalNetwork"]),
    blocked_reason=st.sampled_from(["", "mixed-content"]),
    space=st.sampled_from(["", "local", "loopback", "public", "unknown"]),
    policy=st.sampled_from(["", "Allow", "PermissionBlock", "PermissionWarn"]),
)
_states = st.builds(Permissions, local=st.sampled_from(STATES), loopback=st.sampled_from(STATES))
_trials = st.builds(
    PageTrial,
    situation=st.just(Situation.FRESH),
    secure=st.booleans(),
    allowed_by_page=st.sampled_from([True, False, None]),
    space=st.just("public"),
    before=_states,
    after=_states,
    requests=st.tuples(_requests),
)


@given(_trials, _requests, st.integers(100, 200))
def test_every_observation_comes_to_complete_findings(page: PageTrial, beneath: SeenRequest, major: int) -> None:
    for finding in claims(version(major, survey(page, unguarded=(beneath,)))):
        assert finding.summary
        if finding.verdict in (Verdict.FAIL, Verdict.WARN):
            assert all((finding.hop, finding.owner, finding.expected, finding.seen, finding.evidence))
            assert finding.remedy is not None
            assert finding.sources
