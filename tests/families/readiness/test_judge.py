"""The judgements of the readiness family: one cause fails one check, and what is not known is not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core import answers
from btdiag.core.answers import AnswerState, Roots
from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Secret, Target
from btdiag.families.readiness.facts import KeyContrast
from btdiag.families.readiness.judge import api, key, root
from tests import factories

NONE = NotMeasured(reason="not asked for", skipped=True)
TARGET = Target(
    url="https://api.example.com",
    scheme="https",
    host="api.example.com",
    port=443,
    api_key=Secret("sk-canary"),
    api_key_source="BRAINTRUST_API_KEY",
    ca_file=Path("ca.pem"),
)


def seen(
    status: int | None = 200,
    body: str = "Hello, World!",
    *,
    path: str = "/",
    label: str = "192.0.2.1",
    after: float = 0.01,
    trouble: Trouble | None = None,
    phase: Phase = Phase.HEADERS,
    withheld: str | None = None,
    verified: bool = True,
    **headers: str,
) -> Exchange:
    failure = Failure(phase=phase, trouble=trouble, detail="what the system said") if trouble else None
    return factories.exchange(
        url=f"https://api.example.com{path}",
        label=label,
        request_headers=(("Host", "api.example.com"),),
        address=label,
        http_version="HTTP/1.1",
        status=None if trouble and phase is not Phase.BODY else status,
        headers=factories.named(headers),
        body=body,
        timing=Timing(first_byte_s=after, total_s=6.0),
        failure=failure,
        tls_verified=verified,
        key_withheld=withheld,
    )


def roots(**addresses: list[Exchange]) -> PerAddress[Roots]:
    return PerAddress({label: Roots(exchanges=tuple(all_)) for label, all_ in addresses.items()})


def per_address(**addresses: Exchange) -> PerAddress[Exchange]:
    return PerAddress(addresses)


GOOD = seen()
BAD = seen(502, "<center>nginx/1.22.1</center>")
LIMITED = seen(429, "slow down", Retry_After="30")
LOCAL = seen(trouble=Trouble.LOCAL, phase=Phase.TCP)
VERSION = seen(body='{"version": "1.1.32", "commit": "abc"}', path="/version")


def verdicts(found: PerAddress[Roots], backend: Exchange | NotMeasured = NONE) -> Mapping[str, Finding]:
    """What all checks say that need nothing but GET / (and a healthy /version, /ping, /status)."""
    version = per_address(**dict.fromkeys(found, VERSION))
    ping = per_address(**dict.fromkeys(found, seen(path="/ping")))
    status = per_address(**dict.fromkeys(found, seen(path="/status")))
    answered = GOOD if isinstance(backend, NotMeasured) else backend
    return {
        "root": root.root_answers(found, NONE, backend),
        "agree": root.every_address_agrees(found, NONE),
        "steady": root.answers_steadily(found, NONE),
        "prompt": root.answers_promptly(found, NONE),
        "json": api.api_speaks_json(found, version),
        "key": key.key_is_accepted(found, NONE, ping, NONE, TARGET),
        "status": api.status_is_not_latched(found, NONE, status),
        "backend": api.backend_agrees(found, NONE, answered),
    }


def test_healthy_passes_everything() -> None:
    for found in (roots(a=[GOOD] * 6), roots(a=[GOOD] * 6, b=[GOOD] * 6)):
        assert {finding.verdict for finding in verdicts(found).values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("found", "culprit"),
    [
        pytest.param(roots(a=[BAD] * 6, b=[BAD] * 6), "root", id="dead"),
        pytest.param(roots(a=[GOOD] * 6, b=[BAD] * 6), "agree", id="one address dead"),
        pytest.param(roots(a=[GOOD, BAD, GOOD], b=[GOOD] * 3), "steady", id="flapping"),
        pytest.param(roots(a=[seen(after=5.5)] * 3), "prompt", id="far too slow"),
    ],
)
def test_one_cause_fails_one_check(found: PerAddress[Roots], culprit: str) -> None:
    results = verdicts(found)
    assert [name for name, finding in results.items() if finding.verdict is Verdict.FAIL] == [culprit]
    failed = results[culprit]
    assert all((failed.hop, failed.owner, failed.expected, failed.seen, failed.evidence, failed.remedy, failed.sources))
    if culprit == "root":
        others = [finding for name, finding in results.items() if name != "root"]
        assert {(finding.verdict, finding.because) for finding in others} == {(Verdict.SKIP, "readiness.root-answers")}


@pytest.mark.parametrize(("answer", "word"), [(LIMITED, "30 s"), (LOCAL, "this machine")])
def test_what_is_not_known_is_inconclusive(answer: Exchange, word: str) -> None:
    for finding in verdicts(roots(a=[answer] * 3)).values():
        assert finding.verdict is Verdict.INCONCLUSIVE
        assert word in finding.summary


def test_a_limit_among_good_answers_is_no_flapping() -> None:
    finding = root.answers_steadily(roots(a=[GOOD, GOOD, LIMITED]), NONE)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert root.root_answers(roots(a=[GOOD, LIMITED]), NONE, NONE).verdict is Verdict.PASS
    assert root.every_address_agrees(roots(a=[GOOD], b=[LIMITED]), NONE).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (seen(204, ""), AnswerState.GOOD),
        (seen(302, Location="/v1"), AnswerState.GOOD),
        (seen(304), AnswerState.GOOD),
        (seen(200, "Hello", Content_Type="text/html; charset=utf-8"), AnswerState.GOOD),
        (seen(302, Location="/login"), AnswerState.BAD),
        (seen(302, Location="https://other.example/"), AnswerState.BAD),
        (replace(seen(301, Location="https://api.example.com/"), url="http://api.example.com/"), AnswerState.BAD),
        (seen(200, "<!doctype html><div id=root></div>"), AnswerState.BAD),
        (seen(200, "\\x1b[2Jboo"), AnswerState.BAD),
        (seen(200, Server="x\\x07"), AnswerState.BAD),
        (seen(200, "caf\\xe9 \\x09"), AnswerState.GOOD),
        (seen(401), AnswerState.BAD),
        (seen(429), AnswerState.LIMITED),
        (seen(trouble=Trouble.RESET), AnswerState.BAD),
        (seen(trouble=Trouble.LOCAL), AnswerState.LOCAL),
    ],
)
def test_state_of_an_answer(answer: Exchange, state: AnswerState) -> None:
    assert answers.state_of(answer) is state


def test_web_page_at_root_is_no_fault_where_version_speaks_json() -> None:
    page = roots(a=[seen(200, "<html>x</html>")])
    assert root.root_answers(page, per_address(a=VERSION), NONE).verdict is Verdict.PASS
    assert root.root_answers(page, per_address(a=seen(200, "<html>x</html>")), NONE).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("backend", "hop", "words"),
    [
        (NONE, HopName.LOAD_BALANCER, "no usable answer"),
        (GOOD, HopName.LOAD_BALANCER, "so the load balancer is at fault"),
        (seen(trouble=Trouble.REFUSED, phase=Phase.TCP), HopName.API, "connection refused"),
        (LIMITED, HopName.LOAD_BALANCER, "no usable answer"),
    ],
)
def test_backend_tells_whose_fault_it_is(backend: Exchange | NotMeasured, hop: HopName, words: str) -> None:
    finding = root.root_answers(roots(a=[BAD]), NONE, backend)
    assert (finding.verdict, finding.hop) == (Verdict.FAIL, hop)
    assert words in finding.summary


def test_remedy_does_not_send_to_a_backend_that_is_known_to_be_well() -> None:
    finding = root.root_answers(roots(a=[BAD]), NONE, GOOD)
    assert finding.remedy is not None
    assert "correct the address that it has for it" in finding.remedy.text
    finding = root.root_answers(roots(a=[seen(401, "<center>nginx</center>")]), NONE, GOOD)
    assert finding.remedy is not None
    assert "Exempt" in finding.remedy.text


def test_backend_does_not_excuse_a_proxy() -> None:
    blocked = seen(403, "x", X_Squid_Error="ERR_ACCESS_DENIED 0")
    assert root.root_answers(roots(a=[blocked]), NONE, GOOD).hop is HopName.PROXY


def test_summary_names_counts_addresses_and_senders() -> None:
    finding = root.root_answers(roots(a=[BAD], b=[seen(trouble=Trouble.RESET)]), NONE, NONE)
    assert "2 of 2 addresses with 502 from nginx (a); a reset (b)" in finding.summary
    finding = root.every_address_agrees(roots(a=[BAD], b=[GOOD], c=[GOOD]), NONE)
    assert "1 of 3 addresses never answers GET / well: 502 from nginx (a), while b, c do" in finding.summary
    finding = root.answers_steadily(roots(a=[BAD, GOOD], b=[GOOD, GOOD]), NONE)
    assert "1 of 4 requests failed with 502 from nginx (a: 1 of 2)" in finding.summary


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (seen(trouble=Trouble.TIMEOUT), "no answer within 6 s"),
        (seen(trouble=Trouble.TIMEOUT, phase=Phase.BODY), "no end of the answer within 6 s"),
        (seen(trouble=Trouble.TIMEOUT, phase=Phase.TCP), "no connection within 6 s"),
        (seen(trouble=Trouble.TOO_LARGE), "an endless header"),
        (seen(trouble=Trouble.TOO_LARGE, phase=Phase.BODY), "an oversized body (what the system said)"),
        (seen(trouble=Trouble.CLOSED, phase=Phase.BODY), "200, then a closed connection"),
        (seen(302, Location="https://x.example/?token=1"), "302 to https://x.example/"),
        (seen(200, "\\x00"), "200 with control characters in it"),
        (seen(200, "<html>x</html>"), "200 with an HTML page"),
    ],
)
def test_words(answer: Exchange, words: str) -> None:
    assert answers.in_words(answer) == words


@given(st.sampled_from(Trouble), st.sampled_from(Phase))
def test_every_failure_has_words(trouble: Trouble, phase: Phase) -> None:
    assert answers.in_words(seen(trouble=trouble, phase=phase))


def test_different_statuses_and_versions_are_a_warning() -> None:
    finding = root.every_address_agrees(roots(a=[GOOD], b=[seen(204)]), NONE)
    assert (finding.verdict, finding.seen) == (Verdict.WARN, "a: 200, b: 204")
    old = seen(body='{"version": "1.1.28"}')
    finding = root.every_address_agrees(roots(a=[GOOD], b=[GOOD]), per_address(a=VERSION, b=old))
    assert (finding.verdict, finding.seen) == (Verdict.WARN, "a: 1.1.32 abc, b: 1.1.28")
    nameless = per_address(a=VERSION, b=seen(404, "{}"))
    assert root.every_address_agrees(roots(a=[GOOD], b=[GOOD]), nameless).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0.1, Verdict.PASS), (1.5, Verdict.PASS), (2.1, Verdict.WARN), (5.0, Verdict.WARN), (5.1, Verdict.FAIL)],
)
def test_promptness_goes_by_the_median_of_the_slowest_address(seconds: float, verdict: Verdict) -> None:
    once = [GOOD, GOOD, seen(after=5.9)]
    assert root.answers_promptly(roots(a=once, b=[seen(after=seconds)] * 3), NONE).verdict is verdict


def test_a_version_that_is_answered_as_the_root_is_tells_of_a_rewritten_path() -> None:
    root = replace(GOOD, headers=(*GOOD.headers, ("x-bt-internal-trace-id", "1")))
    found = api.api_speaks_json(roots(a=[root]), per_address(a=replace(root, url=VERSION.url)))
    assert (found.verdict, "whatever path a client asks for" in found.summary) == (Verdict.FAIL, True), found.summary
    assert len(found.answer) <= 90
    assert found.remedy is not None
    assert len(found.remedy.action) <= 140


@pytest.mark.parametrize(
    ("answer", "verdict", "word"),
    [
        (VERSION, Verdict.PASS, "version 1.1.32 abc"),
        (seen(401, '{"error": "x"}'), Verdict.PASS, "401 in JSON"),
        (seen(404, '{"error": "x"}'), Verdict.PASS, "404 in JSON"),
        (seen(404, "<pre>Cannot GET /version</pre>"), Verdict.WARN, "no /version"),
        (seen(403, '{"message":"Missing Authentication Token"}'), Verdict.WARN, "no /version"),
        (seen(404, "<html><center>nginx</center></html>"), Verdict.FAIL, "no rule of the gateway"),
        (seen(200, "<html><title>Sign in</title></html>"), Verdict.FAIL, "a login page"),
        (seen(200, "plain"), Verdict.FAIL, "no API"),
        (seen(302, Location="/login"), Verdict.FAIL, "login"),
        (seen(500, '{"error": "x"}'), Verdict.FAIL, "failed"),
        (seen(trouble=Trouble.TIMEOUT), Verdict.FAIL, "no answer within 6 s"),
        (LIMITED, Verdict.INCONCLUSIVE, "rate limited"),
    ],
)
def test_api_speaks_json(answer: Exchange, verdict: Verdict, word: str) -> None:
    finding = api.api_speaks_json(roots(a=[GOOD]), per_address(a=answer))
    assert finding.verdict is verdict
    assert word in finding.summary


def test_only_addresses_that_answer_are_asked_more() -> None:
    found = roots(a=[GOOD], b=[BAD])
    assert api.api_speaks_json(found, per_address(a=VERSION, b=BAD)).verdict is Verdict.PASS
    assert api.api_speaks_json(found, per_address(b=BAD)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answer", "verdict", "because", "word"),
    [
        (seen(200, "[withheld]"), Verdict.PASS, None, "from BRAINTRUST_API_KEY is accepted"),
        (seen(401, '{"error": "x"}'), Verdict.FAIL, None, "rejects the API key from BRAINTRUST_API_KEY"),
        (seen(401, "<center>nginx</center>"), Verdict.FAIL, None, "a login in front"),
        (seen(503, "x"), Verdict.FAIL, None, "no healthy target"),
        (seen(404, "{}"), Verdict.INCONCLUSIVE, None, "does not exist"),
        (LIMITED, Verdict.INCONCLUSIVE, None, "rate limited"),
        (seen(401, withheld="the connection is not encrypted"), Verdict.SKIP, None, "not encrypted"),
        (seen(401, withheld="x", verified=False), Verdict.SKIP, "connection.tls-is-trusted", "verified TLS only"),
    ],
)
def test_key_is_accepted(answer: Exchange, verdict: Verdict, because: str | None, word: str) -> None:
    finding = key.key_is_accepted(roots(a=[GOOD]), NONE, per_address(a=answer), NONE, TARGET)
    assert (finding.verdict, finding.because) == (verdict, because)
    assert word in finding.summary
    assert "canary" not in repr(finding)


MISSING, WRONG, OK = seen(401, '{"error": "missing"}'), seen(401, '{"error": "no such key"}'), seen(200, "[withheld]")
TWICE = seen(400, '{"error": "two values"}')
BASIC = seen(401, "<center>nginx</center>")


@pytest.mark.parametrize(
    ("refused", "tried", "owner", "words"),
    [
        (MISSING, KeyContrast(without=MISSING, made_up=MISSING, direct=OK), Owner.LOAD_BALANCER, "takes the Auth"),
        (WRONG, KeyContrast(without=MISSING, made_up=WRONG, direct=OK), Owner.LOAD_BALANCER, "puts another"),
        (MISSING, KeyContrast(without=MISSING, made_up=MISSING, other_header=OK), Owner.LOAD_BALANCER, "x-bt-auth"),
        (TWICE, KeyContrast(without=MISSING, made_up=TWICE, direct=OK), Owner.LOAD_BALANCER, "adds a second"),
        (BASIC, KeyContrast(without=BASIC, made_up=BASIC, other_header=OK), Owner.LOAD_BALANCER, "takes the Auth"),
        (WRONG, KeyContrast(without=MISSING, made_up=WRONG), Owner.CLIENT, "so the key does arrive"),
        (seen(403, '{"error": "organisation"}'), KeyContrast(without=MISSING, made_up=WRONG), Owner.CLIENT, "known"),
        (WRONG, KeyContrast(without=WRONG, made_up=WRONG, direct=WRONG), Owner.CLIENT, "asked directly"),
        (WRONG, KeyContrast(without=WRONG, made_up=WRONG, other_header=WRONG), Owner.API, "either the key is not"),
        (BASIC, KeyContrast(without=BASIC, made_up=BASIC, other_header=BASIC), Owner.LOAD_BALANCER, "a login in front"),
    ],
)
def test_who_refuses_a_key_follows_from_what_changes_the_answer(
    refused: Exchange, tried: KeyContrast, owner: Owner, words: str
) -> None:
    finding = key.key_is_accepted(roots(a=[GOOD]), NONE, per_address(a=refused), tried, TARGET)
    assert (finding.verdict, finding.owner) == (Verdict.FAIL, owner), finding.summary
    assert words in finding.summary
    assert len(finding.answer) <= 90
    assert finding.remedy is not None
    assert len(finding.remedy.action) <= 140


def test_ids_and_times_make_no_other_answer() -> None:
    one, other = (seen(401, f'{{"error": "x", "id": "{each}"}}') for each in ("7f3a9c0011", "0c12ab77ff"))
    assert key.alike(one, other)
    assert not key.alike(one, seen(403, one.body))
    assert not key.alike(one, seen(401, '{"error": "y"}'))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (seen(200, '{"status": "ok"}'), Verdict.PASS),
        (seen(503, '{"status": "unhealthy"}'), Verdict.WARN),
        (seen(trouble=Trouble.TIMEOUT), Verdict.WARN),
        (seen(404, "{}"), Verdict.SKIP),
        (seen(401, "{}"), Verdict.SKIP),
        (LIMITED, Verdict.INCONCLUSIVE),
    ],
)
def test_status_is_not_latched(answer: Exchange, verdict: Verdict) -> None:
    assert api.status_is_not_latched(roots(a=[GOOD]), NONE, per_address(a=answer)).verdict is verdict


@pytest.mark.parametrize(
    ("backend", "verdict"),
    [
        (GOOD, Verdict.PASS),
        (seen(200, "<html>x</html>"), Verdict.PASS),
        (seen(503, "{}"), Verdict.FAIL),
        (seen(trouble=Trouble.RESET), Verdict.FAIL),
        (seen(trouble=Trouble.REFUSED, phase=Phase.TCP), Verdict.INCONCLUSIVE),
        (LIMITED, Verdict.INCONCLUSIVE),
    ],
)
def test_backend_agrees(backend: Exchange, verdict: Verdict) -> None:
    assert api.backend_agrees(roots(a=[GOOD]), NONE, backend).verdict is verdict


@pytest.mark.parametrize(
    ("answer", "verdict", "word"),
    [
        (GOOD, Verdict.PASS, "answers 200"),
        (seen(500, "x"), Verdict.FAIL, "not ready"),
        (seen(trouble=Trouble.REFUSED, phase=Phase.TCP), Verdict.FAIL, "nothing listens"),
        (seen(trouble=Trouble.TIMEOUT, phase=Phase.TCP), Verdict.FAIL, "out of reach"),
        (LOCAL, Verdict.INCONCLUSIVE, "this machine"),
        (LIMITED, Verdict.INCONCLUSIVE, "rate limited"),
    ],
)
def test_brainstore_answers(answer: Exchange, verdict: Verdict, word: str) -> None:
    finding = api.brainstore_answers(answer)
    assert finding.verdict is verdict
    assert word in finding.summary


def test_proofs_pin_the_address_but_not_through_a_proxy() -> None:
    command = answers.exchange_proofs(seen(label="2001:db8::1"))[1].data
    assert isinstance(command, str)
    assert "--resolve 'api.example.com:443:[2001:db8::1]'" in command
    command = answers.exchange_proofs(replace(GOOD, label="proxy 192.0.2.9:3128"))[1].data
    assert isinstance(command, str)
    assert "--resolve" not in command


ANY = st.sampled_from([GOOD, BAD, LIMITED, LOCAL, seen(trouble=Trouble.TIMEOUT), seen(302, Location="/login")])


@given(st.lists(st.lists(ANY, min_size=1, max_size=4), min_size=1, max_size=3))
def test_any_mixture_gives_one_verdict_with_a_way_out(mixture: list[list[Exchange]]) -> None:
    found = PerAddress({f"192.0.2.{number}": Roots(exchanges=tuple(all_)) for number, all_ in enumerate(mixture)})
    results = verdicts(found)
    assert sum(results[name].verdict is Verdict.FAIL for name in ("root", "agree")) <= 1
    for finding in results.values():
        assert "\n" not in finding.summary
        assert finding.remedy or finding.verdict in {Verdict.PASS, Verdict.SKIP}
        assert (finding.because is None) or finding.verdict is Verdict.SKIP
