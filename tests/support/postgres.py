"""For tests: a PostgreSQL of their own, from Debian's package, in a temporary folder and on a port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from tests.support.cli import CLEAN
from tests.support.tools import lacking

PASSWORD = "pw-canary-5f2e"
WAIT_S = "30"
_numbers = count()
SETTINGS = "-c fsync=off -c shared_buffers=16MB -c max_connections=20 -c autovacuum=off"


@dataclass(frozen=True)
class Server:
    """A running server, which asks for a password. `folder` has its data."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        """How it is reached, with the password."""
        return f"postgresql://keeper:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """The URL of one that is empty."""
        name = f"db{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"{self.url.removesuffix('/postgres')}/{name}"

    def control(self, *arguments: str) -> None:
        """pg_ctl, as whoever may run the server."""
        command = [str(programs() / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-t", WAIT_S, "-m", "immediate"]
        _as_postgres([*command, "-l", str(self.folder / "log"), "-o", f"{SETTINGS} -p {self.port}", *arguments])


def programs() -> Path:
    """The folder of the newest installed server; without one the test is skipped, in CI it fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else lacking("postgresql is not installed")


def _as_postgres(command: list[str]) -> None:
    """Run it: root may not run the server, and hands it to the user of Debian's package."""
    other: Mapping[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, env=CLEAN, cwd="/", **other)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def postgres() -> Iterator[Server]:
    """A server for as long as it is needed."""
    initdb = programs() / "initdb"
    folder = Path(tempfile.mkdtemp(prefix="btdiag-pg-"))
    server = Server(folder, _free_port())
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        command = [str(initdb), "-D", str(folder / "data"), "-U", "keeper", "--no-sync", "-A", "scram-sha-256"]
        _as_postgres([*command, f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C"])
        with (folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.write(f"listen_addresses = '127.0.0.1'\nunix_socket_directories = '{folder}'\n")
        server.control("start")
        try:
            yield server
        finally:
            server.control("stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
