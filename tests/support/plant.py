"""For tests and measurements: many data planes at once, all behind one nginx, each on a port of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

_LOCATIONS = """
    default_type application/json;
    location = / { return 200 "Hello World!"; }
    location = /version { return 200 '{"version":"2.0.0","commit":"abc"}'; }
    location = /status { return 200 "ok"; }
    location / { return 404 '{"error":"Not Found"}'; }
"""
_SCRATCH = " ".join(f"{kind}_temp_path {{0}}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


@dataclass(frozen=True, kw_only=True)
class Plant:
    """What serves: the URLs, the CA to trust, and a folder for files."""

    urls: tuple[str, ...]
    ca: Path
    folder: Path

    def listed(self, number: int) -> Path:
        """A file with so many of the targets."""
        path = self.folder / f"targets-{number}"
        path.write_text("".join(f"{url}\n" for url in self.urls[:number]))
        return path


@contextmanager
def plant(number: int) -> Iterator[Plant]:
    """So many data planes in health, for as long as they are needed."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        ports = free_ports(number)
        (folder / "nginx.conf").write_text(_configuration(folder, ports))
        nginx = subprocess.Popen(
            ["nginx", "-c", str(folder / "nginx.conf"), "-p", name, "-g", "daemon off;"], stderr=subprocess.DEVNULL
        )
        try:
            await_nginx(ports[-1], nginx)
            yield Plant(urls=tuple(f"https://127.0.0.1:{port}" for port in ports), ca=folder / "ca.pem", folder=folder)
        finally:
            nginx.terminate()
            nginx.wait()


def _configuration(folder: Path, ports: list[int]) -> str:
    listens = "".join(f"listen 127.0.0.1:{port} ssl;\n" for port in ports)
    certificate = folder / "server.pem"
    return (
        f"pid {folder}/pid; error_log /dev/null; worker_processes 1; events {{ worker_connections 8192; }}\n"
        f"http {{ access_log off; {_SCRATCH.format(folder)}\nserver {{ {listens} ssl_certificate {certificate};"
        f" ssl_certificate_key {certificate}; ssl_protocols TLSv1.2 TLSv1.3; {_LOCATIONS} }} }}\n"
    )


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses at the moment."""
    held = []
    try:
        for _ in range(number):
            held.append(socket.create_server(("127.0.0.1", 0)))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def await_nginx(port: int, nginx: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if nginx.poll() is not None:
                break
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("nginx did not begin to serve")
