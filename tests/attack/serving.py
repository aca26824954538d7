"""Attacks `btdiag serve`: hostile requests by the thousand, targets that lead elsewhere, and a process that is killed.

What must be true: no connection to anything that is not listed, no answer under a name that is not ours, no file, no
traceback, memory that stays, and whoever is killed has every run that was seen to end. `make attack` runs it for so
many MINUTES.
"""

from __future__ import annotations

import asyncio
import random
import re
import resource
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from btdiag.config.values import store_place
from btdiag.store.store import opened_store
from tests.attack.shots import Shot, get, shots, thorough
from tests.support.postgres import postgres
from tests.support.watching import Daemonic, Healthy, Watcher, healthy, watcher

AT_ONCE = 200
PATIENCE_S = 60.0
SHORT_S = 1.0  # where no answer is due
GROWTH_MB = 24.0  # of the process under attack, once it has seen everything once: what allocators keep
SETTLED = 0.3  # of the requests
MARK = b"root:x:"
_BEGAN = re.compile(r"^btdiag_run_timestamp_seconds\S* (\S+)$", re.MULTILINE)


class Canary:
    """A server that nobody may ask."""

    def __init__(self, host: str) -> None:
        self.touched: list[bytes] = []
        self._listening = socket.create_server((host, 0))
        self.address = f"{host}:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                with peer, suppress(OSError):
                    peer.settimeout(1)
                    self.touched.append(peer.recv(2_000))

    def close(self) -> None:
        """No more."""
        self._listening.close()


class Elsewhere(Healthy):
    """Sends whoever asks to another server, in every way there is."""

    place = ""

    def do_GET(self) -> None:
        """Redirect by status, header and page."""
        body = (
            f'<meta http-equiv="refresh" content="0;url=http://{self.place}/"><a href="http://{self.place}/">'.encode()
        )
        self.send_response(random.choice((301, 302, 303, 307, 308)))
        self.send_header("Location", random.choice((f"http://{self.place}/x", f"//{self.place}/x")))
        self.send_header("Refresh", f"0;url=http://{self.place}/")
        self.send_header("Link", f"<http://{self.place}/>; rel=preload")
        self.send_header("Alt-Svc", f'h2="{self.place}"; ma=60')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_POST = do_OPTIONS = do_GET


@dataclass
class Tally:
    """What came back: how many answers of each status, and what must not have been."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))


async def fire(port: int, shot: Shot, tally: Tally) -> None:
    """One attack on a connection of its own."""
    status, answer = "", b""
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(shot.sent)
            if len(shot.sent) < 100 and not shot.sent.endswith(b"\r\n\r\n"):
                await asyncio.sleep(0.2)  # an unfinished one: the server is left waiting, then alone
                writer.close()
            async with asyncio.timeout(PATIENCE_S if "" not in shot.may else SHORT_S):
                answer = await reader.read(200_000)
                while more := await reader.read(200_000):
                    answer += more
        except TimeoutError:
            if "" not in shot.may:
                tally.wrong.append(f"no end: {shot.sent[:120]!r}")
        finally:
            writer.transport.abort()
    if found := re.match(rb"HTTP/1\.1 (\d{3}) ", answer):
        status = found[1].decode()
    tally.statuses[status or "closed"] += 1
    if status not in shot.may:
        tally.wrong.append(f"{status}: {shot.sent[:160]!r}")
    if MARK in answer or b"Traceback" in answer or b"<script" in answer.lower():
        tally.wrong.append(f"it told: {shot.sent[:160]!r}")


async def barrage(port: int, chosen: list[Shot], tally: Tally, at_once: int) -> None:
    """All of them, so many at once."""
    places = asyncio.Semaphore(at_once)

    async def one(shot: Shot) -> None:
        async with places:
            await fire(port, shot, tally)

    await asyncio.gather(*(one(shot) for shot in chosen))


def megabytes(process: int) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def redirecting(place: str) -> Iterator[int]:
    """A listed data plane that sends everybody elsewhere."""
    handler = type("Handler", (Elsewhere,), {"place": place})
    server = Daemonic(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Siege:
    """What came of an attack: the requests, the memory at each of them, and all that is wrong."""

    tally: Tally = field(default_factory=Tally)
    memory: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def growth_mb(self) -> float:
        """From when it had seen everything once, to the end."""
        settled = self.memory[int(len(self.memory) * SETTLED) :]
        part = max(1, len(settled) // 4)
        return statistics.median(settled[-part:]) - statistics.median(settled[:part])

    @property
    def wrong(self) -> list[str]:
        """All that must not be."""
        grown = self.growth_mb
        return self.tally.wrong + ([f"memory grew by {grown:.0f} MB"] if grown > GROWTH_MB else [])

    def __str__(self) -> str:
        return (
            f"{self.tally.statuses.total():,} requests in {self.seconds:.0f} s ({self.tally}); memory "
            f"{self.memory[0]:.0f} MB at first, {self.memory[-1]:.0f} MB at the end, grown by {self.growth_mb:.1f} MB; "
            f"{len(self.wrong)} wrong"
        )


def besiege(folder: Path, requests: int, seconds: float = 0.0, at_once: int = AT_ONCE) -> Siege:
    """At least so many requests, for at least so long."""
    random.seed(19)
    canaries = tuple(Canary(host) for host in ("127.0.0.1", "127.0.0.2"))
    siege = Siege()
    with healthy() as plane, redirecting(canaries[0].address) as one, redirecting(canaries[1].address) as other:
        listed = tuple(f"http://127.0.0.1:{port}" for port in (plane, one, other))
        arguments = [word for url in listed for word in ("--target", url)]
        with watcher(folder, *arguments, "--every", "2s") as serving:
            chosen = shots(serving.port, tuple(canary.address for canary in canaries), listed)
            asyncio.run(barrage(serving.port, thorough(serving.port, listed), siege.tally, at_once))
            _press(serving, chosen, siege, requests, seconds, at_once)
            _still_sound(serving, siege.tally)
    for canary in canaries:
        siege.tally.wrong += [f"{canary.address} was asked: {bytes_[:80]!r}" for bytes_ in canary.touched]
        canary.close()
    return siege


def _press(serving: Watcher, chosen: list[Shot], siege: Siege, requests: int, seconds: float, at_once: int) -> None:
    began = time.monotonic()
    while siege.tally.statuses.total() < requests or time.monotonic() - began < seconds:
        random.shuffle(chosen)
        asyncio.run(barrage(serving.port, chosen, siege.tally, at_once))
        siege.memory.append(megabytes(serving.process.pid))
    siege.seconds = time.monotonic() - began


def _still_sound(serving: Watcher, tally: Tally) -> None:
    """It answers, and said nothing of what it was sent."""
    if serving.text("/-/healthy") != "healthy\n":
        tally.wrong.append("it is not healthy any more")
    serving.process.terminate()
    _, said = serving.process.communicate(timeout=60)
    if said or serving.process.returncode:
        tally.wrong.append(f"exit {serving.process.returncode}, it said: {said[:500]}")


def crowd(folder: Path, number: int) -> Siege:
    """That many connections at the same moment: some are answered, all others are turned away, and it goes on."""
    siege = Siege()
    with healthy() as plane, watcher(folder, "--target", f"http://127.0.0.1:{plane}") as serving:
        here = f"127.0.0.1:{serving.port}"
        siege.memory.append(megabytes(serving.process.pid))
        began = time.monotonic()
        same = [get(path, here, "200", "503", "") for path in ("/", "/metrics")] * (number // 2)
        asyncio.run(barrage(serving.port, same, siege.tally, number))
        siege.seconds = time.monotonic() - began
        siege.memory.append(megabytes(serving.process.pid))
        _still_sound(serving, siege.tally)
    if not siege.tally.statuses["200"]:
        siege.tally.wrong.append("nobody was answered")
    return siege


def kill(folder: Path, moments: int, env: Mapping[str, str] | None = None) -> list[str]:
    """Kill a serving process at that many moments; gives what was lost: runs that were seen to end, and stores that do
    not open. `env` may name another store, which is then the same for all moments."""
    random.seed(19)
    lost = []
    with healthy() as plane:
        target = f"http://127.0.0.1:{plane}"
        for number in range(moments):
            here = folder / str(number)
            here.mkdir()
            lost += [f"moment {number}: {what}" for what in _killed(here, target, random.uniform(0.0, 1.5), env)]
    return lost


def _killed(folder: Path, target: str, after_s: float, env: Mapping[str, str] | None) -> list[str]:
    seen: list[float] = []
    with watcher(folder, "--target", target, "--every", "50ms", env=env) as serving:
        timer = threading.Timer(after_s, serving.process.kill)
        timer.start()
        with suppress(OSError, HTTPError, ValueError):
            while serving.process.poll() is None:
                told = serving.text(random.choice(("/metrics", f"/probe?target={target}")))
                seen += map(float, _BEGAN.findall(told))
        timer.join()
        serving.process.wait()
    return _missing(folder, target, set(seen), env)


def _missing(folder: Path, target: str, seen: set[float], env: Mapping[str, str] | None) -> list[str]:
    place = store_place((env or {}).get("BTDIAG_STORE", str(folder / "s.sqlite")))
    with opened_store(place) as store:
        kept = {run.entry.at.timestamp() for run in store.runs(target, limit=1_000_000)}
        whole = all(store.report(run.number) is not None for run in store.runs(target, limit=5))
    wrong = [f"a run of {when} is lost" for when in seen if not any(abs(when - one) < 0.001 for one in kept)]
    if isinstance(place, Path):
        with sqlite3.connect(place) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                wrong.append("the store is damaged")
    return wrong + ([] if whole else ["a report is lost"])


def main() -> int:
    """The long version: MINUTES of requests, 10,000 of them at once, and kills, with both kinds of store."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for what, siege in (
            ("siege", besiege(_folder(name, "siege"), 10_000, minutes * 60)),
            ("crowd", crowd(_folder(name, "crowd"), 10_000)),
        ):
            print(f"{what}: {siege}", flush=True)
            wrong += siege.wrong
        lost = kill(_folder(name, "sqlite"), 20)
        with postgres() as server:
            lost += kill(_folder(name, "postgresql"), 5, {"BTDIAG_STORE": server.url})
        print(f"killed at 25 moments: {len(lost)} runs or stores lost", flush=True)
    for line in [*wrong, *lost][:50]:
        print(line)
    return 1 if wrong or lost else 0


def _folder(parent: str, name: str) -> Path:
    folder = Path(parent) / name
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
