"""Runs the Python SDK that PYTHONPATH names on many data planes, and prints what a program lives through on each.

The SDK is imported once; every plane has a fork, every flow a state of its own. The SDK's pauses between attempts are
shortened, not left out. Nothing but loopback is looked up or connected to, and what was tried is told.
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
AT_ONCE = 4  # forks
PAUSE = 0.005  # seconds, at most

_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, PAUSE))  # before the SDK keeps a reference to it
braintrust: Any = importlib.import_module("braintrust")
logger_module: Any = importlib.import_module("braintrust.logger")
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


def child(plane: dict[str, Any], out: int) -> None:
    """Every flow on one plane, each with a state of its own; what it raised goes to the pipe, a line each."""
    abroad: list[str] = []
    guarded(plane, abroad)
    sys.stdout = sys.stderr = io.StringIO()
    os.environ.update(plane["environment"])
    for flow, work in FLOWS.items():
        logger_module._internal_reset_global_state()
        raised = ""
        try:
            work(f"{plane['key']} {flow}".replace(" ", "-"))
        except BaseException as error:
            raised = f"{type(error).__name__}: {str(error)[:300]}"
        os.environ.pop("BRAINTRUST_API_KEY", None)
        os.write(out, json.dumps([flow, {"raised": raised, "abroad": abroad}]).encode() + b"\n")
    os.write(out, json.dumps(["modules", sorted(set(sys.modules) - IMPORTED)]).encode() + b"\n")
    os._exit(0)


def start(plane: dict[str, Any]) -> tuple[int, int]:
    """A fork that runs the flows: where its answers will come, and its id."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(plane, writing)
    os.close(writing)
    return reading, pid


def lived(planes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What becomes of each flow on each plane; a flow that was not over within the plane's limit hangs."""
    waiting, running, told = list(planes), {}, {plane["name"]: b"" for plane in planes}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            plane = waiting.pop(0)
            reading, pid = start(plane)
            running[reading] = (plane["name"], pid, time.monotonic() + plane["limit"])
        ready, _, _ = select.select(list(running), [], [], 0.2)
        for reading, (name, pid, until) in list(running.items()):
            piece = os.read(reading, 65536) if reading in ready else b""
            told[name] += piece
            if piece or (reading not in ready and time.monotonic() < until):
                continue
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
            del running[reading]
    hangs = {flow: {"raised": "", "hangs": True, "abroad": []} for flow in FLOWS}
    return {name: {**hangs, **dict(map(json.loads, lines.splitlines()))} for name, lines in told.items()}


def main() -> None:
    """Reads {"planes": [...]} from stdin, writes {plane: {flow: {"raised", "hangs", "abroad"}}} to stdout."""
    planes = json.load(sys.stdin)["planes"]
    for flows in lived(planes[:1]).values():
        for name in flows.pop("modules", ()):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)  # what the SDK imports when it is used: once, not in every fork
    IMPORTED.update(sys.modules)
    gc.freeze()
    found = lived(planes)
    json.dump({name: {flow: flows[flow] for flow in FLOWS} for name, flows in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
