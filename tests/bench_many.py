"""A quick look at 1,000 data planes beside curl and blackbox_exporter, in one run: a part of `make bench`."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.bench import show  # noqa: E402
from tests.support.cli import CLEAN  # noqa: E402
from tests.support.plant import Plant, await_nginx, free_ports, plant  # noqa: E402

MANY = ["--only", "connection", "--only", "readiness", "--quick", "--no-files", "-q", "--no-progress"]
MOST = 1_000
HANDSHAKES = 14  # whole ones: twelve requests, and TLS 1.2 and 1.3 tried by themselves
_ASKED = [("HEAD", "/"), *[("GET", "/")] * 6, *[("GET", "/version")] * 4, ("GET", "/status")]


def many_targets() -> list[list[str]]:
    """A quick look at 1,000 data planes: targets per second against those of one curl process that makes the same
    exchanges, processor time against processor time, and the memory of 1,000 against that of 10."""
    with plant(MOST) as served:
        curl = ["curl", "-s", "-Z", "--parallel-max", "50", "-K", str(_many_config(served))]
        pairs = [(_used(_many(served, MOST), served.ca), _used(curl, served.ca)) for _ in range(3)]
        few = _used(_many(served, 10), served.ca)
        beside = _exporter_row(served, statistics.median(one[0][1] for one in pairs))
    ours, theirs = ([statistics.median(one[side][n] for one in pairs) for n in range(3)] for side in (0, 1))
    speed = statistics.median(one[1][0] / one[0][0] for one in pairs)
    effort = statistics.median(one[0][1] / one[1][1] for one in pairs)
    name = f"{MOST:,} targets"
    return [
        [
            f"{name} a second ÷ those of curl",
            f"{MOST / ours[0]:.1f}",
            f"{MOST / theirs[0]:.1f}",
            f"{speed:.2f}",
            ">= 0.5",
        ],
        [
            f"processor time of {name} ÷ that of curl",
            f"{1000 * ours[1] / MOST:.1f} ms each",
            f"{1000 * theirs[1] / MOST:.1f} ms each",
            f"{effort:.2f}",
            "",
        ],
        [f"memory of {name} ÷ of 10", f"{ours[2]:.0f} MB", f"{few[2]:.0f} MB", f"{ours[2] / few[2]:.2f}", "<= 3"],
        *beside,
    ]


EXPORTER = "prometheus-blackbox-exporter"


def _exporter_row(served: Plant, ours_s: float) -> list[list[str]]:
    """Beside blackbox_exporter, where Debian's package is installed. It makes one handshake and asks one request where
    we make fourteen and ask twelve, so both are told by the handshake."""
    if (program := shutil.which(EXPORTER)) is None:
        return []
    theirs_ms = 1000 * _probed_s(program, served) / MOST
    ours_ms = 1000 * ours_s / MOST / HANDSHAKES
    shown = [f"{ours_ms:.2f} ms", f"{theirs_ms:.2f} ms", f"{ours_ms / theirs_ms:.2f}", ""]
    return [[f"processor time of a handshake and its request, {MOST:,} targets ÷ blackbox_exporter", *shown]]


def _probed_s(program: str, served: Plant) -> float:
    """Processor seconds of the exporter for one probe of every target, fifty at once."""
    module = {"prober": "http", "http": {"preferred_ip_protocol": "ip4", "tls_config": {"ca_file": str(served.ca)}}}
    (served.folder / "blackbox.yml").write_text(json.dumps({"modules": {"one": module}}))  # JSON is YAML
    (port,) = free_ports(1)
    options = [f"--config.file={served.folder / 'blackbox.yml'}", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_nginx(port, process)
        begun = _processor_s(process.pid)
        probes = served.folder / "probes.conf"
        urls = [f"http://127.0.0.1:{port}/probe?module=one&target={url}" for url in served.urls]
        probes.write_text(
            "\n".join(f'url = "{url}"\noutput = "{served.folder}/probe-{n}"' for n, url in enumerate(urls))
        )
        subprocess.run(["curl", "-s", "-Z", "--parallel-max", "50", "-K", str(probes)], check=True)
        spent = _processor_s(process.pid) - begun
    finally:
        process.kill()
        process.wait()
    well = sum("probe_success 1" in (served.folder / f"probe-{n}").read_text() for n in range(len(urls)))
    assert well == len(urls), f"the exporter got an answer from {well} of {len(urls)} targets"
    return spent


def _processor_s(process: int) -> float:
    """User and system time of a process so far (proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _many(served: Plant, number: int) -> list[str]:
    return [sys.executable, "-m", "btdiag", "run", "--targets", str(served.listed(number)), *MANY]


def _many_config(served: Plant) -> Path:
    """The requests that a quick look sends to each target, each on a connection of its own; the handshakes by which it
    tries TLS 1.2 and 1.3 are requests here. Each handshake is a whole one, as btdiag's are: a session that is resumed
    shows no certificate, and costs half."""
    lines: list[str] = []
    for url in served.urls:
        for method, path in [*_ASKED, ("HEAD", "/#1.2"), ("HEAD", "/#1.3")]:
            path, _, version = path.partition("#")
            lines += ["next"] if lines else []
            lines += [
                f'url = "{url}{path}"',
                f'cacert = "{served.ca}"',
                'output = "/dev/null"',
                "silent",
                "no-sessionid",
            ]
            lines += ['header = "Connection: close"', *(["head"] if method == "HEAD" else [])]
            lines += [f"tlsv{version}", f"tls-max = {version}"] if version else []
    config = served.folder / "many.conf"
    config.write_text("\n".join(lines))
    return config


def _used(command: Sequence[str], ca: Path) -> tuple[float, float, float]:
    """Seconds of the wall clock and of the processor, and MB of memory at most, of one process."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN | {"SSL_CERT_FILE": str(ca)}
    )
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    show(many_targets())
