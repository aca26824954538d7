"""The lab's process: its command line, its one line of JSON, and that nothing is left after it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from btdiag.lab.scenario import Scenario, scenarios
from tests.support.labclient import ask, ask_plain, port_of, process, staged, url_port

ALL = scenarios()


def test_healthy_answers_through_every_address_and_past_the_load_balancer() -> None:
    with process("healthy") as lab:
        assert lab.stdout is not None
        told = json.loads(lab.stdout.readline())
        target = told["target"]
        addresses = [network.partition("/")[0] for network, _ in target["address_spaces"]]
        answers = [ask(target, address=address) for address in addresses]
        behind = [ask_plain(url_port(target[key])) for key in ("backend", "brainstore")]
    assert told["scenario"] == "healthy"
    assert len(addresses) >= 2
    assert [answer.status for answer in (*answers, *behind)] == [200] * (len(addresses) + 2)
    assert {answer.body for answer in answers} == {b"Hello, World!"}


def test_healthy_tells_the_target_everything_but_a_proxy() -> None:
    async def told() -> set[str]:
        async with staged("healthy") as target:
            return set(target)

    assert asyncio.run(told()) == {
        "url", "ca", "resolvers", "backend", "brainstore", "app_url", "api_key", "plain_port", "lb_idle_timeout",
        "backend_keepalive", "address_spaces",
    }  # fmt: skip


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT"])
def test_process_ends_quietly_and_leaves_nothing(end: str) -> None:
    with process("healthy") as lab:
        assert lab.stdout is not None
        assert lab.stdin is not None
        assert lab.stderr is not None
        target = json.loads(lab.stdout.readline())["target"]
        with socket.create_connection(("127.0.0.2", port_of(target)), 5.0) as idle:
            ask(target)
            if end == "stdin":
                lab.stdin.close()
            else:
                lab.send_signal(signal.Signals[end])
            assert lab.wait(10) == 0
            assert _ends(idle)
        assert lab.stderr.read() == ""
    assert not Path(target["ca"]).parent.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port_of(target)), 5.0)


def _ends(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_port_is_the_load_balancers() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    with process("healthy", "--port", str(port)) as lab:
        assert lab.stdout is not None
        target = json.loads(lab.stdout.readline())["target"]
        assert port_of(target) == port
        assert ask(target).status == 200


def test_taken_port_is_one_line_and_exit_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        done = _run("healthy", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "healthy" in done.stderr


def test_unknown_scenario_is_one_line_and_exit_2() -> None:
    done = _run("no-such")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["no such scenario: 'no-such'; --list shows all"]
    assert done.stdout == ""


def test_list_as_json_has_every_scenario_with_what_it_declares() -> None:
    listed = json.loads(_run("--list", "--json").stdout)
    assert [entry["name"] for entry in listed] == list(ALL)
    assert listed[0]["name"] == "healthy"
    assert all(
        set(entry) == {"name", "summary", "fails", "warns", "inconclusive", "skips", "passes", "options"}
        for entry in listed
    )
    assert _run("--list").stdout.count("\n") == len(ALL)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "btdiag.lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL)
def test_scenario_can_be_staged_and_leaves_no_task_and_no_socket(scenario: Scenario) -> None:
    async def stage() -> int:
        async with staged(scenario.name) as target:
            assert target["url"].startswith("https://api.lab.example:")
        return len(asyncio.all_tasks())

    before = _open_files()
    assert asyncio.run(stage()) == 1
    assert _open_files() == before


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_commands_work_as_printed() -> None:
    with process("tls-client-certificate-given") as lab:
        assert lab.stdout is not None
        commands = json.loads(lab.stdout.readline())["commands"]
        outputs = [
            subprocess.run([*shlex.split(command), "-sS", "-m", "5"], capture_output=True, text=True, check=False)
            for command in commands
            if command.startswith("curl") and "--proxy" not in command
        ]
    assert [(done.returncode, done.stdout.split()[1]) for done in outputs] == [
        (0, "200"), (0, "200"), (0, "200"), (0, "204"), (0, "200"),
    ]  # fmt: skip


def test_lab_imports_nothing_of_the_rest() -> None:
    """But for a cure of Python's ssl module, which both sides need alike."""
    code = (
        "import sys, btdiag.lab.world, btdiag.lab.serve; from btdiag.lab.scenario import scenarios; scenarios();"
        "print([name for name in sys.modules if name.startswith('btdiag.') and not name.startswith('btdiag.lab')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['btdiag.openssl']"
