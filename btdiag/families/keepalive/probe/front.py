"""Which product is the load balancer, where its answers do not tell: many put no mark on what passes them, and answer a
host that they do not know themselves.

Sent: one GET / with a host that nobody has. Recorded: the answer."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, NotMeasured, PerAddress, measurement
from btdiag.core.sender import sender
from btdiag.core.target import Target, Way
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.wire import Wire

NOBODY = "btdiag.invalid"  # RFC 2606 section 2: no name ends so


@measurement(
    budget=13,
    why="one request of at most 6 s, and the time to connect",
    sends=lambda target, mode: [
        f"GET {target.url_for('/')} with Host: {NOBODY}, where no answer tells which product the load balancer is"
    ],
)
async def front_mark(
    serving_way: Way, version: PerAddress[Exchange] | NotMeasured, wire: Wire, target: Target
) -> Exchange:
    """What is answered to a host that nobody has: by the load balancer, if it knows its hosts."""
    known = () if isinstance(version, NotMeasured) else version.facts.values()
    if any(sender(seen).passed for seen in known):
        raise NotAsked("the answers tell which product the load balancer is")
    headers = (("Host", NOBODY),)
    return await wire.provoking().exchange(
        serving_way, "GET", target.url_for("/"), headers=headers, limits=HEALTH_ANSWER
    )
