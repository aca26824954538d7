"""Where no address answers GET /: does one answer when the request arrives otherwise, with a line of the PROXY protocol
before it, or with another form of the host?

Sent, where all of GET / failed in such a way, and nowhere else: GET / once more, on the first address. The line says
UNKNOWN, and so nothing of anybody. Recorded: the answers."""

from __future__ import annotations

from btdiag.core.answers import Roots, root_readings
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, NotMeasured, PerAddress, measurement
from btdiag.core.target import Target, Way
from btdiag.core.urls import other_host
from btdiag.families.readiness.facts import Arrival
from btdiag.families.readiness.plan import may_miss_a_proxy_line, may_want_another_host
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.request import PROXY_UNKNOWN, Shape
from btdiag.net.wire import Wire


@measurement(
    budget=13,
    why="one request of at most 6 s, and the time to connect",
    sends=lambda target, mode: [
        f"GET {target.url_for('/')} once more, after a line of the PROXY protocol or with another form of Host, where "
        "it failed in such a way"
    ],
)
async def arrival(
    way: PerAddress[Way],
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    wire: Wire,
    target: Target,
) -> Arrival:
    """How GET / is answered when it arrives as the server behind may expect it."""
    found = root_readings(roots, version)
    bad = {label: reading.bad for label, reading in found.items() if reading.bad and label in way.facts}
    if not bad or any(reading.answers for reading in found.values()):
        raise NotAsked("GET / is answered")
    label = next(iter(bad))
    route, url = way.facts[label], target.url_for("/")
    if target.scheme == "http" and may_miss_a_proxy_line(bad[label]) and route.route.proxy is None:
        shape = Shape(before=PROXY_UNKNOWN)
        seen = await wire.provoking().exchange(route, "GET", url, shape=shape, limits=HEALTH_ANSWER)
        return Arrival(with_proxy_line=seen)
    if may_want_another_host(bad[label]):
        host = other_host(url)
        seen = await wire.provoking().exchange(route, "GET", url, headers=(("Host", host),), limits=HEALTH_ANSWER)
        return Arrival(with_host=(host, seen))
    raise NotAsked("nothing tells that GET / should arrive otherwise")
