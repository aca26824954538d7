"""Local Network Access as Debian's Chromium has it: whole runs against the lab, with policies, proxies and users.

What needs a namespace of its own (policies, hosts file, real public addresses) needs root; containers of CI have it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from btdiag.core.address import space
from btdiag.families.lna.probe.find import find_browser
from tests.support.cli import CLEAN, Done, run_json
from tests.support.labclient import process
from tests.support.recording_proxy import recording_proxy

pytestmark = pytest.mark.real

CHROMIUM = shutil.which("chromium")
WEB_APP = "https://www.braintrust.dev"
LNA = ("--only", "lna")
REACHES, ASKED = "lna.web-app-reaches-target", "lna.no-prompt-needed"
PROMPT = {REACHES: "pass", ASKED: "warn", "lna.page-context-allows": "pass", "lna.address-space-is-stable": "pass"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs namespaces, and so root")


def within(prefix: list[str], *arguments: str, env: dict[str, str] | None = None) -> Done:
    """A run started by another program."""
    command = [*prefix, sys.executable, "-m", "btdiag", "run", "--format", "json", "--no-files", *LNA, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**CLEAN, **(env or {})}, timeout=90, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def in_mounts(*binds: tuple[Path, str]) -> list[str]:
    """A prefix that runs a program with these folders and files in place of the system's."""
    mounts = " && ".join(f"mount --bind {source} {place}" for source, place in binds)
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "in-mounts"]


def survey(done: Done) -> dict[str, Any]:
    fact: dict[str, Any] = done.report["measurements"]["browser_survey"]["fact"]
    return fact


@pytest.fixture(scope="module")
def lab() -> Iterator[dict[str, Any]]:
    """A lab of its own that a run treats as any target: at its real addresses, which are loopback."""
    with process("private") as started:
        assert started.stdout is not None
        yield json.loads(started.stdout.readline())["target"]


# --- the table of address spaces --------------------------------------------------------------------------------------

ADDRESSES = (
    "127.0.0.1 127.255.255.254 10.0.0.1 10.255.255.255 172.15.255.255 172.16.0.1 172.31.255.255 172.32.0.1 "
    "192.168.1.1 192.169.0.1 169.254.169.254 100.63.255.255 100.64.0.1 100.127.255.254 100.128.0.1 198.18.0.1 "
    "198.19.255.255 192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 1.1.1.1 8.8.8.8 ::1 fc00::1 "
    "fdff::1 fec0::1 2001:db8::1 3fff::1 64:ff9b::a00:1 64:ff9b:1::1 2002:a00:1::1 2001::1 100::1 4000::1 "
    "2606:4700::1111"
)

_IN_NET = """ip link set lo up
for address; do case $address in
  *:*) ip addr add $address/128 dev lo nodad ;;
  127.*) ;;
  *) ip addr add $address/32 dev lo ;;
esac 2>/dev/null; done
exec %s -m tests.support.chromium_spaces "$@"
"""


@as_root
def test_every_address_is_in_the_space_where_chromium_has_it() -> None:
    """The machine has all these addresses for a moment, in a network of its own."""
    script = _IN_NET % sys.executable
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "in-net", *ADDRESSES.split()],
        capture_output=True,
        text=True,
        timeout=60,
        env=CLEAN,
        check=True,
    )
    assert json.loads(done.stdout) == {address: str(space(address)) for address in ADDRESSES.split()}


POLICIES = [  # policy, its value, what then becomes of the two claims
    ("LocalNetworkAccessAllowedForUrls", [WEB_APP], ("pass", "pass")),
    ("LocalNetworkAllowedForUrls", [WEB_APP], ("pass", "pass")),
    ("LoopbackNetworkAllowedForUrls", [WEB_APP], ("pass", "warn")),
    ("LocalNetworkAccessAllowedForUrls", ["https://braintrust.dev"], ("pass", "warn")),
    ("LocalNetworkAccessBlockedForUrls", [WEB_APP], ("fail", "skip")),
    ("LocalNetworkBlockedForUrls", ["*"], ("fail", "skip")),
    ("LocalNetworkAccessRestrictionsTemporaryOptOut", True, ("pass", "warn")),
]


@as_root
@pytest.mark.parametrize(("policy", "value", "expected"), POLICIES)
def test_enterprise_policies_are_seen(tmp_path: Path, policy: str, value: Any, expected: tuple[str, str]) -> None:
    etc = tmp_path / "chromium"
    shutil.copytree("/etc/chromium", etc)
    managed = etc / "policies" / "managed"
    managed.mkdir(parents=True, exist_ok=True)
    (managed / "lna.json").write_text(json.dumps({policy: value}))
    done = within(in_mounts((etc, "/etc/chromium")), "--target", "lab:private")
    assert (done.verdicts[REACHES], done.verdicts[ASKED]) == expected


PAGE = "browser.page-gets-its-answers"


@as_root
@pytest.mark.parametrize("opens", [False, True])
def test_a_proxy_that_a_policy_sets_is_met_and_named(tmp_path: Path, opens: bool) -> None:
    """Programs go directly; the policy names the proxy, which the browser has to find."""
    etc = tmp_path / "chromium"
    shutil.copytree("/etc/chromium", etc)
    (etc / "policies" / "managed").mkdir(parents=True, exist_ok=True)
    host = "api.lab.example"
    with recording_proxy({host: "127.0.0.2"} if opens else {}) as (proxy, asked):
        settings = {"ProxyMode": "fixed_servers", "ProxyServer": f"proxy.localhost:{proxy.rpartition(':')[2]}"}
        (etc / "policies" / "managed" / "proxy.json").write_text(json.dumps({"ProxySettings": settings}))
        done = within(in_mounts((etc, "/etc/chromium")), "--target", "lab:healthy", "--quick", "--only", PAGE)
    assert done.verdicts[PAGE] == ("pass" if opens else "fail"), done.out
    check = next(check for check in done.report["checks"] if check["id"] == PAGE)
    if not opens:
        assert "net::ERR_TUNNEL_CONNECTION_FAILED" in check["summary"]
        assert "proxy.localhost" in check["summary"]
        assert check["owner"] == "browser policy administrator"
    # the browser may prepare a connection to its page's own host; nobody else is asked for
    assert {line.rpartition(":")[0] for line in asked} <= {f"CONNECT {host}", "CONNECT www.braintrust.dev"}


# --- the target's own DNS, CA and proxy -------------------------------------------------------------------------------


@as_root
def test_the_browser_resolves_the_name_itself_where_the_system_can(tmp_path: Path, lab: dict[str, Any]) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.0.2 api.lab.example\n")
    done = within(in_mounts((hosts, "/etc/hosts")), "--target", lab["url"], "--ca", lab["ca"])
    assert done.verdicts == PROMPT
    assert survey(done)["pinned"] == ""
    assert "127.0.0.2 (loopback)" in done.out


def test_an_address_given_by_hand_is_the_browsers_too(lab: dict[str, Any]) -> None:
    port = lab["url"].rpartition(":")[2]
    done = run_json(lab["url"], *LNA, "--ca", lab["ca"], "--resolve", f"api.lab.example:{port}:::1")
    assert done.verdicts == PROMPT
    assert survey(done)["pinned"] == "::1"


def test_without_certutil_only_the_verified_key_is_trusted(tmp_path: Path) -> None:
    for name in ("chromium", "cat", "expr", "findmnt", "find", "grep", "ls", "sh", "test", "tr", "uname"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(found)
    done = run_json("lab:private", *LNA, env={"PATH": str(tmp_path)})
    assert {key: done.verdicts[key] for key in PROMPT} == PROMPT
    assert survey(done)["trust"].startswith("exactly the key")


def test_nothing_but_the_target_is_asked_for(lab: dict[str, Any]) -> None:
    """Chromium looks up hosts of its own; none of that may leave."""
    host, port = "api.lab.example", int(lab["url"].rpartition(":")[2])
    with recording_proxy({host: "127.0.0.2"}) as (proxy, asked):
        env = {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy}
        done = run_json(lab["url"], *LNA, "--ca", lab["ca"], env=env)
    assert (done.verdicts[REACHES], done.verdicts[ASKED]) == ("pass", "pass"), done.out
    assert set(asked) == {f"CONNECT {host}:{port}"}


# --- users and their systems ------------------------------------------------------------------------------------------

_SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_NO_MORE = 'echo 1 > /proc/sys/user/max_user_namespaces; exec unshare --user --map-user=1000 --map-group=1000 "$@"'


@as_root
def test_a_user_who_is_not_root_has_the_sandbox() -> None:
    done = within(_SOMEBODY, "--target", "lab:private")
    assert {key: done.verdicts[key] for key in PROMPT} == PROMPT
    assert survey(done)["browser"]["sandboxed"] is True


@as_root
def test_where_the_system_permits_no_sandbox_it_says_so() -> None:
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", _NO_MORE, "no-sandbox"]
    done = within(prefix, "--target", "lab:private")
    assert {key: done.verdicts[key] for key in PROMPT} == PROMPT
    assert survey(done)["browser"]["sandboxed"] is False


def test_screenshots_are_evidence() -> None:
    done = run_json("lab:private", *LNA, "--screenshots")
    asked = next(check for check in done.report["checks"] if check["id"] == ASKED)
    shots = [item["data"] for item in asked["evidence"] if item["kind"] == "image"]
    assert len(shots) == 2
    assert all(shot.startswith("iVBOR") for shot in shots)


def test_a_program_that_is_no_browser_leaves_it_undecided() -> None:
    done = run_json("lab:private", *LNA, "--browser", "/bin/false")
    assert {done.verdicts[key] for key in PROMPT} == {"inconclusive"}
    assert "/bin/false could not be used" in done.out


def test_it_is_found_where_it_is() -> None:
    assert find_browser("auto") is not None
    assert find_browser(str(CHROMIUM)) == Path(str(CHROMIUM))


# --- whatever the end, nothing stays ----------------------------------------------------------------------------------


def strays(folder: Path) -> list[str]:
    """What is left of browsers whose profiles are in the folder, and the folders themselves."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    running = [line for line in listing.splitlines() if f"{folder}/btdiag-browser-" in line]
    return [*running, *map(str, folder.glob("btdiag-browser-*"))]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_end_leaves_a_browser_behind(tmp_path: Path, how: signal.Signals) -> None:
    for delay in (0.6, random.uniform(1.0, 2.0), random.uniform(2.0, 3.5)):
        command = [sys.executable, "-m", "btdiag", "run", "--target", "lab:private", *LNA, "--no-files", "-q"]
        env = {**CLEAN, "TMPDIR": str(tmp_path)}
        silent = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=silent, stderr=silent, env=env) as run:
            time.sleep(delay)
            run.send_signal(how)
            run.wait(20)
        end = time.monotonic() + 6
        while strays(tmp_path) and time.monotonic() < end:
            time.sleep(0.05)
        assert strays(tmp_path) == [], (how, delay)


def test_the_end_of_the_budget_leaves_nothing_either(tmp_path: Path) -> None:
    done = run_json("lab:private", *LNA, "--budget", "2s", env={"TMPDIR": str(tmp_path)})
    assert set(done.verdicts.values()) <= {"inconclusive", "pass", "warn"}
    end = time.monotonic() + 6
    while strays(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert strays(tmp_path) == []
