"""A small network in namespaces of its own: a client, a router that may filter, servers behind it. Needs root.

The router is 10.77.1.1 (fd77:1::1) for the client; servers have any addresses of 10.77.2.0/24 and fd77:2::/64. Nothing
leads to the machine's own network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROUTER = "10.77.1.1"
SECOND = "10.77.1.3"  # another address of the router, for a second name server


def server(number: int) -> str:
    """The IPv4 address of a server."""
    return f"10.77.2.{number}"


def server6(number: int) -> str:
    """The IPv6 address of a server."""
    return f"fd77:2::{number:x}"


def missing(*tools: str) -> str:
    """What keeps this machine from making such a network with these tools in it; "" when nothing does."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    absent = [tool for tool in ("ip", "nft", "ss", *tools) if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} not installed"
    tried = subprocess.run(["ip", "netns", "add", _name("try")], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", _name("try")], capture_output=True, check=False)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


def _name(place: str) -> str:
    return f"btdiag-{place}-{os.getpid()}"


@dataclass
class Network:
    """The three places by name. `log` is where everything that runs in them writes to."""

    log: Path
    client: str = field(default_factory=lambda: _name("client"))
    router: str = field(default_factory=lambda: _name("router"))
    servers: str = field(default_factory=lambda: _name("servers"))
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def within(self, place: str, *command: str) -> list[str]:
        """The command line that runs a command in a place."""
        return ["ip", "netns", "exec", place, *command]

    def call(self, place: str, *command: str, text: str = "") -> None:
        """Run a command in a place to its end; its failure is the test's."""
        done = subprocess.run(
            self.within(place, *command), input=text, capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def start(self, place: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a server in a place; it ends with the network."""
        with self.log.open("ab") as log:
            own = subprocess.Popen(self.within(place, *command), stdout=log, stderr=log, start_new_session=True)
        self.running.append(own)
        return own

    def await_ports(self, place: str, *ports: str) -> None:
        """Wait until something listens on each ADDRESS:PORT (TCP)."""
        deadline = time.monotonic() + 15
        while True:
            shown = subprocess.run(self.within(place, "ss", "-Htln"), capture_output=True, text=True, check=True).stdout
            open_ = {line.split()[3] for line in shown.splitlines()}
            if open_.issuperset(ports):
                return
            assert time.monotonic() < deadline, f"{set(ports) - open_}: {self.log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.02)


def _lay(network: Network, servers: Sequence[int]) -> None:
    """Two wires, addresses, routes."""
    client, router, behind = network.client, network.router, network.servers
    _ip(
        *(f"netns add {place}" for place in (client, router, behind)),
        f"link add near netns {client} type veth peer name near netns {router}",
        f"link add far netns {behind} type veth peer name far netns {router}",
    )
    _furnish(client, {"near": ["10.77.1.2/24", "fd77:1::2/64"]}, part=1)
    near = [f"{ROUTER}/24", f"{SECOND}/24", "fd77:1::1/64"]
    _furnish(router, {"near": near, "far": ["10.77.2.1/24", "fd77:2::1/64"]})
    far = [*(f"{server(n)}/24" for n in servers), *(f"{server6(n)}/64" for n in servers)]
    _furnish(behind, {"far": far}, part=2)
    network.call(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


def _furnish(place: str, links: dict[str, list[str]], part: int = 0) -> None:
    lines = [f"link set {link} up" for link in ("lo", *links)]
    for link, addresses in links.items():
        lines += [f"address add {one} dev {link}{' nodad' if ':' in one else ''}" for one in addresses]
    if part:
        lines += [f"route add default via {gateway}" for gateway in (f"10.77.{part}.1", f"fd77:{part}::1")]
    _ip(*lines, place=place)


def _ip(*lines: str, place: str = "") -> None:
    """One call of ip for all lines, within a place or outside."""
    inside = ["-n", place] if place else []
    subprocess.run(["ip", *inside, "-batch", "-"], input="\n".join(lines), text=True, check=True)


@contextlib.contextmanager
def network(folder: Path, servers: Sequence[int]) -> Iterator[Network]:
    """The network with servers of these numbers; all is gone in the end. The client's resolver is the router."""
    made = Network(log=folder / "log")
    made.log.touch()
    made.log.chmod(0o666)  # servers that give up root write there as well
    etc = [Path("/etc/netns") / place for place in (made.client, made.router)]
    try:
        _lay(made, servers)
        for own in etc:  # what `ip netns exec` shows as /etc
            own.mkdir(parents=True)
            (own / "resolv.conf").write_text(f"nameserver {ROUTER}\n")
        yield made
    finally:
        for process in made.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in made.running:
            process.wait(10)
        for own in etc:
            shutil.rmtree(own, ignore_errors=True)
        with contextlib.suppress(OSError):
            etc[0].parent.rmdir()
        for place in (made.client, made.router, made.servers):
            subprocess.run(["ip", "netns", "del", place], capture_output=True, check=False)
