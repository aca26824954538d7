"""Brainstore's roles against each other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotAsked, Unknown
from btdiag.core.target import Target
from btdiag.families.brainstore import judge
from btdiag.families.brainstore.facts import RoleAnswers
from btdiag.families.brainstore.probe import brainstore_roles
from btdiag.net.wire import Wire
from tests import factories
from tests.support.serving import http_target, saying, serving

REFUSED = Failure(phase=Phase.TCP, trouble=Trouble.REFUSED, detail="connection refused")
LOCAL = Failure(phase=Phase.TCP, trouble=Trouble.LOCAL, detail="too many open files")


def seen(status: int | None = 200, body: str = "", failure: Failure | None = None) -> Exchange:
    return factories.exchange(
        url="http://10.0.0.1:4000/",
        label="10.0.0.1:4000",
        status=status,
        headers=(("content-type", "application/json"),),
        body=body,
        failure=failure,
    )


def role(name: str, root: Exchange | None = None, version: str = "2.9.0", status: int = 200) -> RoleAnswers:
    good = root is None
    return RoleAnswers(
        role=name,
        url=f"http://{name}:4000",
        root=root or seen(),
        version=seen(200, f'{{"version": "{version}"}}' if version else "") if good else None,
        status=seen(status) if good else None,
    )


READER, WRITER = role("reader"), role("writer")
GONE = seen(None, failure=REFUSED)


@pytest.mark.parametrize(
    ("roles", "verdict"),
    [
        ((READER,), Verdict.SKIP),
        ((READER, WRITER), Verdict.PASS),
        ((READER, role("writer", GONE)), Verdict.FAIL),
        ((READER, role("writer", seen(500))), Verdict.FAIL),
        ((READER, role("writer", seen(429))), Verdict.INCONCLUSIVE),
        ((READER, role("writer", seen(None, failure=LOCAL))), Verdict.INCONCLUSIVE),
        ((role("reader", GONE), WRITER), Verdict.PASS),
        ((role("reader", GONE), role("writer", GONE)), Verdict.SKIP),
    ],
)
def test_roles_answer(roles: tuple[RoleAnswers, ...], verdict: Verdict) -> None:
    finding = judge.roles_answer(roles, roles[0].url)
    assert finding.verdict is verdict
    if verdict is Verdict.FAIL:
        assert "the writer at http://writer:4000" in finding.summary
        assert finding.answer
        assert finding.remedy is not None


def test_where_none_answers_the_first_one_explains_it() -> None:
    roles = (role("reader", GONE), role("writer", GONE))
    assert judge.roles_answer(roles, roles[0].url).because == "readiness.brainstore-answers"
    assert judge.brainstore_is_not_latched(roles).because == "readiness.brainstore-answers"


@pytest.mark.parametrize(
    ("versions", "verdict"),
    [
        (("2.9.0",), Verdict.SKIP),
        (("2.9.0", "2.9.0"), Verdict.PASS),
        (("2.9.0", ""), Verdict.SKIP),
        (("2.9.0", "2.8.0"), Verdict.WARN),
    ],
)
def test_versions(versions: tuple[str, ...], verdict: Verdict) -> None:
    roles = [role(str(number), version=version) for number, version in enumerate(versions)]
    assert judge.roles_run_one_version(roles).verdict is verdict


@pytest.mark.parametrize(("status", "verdict"), [(200, Verdict.PASS), (503, Verdict.WARN), (404, Verdict.SKIP)])
def test_latch(status: int, verdict: Verdict) -> None:
    assert judge.brainstore_is_not_latched((role("reader", status=status),)).verdict is verdict


def test_each_role_is_asked_and_one_that_is_down_is_asked_once() -> None:
    async def look() -> tuple[RoleAnswers, ...]:
        body = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"version":"2.9.0"}'
        async with serving(saying(body)) as port:
            base = http_target(port)
            roles = (("reader", f"http://127.0.0.1:{port}"), ("writer", "http://127.0.0.1:1"))
            target = replace(base, brainstore_roles=roles)
            return await brainstore_roles(target, Wire(target, user_agent="x"))

    reader, writer = asyncio.run(look())
    assert judge.roles_run_one_version((reader, replace(reader, role="writer"))).verdict is Verdict.PASS
    assert (writer.version, writer.status) == (None, None)
    assert judge.roles_answer((reader, writer), reader.url).verdict is Verdict.FAIL


def test_a_name_that_nobody_knows_is_no_role_that_is_down() -> None:
    target = replace(http_target(9), brainstore_roles=(("reader", "http://no-such-host.invalid:4000"),))
    with pytest.raises(Unknown, match="no name of --brainstore"):
        asyncio.run(brainstore_roles(target, Wire(target, user_agent="x")))


def test_without_a_url_nothing_is_asked() -> None:
    target = Target(url="http://x", scheme="http", host="x", port=80)
    with pytest.raises(NotAsked, match="--brainstore"):
        asyncio.run(brainstore_roles(target, Wire(target, user_agent="x")))
