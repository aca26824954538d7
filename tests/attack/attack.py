"""Runs btdiag against hostile servers and holds each run to what must be true of it: `make attack` runs all of them.

Of each run: the exit code is allowed, no traceback and no crash, valid JSON, no control character in any output, ended
within the budget and two seconds, less than 200 MB of memory.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jsonschema
import trustme

from tests.attack.corpus import Behaviour, behaviours
from tests.support.cli import CLEAN

BUDGET_S, LATER_S = 12, 2
MEMORY_MB = 200
AT_ONCE = 4
BETWEEN = """
import os, resource, sys
code = os.spawnv(os.P_WAIT, sys.argv[2], sys.argv[2:])
with open(sys.argv[1], "w") as most:
    most.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
CONTROL = {chr(number) for number in (*range(32), *range(127, 160))} - {"\n"}
SCHEMA = json.loads(files("btdiag.report").joinpath("schema.json").read_text("utf-8"))


@dataclass(frozen=True)
class Outcome:
    """What became of one run: what is wrong with it ("" for nothing), and its figures."""

    name: str
    wrong: str
    seconds: float
    megabytes: float
    failed: tuple[str, ...] = ()


async def attacked(behaviour: Behaviour, tls: bool, authority: trustme.CA, folder: Path) -> Outcome:
    """One run against one server."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(list(behaviour.alpn))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            await behaviour.serve(reader, writer)
        with suppress(Exception):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    name = f"{behaviour.name} ({'https' if tls else 'http'})"
    try:
        return await _run(name, behaviour, f"{'https' if tls else 'http'}://127.0.0.1:{port}", folder)
    finally:
        server.close()


async def _run(name: str, behaviour: Behaviour, url: str, folder: Path) -> Outcome:
    command = ["run", "--target", url, "--ca", str(folder / "ca.pem"), "--budget", f"{BUDGET_S}s", "--quick"]
    options = ["--browser", "none", "--no-files", "--no-progress", "--format", "json"]
    code, seconds, megabytes, out, err = await asyncio.to_thread(_called, [*command, *options])
    wrong, failed = _wrong(behaviour, code, out, err)
    if not wrong and seconds > BUDGET_S + LATER_S:
        wrong = f"took {seconds:.1f} s"
    if not wrong and megabytes > MEMORY_MB:
        wrong = f"took {megabytes:.0f} MB"
    return Outcome(name, wrong, seconds, megabytes, failed)


def _called(arguments: list[str]) -> tuple[int, float, float, str, str]:
    """Exit code, seconds, megabytes at most, stdout and stderr of one call.

    A small process stands between, for Linux counts into a child's `ru_maxrss` what its parent had when it started it.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile("r") as most:
        command = [sys.executable, "-S", "-c", BETWEEN, most.name, sys.executable, "-m", "btdiag", *arguments]
        code = subprocess.run(command, stdout=out, stderr=err, env=CLEAN, check=False).returncode
        seconds = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        return code, seconds, int(most.read()) / 1024, out.read().decode(), err.read().decode()


def _wrong(behaviour: Behaviour, code: int, out: str, err: str) -> tuple[str, tuple[str, ...]]:
    if "Traceback" in err or set(out + err) & CONTROL:
        return "a traceback or a control character", ()
    try:
        report = json.loads(out)
        jsonschema.validate(report, SCHEMA)
    except (ValueError, jsonschema.ValidationError) as error:
        return f"no valid report: {str(error)[:200]} {err[-200:]}", ()
    crashes = [one["data"] for check in report["checks"] for one in check["evidence"] if one["kind"] == "crash"]
    failed = tuple(f"{one['id']}: {one['summary']}" for one in report["checks"] if one["verdict"] == "fail")
    if crashes:
        return f"a crash: {crashes[0][-300:]}", failed
    if code not in ({1} if behaviour.must_fail else {0, 1}):
        return f"exit {code}, {report['headline'][:200]}", failed
    named = not behaviour.must_fail or any(behaviour.named in one for one in failed)
    return ("" if named else f"no failing check names {behaviour.named!r}"), failed


async def attack(chosen: Iterable[tuple[Behaviour, bool]]) -> list[Outcome]:
    """All of these, a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        authority.cert_pem.write_to_path(Path(folder) / "ca.pem")

        async def one(behaviour: Behaviour, tls: bool) -> Outcome:
            async with places:
                return await attacked(behaviour, tls, authority, Path(folder))

        return list(await asyncio.gather(*(one(behaviour, tls) for behaviour, tls in chosen)))


def everything() -> list[tuple[Behaviour, bool]]:
    """Every behaviour, over http and https."""
    return [(one, tls) for one in behaviours() for tls in (False, True) if (one.tls if tls else one.plain)]


def main() -> int:
    """Run those whose names hold the words given (all without any), print what is wrong and the figures."""
    words = sys.argv[1:]
    chosen = [(one, tls) for one, tls in everything() if not words or any(word in one.name for word in words)]
    outcomes = asyncio.run(attack(chosen))
    for outcome in outcomes:
        if outcome.wrong or words:
            print(f"{outcome.name}: {outcome.wrong or 'as it must be'}; {'; '.join(outcome.failed)[:300]}")
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    slowest, largest = max(one.seconds for one in outcomes), max(one.megabytes for one in outcomes)
    print(f"{len(outcomes)} behaviours, {wrong} wrong; at most {slowest:.1f} s and {largest:.0f} MB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
