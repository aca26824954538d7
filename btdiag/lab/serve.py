"""The lab's process: parses its command line, serves one scenario until stdin closes or a signal comes, leaves nothing.

When all listens, one line of JSON goes to stdout: {"scenario", "target", "commands"}.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from btdiag.lab.scenario import Scenario, find, scenarios


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0 served or listed, 2 wrong usage or a port that is taken."""
    options = _parser().parse_args(arguments)
    if options.list:
        _print_list(as_json=options.json)
        return 0
    scenario = find(options.scenario) if options.scenario else None
    if scenario is None:
        sys.stderr.write(f"no such scenario: {options.scenario!r}; --list shows all\n")
        return 2
    try:
        asyncio.run(_serve(scenario, options.port, options.log))
    except OSError as error:
        sys.stderr.write(f"cannot serve {scenario.name}: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m btdiag.lab", description="Serve a scenario of the embedded lab.")
    parser.add_argument("scenario", nargs="?", help="its name")
    parser.add_argument("--port", type=int, default=0, help="the load balancer's https port (default: any free one)")
    parser.add_argument("--log", type=Path, help="where the load balancer writes its log (nginx's format, or Envoy's)")
    parser.add_argument("--list", action="store_true", help="list all scenarios instead")
    parser.add_argument("--json", action="store_true", help="the list as JSON")
    return parser


def _print_list(*, as_json: bool) -> None:
    every = scenarios().values()
    if as_json:
        text = json.dumps([scenario.as_json() for scenario in every], indent=2)
    else:
        text = "\n".join(f"{scenario.name:28} {scenario.summary}" for scenario in every)
    sys.stdout.write(text + "\n")


async def _serve(scenario: Scenario, port: int, log: Path | None) -> None:
    from btdiag.lab.world import World

    stop = asyncio.Event()
    _watch(stop)
    with tempfile.TemporaryDirectory(prefix="btdiag-lab-") as folder:
        async with World(scenario.plan, Path(folder), port, log) as staged:
            sys.stdout.write(json.dumps({"scenario": scenario.name, **staged}) + "\n")
            sys.stdout.flush()
            await stop.wait()


def _watch(stop: asyncio.Event) -> None:
    """Set `stop` when stdin closes, or on SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends asyncio.run by itself
            loop.add_signal_handler(number, stop.set)
    threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(stop.set)
