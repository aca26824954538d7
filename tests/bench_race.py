"""How much sooner a volley finds the keep-alive race than a prober that sends one request an idle period.

Both against the same real nginx and Node in the same run, with a delay of 0, 0.5 and 5 ms (round trip) between them.
Run it with `python tests/bench_race.py`; it needs nginx and node.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from btdiag.core.target import Mode, Route, Target, Way  # noqa: E402
from btdiag.families.keepalive.probe.volleys import Battery  # noqa: E402
from btdiag.lab.link import Link  # noqa: E402
from btdiag.net.wire import Wire  # noqa: E402
from tests.families.keepalive.test_real_gateways import Rig  # noqa: E402

KEEPALIVE_S = 2.0  # of the rig's Node: set to one second, closes after two
AIM_S = -0.006  # before the age of KEEPALIVE_S, for both
PERIODS = 8  # for each way and delay
ROUND_TRIPS_S = (0.0, 0.0005, 0.005)


@contextmanager
def delayed(port: int, round_trip_s: float) -> Iterator[int]:
    """A relay to the port with that round trip, in a thread with an event loop of its own."""
    if round_trip_s == 0:
        yield port
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    link = Link("127.0.0.1", port, delay=round_trip_s / 2, drops_idle_after=None)
    serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(link.serve, "127.0.0.1", 0, backlog=1024), loop)
    server = serving.result(5)
    yield server.sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(_end(server), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


async def _end(server: asyncio.Server) -> None:
    """Close the relay, and wait for the connections that have ended with their servers."""
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=2)


async def failures(port: int, connections: int) -> float:
    """Requests lost in an idle period, on average, when so many are sent at once."""
    target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)
    way = Way(route=Route(label="front", address="127.0.0.1", port=port))
    loop = asyncio.get_running_loop()
    wire = Wire(target, user_agent="btdiag/bench")
    battery = Battery(target=target, way=way, wire=wire, path="/btdiag-bench", began=loop.time())
    await battery.fill(connections, 0)
    await battery.fire("W")
    lost = 0
    for _ in range(PERIODS):
        await asyncio.sleep(0.2)
        await battery.fire("C")
        assert battery.pool_used_at is not None
        due = battery.pool_used_at + KEEPALIVE_S + AIM_S
        await asyncio.sleep(due - 0.1 - loop.time())
        lost += (await battery.fire("A", due=due)).lost
    await battery.close()
    return lost / PERIODS


def yields(round_trip_s: float) -> tuple[float, float]:
    """Lost requests an idle period: of a volley, and of a single request."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), [])
        try:
            with delayed(rig.node(), round_trip_s) as backend:
                front = rig.nginx(backend)
                found = asyncio.run(failures(front, Mode().connections)), asyncio.run(failures(front, 1))
                rig.stop()  # before the relay, so that no connection through it is left
                return found
        finally:
            rig.stop()


def main() -> None:
    """Print the table."""
    rows = []
    for round_trip_s in ROUND_TRIPS_S:
        volley, single = yields(round_trip_s)
        ratio = f"{volley / single:.0f}" if single else f"more than {volley * PERIODS:.0f}"
        rows.append([f"{round_trip_s * 1000:g} ms", f"{volley:.1f}", f"{single:.2f}", ratio])
    headers = ["LB to API", "volley: lost a period", "single request", "ratio"]
    sys.stdout.write(tabulate(rows, headers, disable_numparse=True) + "\n")


if __name__ == "__main__":
    main()
