"""Declared against measured: in effect, not in effect, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from btdiag.config.stated import (
    BODY_LIMIT,
    CUSTOM_CA,
    FRONT_IDLE,
    HOST,
    IMAGE,
    ORIGIN,
    READ_TIMEOUT,
    REPLICAS,
    TLS_MINIMUM,
)
from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Finding, Verdict
from btdiag.core.handshake import Certificate, Distrust, TlsVersions, VersionTrial
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.config.facts import DeclaredTrust, OriginTrial, OriginTrials, SeenReplicas
from btdiag.families.config.judge import api, front, limits, trusted
from btdiag.families.config.judge import replicas as judged_replicas
from btdiag.families.config.plan import MOST, WEB_APP, asked_origins, replica_of, requests_for
from btdiag.families.gateway.facts.requests import ProductRequests, RequestTrial, Trait
from btdiag.families.gateway.facts.streams import HeldStream, StreamSilence
from btdiag.families.keepalive.facts import Fate, FrontIdle, HeldConnection
from tests import factories

TARGET = Target(url="https://api.globex.example", scheme="https", host="api.globex.example", port=443)
UNKNOWN = NotMeasured(reason="the budget ended first")


def told(*settings: tuple[str, str], host: str = TARGET.host) -> Target:
    return replace(
        TARGET,
        host=host,
        settings=tuple(
            DeclaredSetting(name=name, value=value, where=f"values.yaml line {line}")
            for line, (name, value) in enumerate(settings, 7)
        ),
    )


def answer(body: str = "", status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Exchange:
    return factories.exchange(
        url=TARGET.url_for("/version"),
        status=status,
        headers=(("content-type", "application/json"), *headers),
        body=body,
    )


def says_where(finding: Finding) -> bool:
    return "values.yaml line 7" in finding.summary and bool(finding.answer) and finding.remedy is not None


@pytest.mark.parametrize(
    ("tag", "versions", "verdict"),
    [
        ("v2.9.0", ["2.9.0"], Verdict.PASS),
        ("2.9.0", ["v2.9.0"], Verdict.PASS),
        ("v2.9.0", ["2.8.0"], Verdict.WARN),
        ("v2.9.0", ["2.9.0", "2.8.0"], Verdict.WARN),
        ("v2.9.0", ["0.0.54 (abc)"], Verdict.SKIP),
        ("latest", ["2.9.0"], Verdict.SKIP),
    ],
)
def test_image(tag: str, versions: list[str], verdict: Verdict) -> None:
    facts = PerAddress({str(number): answer(f'{{"version": "{one}"}}') for number, one in enumerate(versions)})
    finding = api.image_is_rolled_out(told((IMAGE, tag)), facts)
    assert finding.verdict is verdict
    assert verdict is not Verdict.WARN or says_where(finding)


def test_two_images_are_not_compared() -> None:
    finding = api.image_is_rolled_out(told((IMAGE, "v1.0.0"), (IMAGE, "v2.0.0")), PerAddress({}))
    assert finding.verdict is Verdict.SKIP
    assert "v1.0.0 in values.yaml line 7 and v2.0.0 in values.yaml line 8" in finding.summary


def test_nothing_declared_is_a_skip_and_nothing_measured_is_undecided() -> None:
    assert api.image_is_rolled_out(TARGET, UNKNOWN).verdict is Verdict.SKIP
    assert api.image_is_rolled_out(told((IMAGE, "v2.9.0")), UNKNOWN).verdict is Verdict.INCONCLUSIVE
    assert api.origins_are_allowed(TARGET, UNKNOWN).verdict is Verdict.SKIP
    assert api.origins_are_allowed(told((ORIGIN, A)), UNKNOWN).verdict is Verdict.INCONCLUSIVE
    assert front.tls_minimum_is_effective(TARGET, UNKNOWN).verdict is Verdict.SKIP
    assert front.tls_minimum_is_effective(told((TLS_MINIMUM, "1.2")), UNKNOWN).verdict is Verdict.INCONCLUSIVE
    assert front.idle_timeout_is_effective(TARGET, UNKNOWN).verdict is Verdict.SKIP
    blocked = replace(UNKNOWN, by="dns.resolves")
    assert front.idle_timeout_is_effective(told((FRONT_IDLE, "60")), blocked).because == "dns.resolves"
    assert front.host_is_declared(TARGET).verdict is Verdict.SKIP


def trial(origin: str, allowed: str | None) -> OriginTrial:
    headers = (("access-control-allow-origin", allowed),) if allowed else ()
    return OriginTrial(origin=origin, own=origin == WEB_APP, exchange=answer(status=204, headers=headers))


A = "https://a.example"


@pytest.mark.parametrize(
    ("own", "theirs", "verdict"),
    [
        (WEB_APP, A, Verdict.PASS),
        (WEB_APP, "*", Verdict.PASS),
        (WEB_APP, WEB_APP, Verdict.FAIL),
        (WEB_APP, None, Verdict.FAIL),
        (None, None, Verdict.SKIP),
    ],
)
def test_origins(own: str | None, theirs: str | None, verdict: Verdict) -> None:
    trials = OriginTrials(trials=(trial(WEB_APP, own), trial(A, theirs)))
    finding = api.origins_are_allowed(told((ORIGIN, A)), trials)
    assert finding.verdict is verdict
    assert verdict is not Verdict.FAIL or says_where(finding)


def test_few_origins_are_asked() -> None:
    settings = [(ORIGIN, f"https://{number}.example") for number in range(MOST + 3)]
    named, left_out = asked_origins(told((ORIGIN, WEB_APP), *settings))
    assert (len(named), left_out) == (MOST, 3)
    assert WEB_APP not in named


@pytest.mark.parametrize(
    ("minimum", "accepted", "refused", "verdict"),
    [
        ("1.2", ["1.2", "1.3"], ["1.0", "1.1"], Verdict.PASS),
        ("1.2", ["1.2"], ["1.0", "1.1", "1.3"], Verdict.PASS),
        ("1.2", ["1.1", "1.2", "1.3"], ["1.0"], Verdict.WARN),
        ("1.2", ["1.3"], ["1.0", "1.1", "1.2"], Verdict.WARN),
        ("1.3", ["1.2", "1.3"], [], Verdict.WARN),
        ("1.2", [], ["1.0"], Verdict.SKIP),
    ],
)
def test_tls(minimum: str, accepted: list[str], refused: list[str], verdict: Verdict) -> None:
    trials = [VersionTrial(version=f"TLS {one}", accepted=True) for one in accepted]
    trials += [VersionTrial(version=f"TLS {one}", accepted=False) for one in refused]
    finding = front.tls_minimum_is_effective(
        told((TLS_MINIMUM, minimum)), TlsVersions(label="192.0.2.1", trials=tuple(trials))
    )
    assert finding.verdict is verdict
    assert verdict is not Verdict.WARN or says_where(finding)


@pytest.mark.parametrize(
    ("fate", "age", "verdict"),
    [
        (Fate.FIN, 60.2, Verdict.PASS),
        (Fate.FIN, 4.0, Verdict.WARN),
        (Fate.FIN, 75.0, Verdict.WARN),
        (Fate.ANSWERED, 70.0, Verdict.WARN),
        (Fate.ANSWERED, 30.0, Verdict.SKIP),
    ],
)
def test_idle(fate: Fate, age: float, verdict: Verdict) -> None:
    held = (HeldConnection(fate=fate, age_s=age),)
    one = FrontIdle(label="192.0.2.1", waited_s=80, keeps_alive=True, announced=True, held=held)
    finding = front.idle_timeout_is_effective(told((FRONT_IDLE, "60")), PerAddress({"192.0.2.1": one}))
    assert finding.verdict is verdict
    assert verdict is not Verdict.WARN or says_where(finding)
    cdn = front.idle_timeout_is_effective(told((FRONT_IDLE, "60")), PerAddress({"a": one}), {"nginx", "Cloudflare"})
    assert cdn.verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("host", "declared", "verdict"),
    [
        ("api.globex.example", "api.globex.example", Verdict.PASS),
        ("api.globex.example", "*.globex.example", Verdict.PASS),
        ("api.globex.example", "api.other.example", Verdict.WARN),
        ("127.0.0.1", "api.other.example", Verdict.SKIP),
        ("localhost", "api.other.example", Verdict.SKIP),
        ("api.braintrust.svc.cluster.local", "api.other.example", Verdict.SKIP),
    ],
)
def test_host(host: str, declared: str, verdict: Verdict) -> None:
    finding = front.host_is_declared(told((HOST, declared), host=host))
    assert finding.verdict is verdict
    assert verdict is not Verdict.WARN or says_where(finding)


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("limit", "bodies", "verdict"),
    [
        (8 * MIB, [(6 * MIB, 404)], Verdict.PASS),
        (8 * MIB, [(6 * MIB, 413)], Verdict.WARN),
        (8 * MIB, [(6 * MIB, 404), (9 * MIB, 413)], Verdict.PASS),
        (1 * MIB, [(6 * MIB, 404)], Verdict.WARN),
        (1 * MIB, [(6 * MIB, 413)], Verdict.PASS),
        (8 * MIB, [(6 * MIB, 502)], Verdict.SKIP),
        (8 * MIB, [], Verdict.SKIP),
    ],
)
def test_body_limit(limit: int, bodies: list[tuple[int, int]], verdict: Verdict) -> None:
    plain = factories.exchange(status=404)
    trials = tuple(
        RequestTrial(trait=Trait.BODY, what="a body", exchange=factories.exchange(status=status), size=size)
        for size, status in bodies
    )
    seen = ProductRequests(plain_get=plain, plain_post=plain, trials=trials)
    finding = limits.body_limit_is_effective(told((BODY_LIMIT, str(limit))), seen)
    assert finding.verdict is verdict, finding.summary
    assert verdict is not Verdict.WARN or says_where(finding)


def held(status: int, over: float, trouble: Trouble | None = None) -> HeldStream:
    seen = factories.exchange(status=status)
    if trouble is not None:
        seen = replace(seen, failure=Failure(phase=Phase.BODY, trouble=trouble, detail="ended"))
    return HeldStream(exchange=seen, last_s=0.1, longest_s=0.0, gap_s=0.0, over_s=over)


@pytest.mark.parametrize(
    ("wanted", "front", "direct", "verdict"),
    [
        ("60", [held(504, 60.1), held(504, 60.2)], None, Verdict.PASS),
        ("900", [held(504, 60.1), held(504, 60.2)], None, Verdict.WARN),
        ("30", [held(504, 60.1), held(504, 60.2)], None, Verdict.WARN),
        ("30", [held(200, 68.0, Trouble.TIMEOUT)] * 2, None, Verdict.WARN),
        ("900", [held(200, 68.0, Trouble.TIMEOUT)] * 2, None, Verdict.SKIP),
        ("900", [held(504, 20.0), held(504, 60.2)], None, Verdict.SKIP),
        ("900", [held(504, 60.1), held(504, 60.2)], held(200, 60.0, Trouble.CLOSED), Verdict.SKIP),
    ],
)
def test_read_timeout(wanted: str, front: list[HeldStream], direct: HeldStream | None, verdict: Verdict) -> None:
    seen = StreamSilence(front=tuple(front), direct=direct, watched_s=68.0)
    finding = limits.read_timeout_is_effective(told((READ_TIMEOUT, wanted)), seen)
    assert finding.verdict is verdict, finding.summary
    assert verdict is not Verdict.WARN or says_where(finding)


def test_limits_that_nobody_declares_or_measures() -> None:
    for judge in (limits.body_limit_is_effective, limits.read_timeout_is_effective):
        assert judge(told(), UNKNOWN).verdict is Verdict.SKIP
    assert limits.body_limit_is_effective(told((BODY_LIMIT, "1")), UNKNOWN).verdict is Verdict.INCONCLUSIVE
    assert limits.read_timeout_is_effective(told((READ_TIMEOUT, "1")), UNKNOWN).verdict is Verdict.INCONCLUSIVE


def seen(*counts: int, told_by: str = "x-served-by") -> SeenReplicas:
    answers = tuple((f"api-{number}", count) for number, count in enumerate(counts))
    return SeenReplicas(asked=sum(counts) or 1, answers=answers, told_by=told_by if counts else "")


@pytest.mark.parametrize(
    ("declared", "replicas", "verdict"),
    [
        ("3", seen(8, 8, 8), Verdict.PASS),
        ("3", seen(20, 20), Verdict.WARN),
        ("2", seen(9, 8, 7), Verdict.WARN),
        ("3", seen(24), Verdict.INCONCLUSIVE),
        ("30", seen(20, 20), Verdict.INCONCLUSIVE),
        ("3", seen(*([1] * 24)), Verdict.SKIP),
        ("3", seen(), Verdict.SKIP),
    ],
)
def test_replicas(declared: str, replicas: SeenReplicas, verdict: Verdict) -> None:
    finding = judged_replicas.declared_replicas_answer(told((REPLICAS, declared)), replicas)
    assert finding.verdict is verdict
    assert verdict is not Verdict.WARN or says_where(finding)
    assert judged_replicas.declared_replicas_answer(TARGET, replicas).verdict is Verdict.SKIP


def test_replicas_are_told_by_headers_but_not_by_caches() -> None:
    assert replica_of(answer(headers=(("x-served-by", "api-1"),))) == ("x-served-by", "api-1")
    assert replica_of(answer(headers=(("x-served-by", "cache-ams1-AMS"),))) is None
    assert requests_for(1) < requests_for(4) < requests_for(6) <= 40


def certified(subject: str, issuer: str) -> Certificate:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Certificate(
        subject=subject, issuer=issuer, names=(), not_before=now, not_after=now, serial="1", sha256=subject
    )


ISSUER = certified(subject="CN=Globex CA", issuer="CN=Globex CA")
STRANGER = certified(subject="CN=Other CA", issuer="CN=Other CA")
LEAF = certified(subject="CN=api.globex.example", issuer="CN=Globex CA")


@pytest.mark.parametrize(
    ("trust", "verdict", "said"),
    [
        (DeclaredTrust(label="1.2.3.4", declared=(ISSUER,), chain=(LEAF,)), Verdict.PASS, "values.yaml line 7"),
        (
            DeclaredTrust(
                label="1.2.3.4", declared=(STRANGER,), chain=(LEAF,), distrust=Distrust(code=20, message="no issuer")
            ),
            Verdict.WARN,
            "the bundle lacks it",
        ),
        (
            DeclaredTrust(
                label="1.2.3.4", declared=(ISSUER,), chain=(LEAF,), distrust=Distrust(code=20, message="no issuer")
            ),
            Verdict.WARN,
            "of the same name",
        ),
        (
            DeclaredTrust(
                label="1.2.3.4", declared=(ISSUER,), chain=(LEAF,), distrust=Distrust(code=10, message="has expired")
            ),
            Verdict.SKIP,
            "another reason",
        ),
        (
            DeclaredTrust(
                label="1.2.3.4",
                declared=(ISSUER,),
                chain=(certified(subject="CN=x", issuer="CN=Zscaler Root CA,O=Zscaler Inc."),),
                distrust=Distrust(code=20, message="no issuer"),
            ),
            Verdict.SKIP,
            "TLS inspection",
        ),
    ],
)
def test_custom_ca(trust: DeclaredTrust, verdict: Verdict, said: str) -> None:
    finding = trusted.declared_ca_is_presented(told((CUSTOM_CA, "PEM")), trust)
    assert finding.verdict is verdict
    assert said in finding.summary
    assert verdict is not Verdict.WARN or says_where(finding)
    assert "PEM" not in str(finding)
    assert trusted.declared_ca_is_presented(TARGET, trust).verdict is Verdict.SKIP
