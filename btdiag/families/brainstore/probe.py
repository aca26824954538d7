"""Three reads at each URL of --brainstore, never through a proxy and without the key."""

from __future__ import annotations

import asyncio

from btdiag.core.answers import AnswerState, state_of
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Unknown, measurement
from btdiag.core.target import Mode, Target
from btdiag.families.brainstore.facts import RoleAnswers
from btdiag.net.endpoint import get
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    return [f"GET {url}{path}" for _, url in target.brainstore_roles for path in ("/", "/version", "/status")]


@measurement(
    budget=38, why="GET / on up to four addresses, then two reads side by side, 6 s each at most", sends=_planned
)
async def brainstore_roles(target: Target, wire: Wire) -> tuple[RoleAnswers, ...]:
    """What each role of --brainstore answers, in the order given."""
    if not target.brainstore_roles:
        raise NotAsked("no --brainstore URL was given", "--brainstore reader=http://HOST:4000")
    found = await asyncio.gather(*(_asked(role, url, target, wire) for role, url in target.brainstore_roles))
    if all(one.root is None for one in found):
        raise Unknown("no name of --brainstore resolves from this machine")
    return tuple(found)


async def _asked(role: str, url: str, target: Target, wire: Wire) -> RoleAnswers:
    async def ask(path: str) -> Exchange:
        return await settled(lambda: get(f"{url}{path}", target, wire, HEALTH_ANSWER))

    try:
        root = await ask("/")
    except Unknown:
        return RoleAnswers(role=role, url=url, root=None)
    if state_of(root, page_allowed=True) is not AnswerState.GOOD:
        return RoleAnswers(role=role, url=url, root=root)
    version, status = await asyncio.gather(ask("/version"), ask("/status"))
    return RoleAnswers(role=role, url=url, root=root, version=version, status=status)
