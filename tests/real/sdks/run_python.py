"""Runs the Python SDK that PYTHONPATH names on many data planes, and prints what a program lives through on each.

The SDK is imported once; every flow runs in a fork, with a hard limit. The SDK's pauses between attempts are shortened,
not left out. Nothing but loopback is looked up or connected to, and what was tried is told.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

ROW = "row-of-test"
ID = "00000000-0000-4000-8000-000000000001"
AT_ONCE = 6  # forks
PAUSE = 0.005  # seconds, at most

_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, PAUSE))  # before the SDK keeps a reference to it
braintrust: Any = importlib.import_module("braintrust")
adapters: Any = importlib.import_module("requests.adapters")
IMPORTED = set(sys.modules)


def login(key: str) -> None:
    braintrust.login(api_key=key)


def logger(key: str) -> None:
    one = braintrust.init_logger(project="p", api_key=key)
    one.log(input=ROW, output="x")
    one.flush()


def logger_by_id(key: str) -> None:
    one = braintrust.init_logger(project_id=ID, api_key=key)
    one.log(input=ROW, output="x")
    one.flush()


def run(key: str) -> None:
    one = braintrust.init(project="p", experiment="e", api_key=key, set_current=False)
    one.log(input=ROW, output="x", scores={})
    one.flush()


def dataset(key: str) -> None:
    one = braintrust.init_dataset(project="p", name="d", api_key=key)
    one.insert(input=ROW, expected="x")
    one.flush()


def evaluation(key: str) -> None:
    os.environ["BRAINTRUST_API_KEY"] = key
    braintrust.Eval("p", data=[{"input": ROW}], task=lambda row: row, scores=[])


def open_experiment(key: str) -> None:
    assert braintrust.init(project="p", experiment="e", api_key=key, open=True).id


def base_experiment(key: str) -> None:
    braintrust.init(project="p", experiment="e", api_key=key, set_current=False).fetch_base_experiment()


FLOWS: dict[str, Callable[[str], None]] = {
    "login()": login,
    "init_logger()": logger,
    "init_logger() by project id": logger_by_id,
    "init()": run,
    "init_dataset()": dataset,
    "Eval()": evaluation,
    "init(open=True)": open_experiment,
    "Eval() on BaseExperiment()": base_experiment,
}


def guarded(plane: dict[str, Any], abroad: list[str]) -> None:
    """Keep this process at home, and its requests as short as the plane says."""
    connect, look_up, send = socket.socket.connect, socket.getaddrinfo, adapters.HTTPAdapter.send

    def at_home(host: object) -> None:
        if not str(host).startswith(("127.", "::1", "localhost")):
            abroad.append(str(host))
            raise OSError("not loopback")

    def connecting(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            at_home(address[0])
        connect(self, address)

    def looking_up(host: Any, *args: Any, **more: Any) -> Any:
        at_home(host)
        return look_up(host, *args, **more)

    def sending(self: Any, request: Any, *args: Any, **more: Any) -> Any:
        given = more.get("timeout")
        more["timeout"] = min(given if isinstance(given, int | float) else 60, plane["patience"])
        return send(self, request, *args, **more)

    socket.socket.connect = connecting  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = looking_up
    adapters.HTTPAdapter.send = sending


def child(flow: str, plane: dict[str, Any], out: int) -> None:
    """One flow on one plane; what it raised goes to the pipe."""
    abroad: list[str] = []
    guarded(plane, abroad)
    sys.stdout = sys.stderr = io.StringIO()
    os.environ.update(plane["environment"])
    raised = ""
    try:
        FLOWS[flow](f"{plane['key']} {flow}".replace(" ", "-"))
    except BaseException as error:
        raised = f"{type(error).__name__}: {str(error)[:300]}"
    found = {"raised": raised, "abroad": abroad, "modules": sorted(set(sys.modules) - IMPORTED)}
    os.write(out, json.dumps(found).encode())
    os._exit(0)


def start(plane: dict[str, Any], flow: str) -> tuple[int, int]:
    """A fork that runs the flow: where its answer will come, and its id."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(flow, plane, writing)
    os.close(writing)
    return reading, pid


def main() -> None:
    """Reads {"planes": [...]} from stdin, writes {plane: {flow: {"raised", "hangs", "abroad"}}} to stdout."""
    planes = json.load(sys.stdin)["planes"]
    warm = lived([(planes[0], flow) for flow in FLOWS])
    for name in sorted({name for flows in warm.values() for found in flows.values() for name in found["modules"]}):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)  # what the SDK imports when it is used: once, not in every fork
    IMPORTED.update(sys.modules)
    gc.freeze()
    json.dump(lived([(plane, flow) for plane in planes for flow in FLOWS]), sys.stdout)


def lived(waiting: list[tuple[dict[str, Any], str]]) -> dict[str, dict[str, Any]]:
    """What becomes of each flow on its plane, by the plane's name and the flow."""
    running: dict[int, tuple[str, str, int, float]] = {}
    outcomes: dict[str, dict[str, Any]] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            plane, flow = waiting.pop(0)
            reading, pid = start(plane, flow)
            running[reading] = (plane["name"], flow, pid, time.monotonic() + plane["limit"])
        ready, _, _ = select.select(list(running), [], [], 0.2)
        for reading, (name, flow, pid, until) in list(running.items()):
            if reading not in ready and time.monotonic() < until:
                continue
            told = os.read(reading, 65536) if reading in ready else b""
            if not told:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
            del running[reading]
            found = json.loads(told or b'{"raised": "", "hangs": true, "abroad": [], "modules": []}')
            outcomes.setdefault(name, {})[flow] = found
    return outcomes


if __name__ == "__main__":
    main()
