"""Files of users: plain ones alone, never more than a limit, without waiting, and with one line for what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from btdiag.config import UsageError, settings, target
from btdiag.config.files import MAX_BYTES, MAX_HCL_BYTES, MAX_JSON_BYTES, leaves
from btdiag.config.profile import MAX_BYTES as PROFILE_BYTES
from btdiag.config.profile import load_profile
from btdiag.config.reading import PEM_BYTES, files_in, read_bytes, read_text
from btdiag.config.settings import TARGETS_BYTES
from tests.support.cli import btdiag

URL = "https://127.0.0.1:9"
LIMIT = 100


def fifo(path: Path) -> None:
    os.mkfifo(path)


def to(place: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(place)


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(PEM_BYTES * 100)  # a hole: nothing is stored


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (fifo, "it is a pipe"),
    "zero": (to("/dev/zero"), "it is a device"),
    "terminal": (to("/dev/tty"), "it is a device"),
    "folder": (Path.mkdir, "it is a folder"),
    "loop": (lambda path: path.symlink_to(path), "symbolic links"),
    "broken": (to("nowhere"), "No such file"),
    "large": (large, "is larger than"),
    "under a file": (to("/etc/passwd/x"), "Not a directory"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["profile", "targets", "config", "ca", "client-cert", "client-key", "SSL_CERT_FILE"])
def test_what_is_no_plain_file_of_some_size(tmp_path: Path, kind: str, option: str) -> None:
    make, words = KINDS[kind]
    path = tmp_path / "x.yaml"
    make(path)
    if (option, kind) == ("config", "folder"):
        words = "directly in this folder"
    flags: dict[str, object] = {"target": (URL,)}
    environment = {}
    if option == "SSL_CERT_FILE":
        environment[option] = str(path)
    elif option == "config":
        flags["config"] = (str(path),)
    else:
        flags[option.replace("-", "_")] = str(path)
    if option == "client-key":
        flags["client_cert"] = __file__

    def read() -> None:
        made = settings(flags, environment, tmp_path)
        target(made, made.urls[0])

    with pytest.raises(UsageError, match=words) as caught:
        read()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("option", ["--profile", "--targets", "--config", "--ca", "--client-cert"])
def test_the_command_does_not_wait_for_a_pipe(tmp_path: Path, option: str) -> None:
    fifo(tmp_path / "pipe")
    done = btdiag("run", "--target", URL, "--no-files", option, str(tmp_path / "pipe"), timeout=30)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "only plain files are read" in done.err


def test_a_limit_is_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbf" + b"x" * (LIMIT - 3))
    assert len(read_bytes(path, LIMIT, "x")) == LIMIT
    assert read_text(path, LIMIT, "x") == "x" * (LIMIT - 3)
    with pytest.raises(UsageError, match="larger than"):
        read_bytes(path, LIMIT - 1, "x")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening."""
    path, pipe = tmp_path / "x", tmp_path / "pipe"
    path.write_text("x")
    fifo(pipe)
    opened = os.open
    monkeypatch.setattr(os, "open", lambda _, *flags: opened(pipe, *flags))
    with pytest.raises(UsageError, match="it is a pipe"):
        read_bytes(path, LIMIT, "x")


def test_a_folder_has_only_so_many_entries_and_of_them_plain_files_count(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text("")
    fifo(tmp_path / "c")
    (tmp_path / "d").symlink_to("d")
    (tmp_path / "e").mkdir()
    (tmp_path / "f").symlink_to(tmp_path / "e")
    assert [path.name for path in files_in(tmp_path, 6, "x")] == ["a", "b"]
    with pytest.raises(UsageError, match="more than 5 entries"):
        files_in(tmp_path, 5, "x")


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 100_000 + " = 1",
        "a" + ".a" * 15_000 + " = 1",
        "[" + "a." * 15_000 + "a]",
        "target = " + "[" * 10_000,
        "target = " + "{a = " * 10_000,
        "lb_idle_timeout = " + "9" * 10_000,
        "lb_idle_timeout = 0x" + "f" * 10_000,
        "lb_idle_timeout = 1e999999",
        "periods = " + "9" * 10_000,
        "budget = " + "9" * 4_000,
        f'budget = "{"9" * 4000}h"',
        f'periods = "{"0" * 10_000}1"',
        "lb_idle_timeout = [1]",
        "lb_idle_timeout = true",
        "quick = 9999-99-99",
        f'[[waive]]\nid = "a"\nuntil = 0x{"f" * 10_000}\nreason = "x"',
        "x" * (PROFILE_BYTES + 1),
        'target = "\\ud800"',
    ],
)
def test_a_profile_that_no_person_writes(tmp_path: Path, text: str) -> None:
    (tmp_path / "btdiag.toml").write_text(text)
    with pytest.raises(UsageError, match="profile") as caught:
        settings({"target": (URL,)}, {}, tmp_path)
    assert len(str(caught.value)) < 400


def test_a_profile_with_all_that_a_person_writes_is_within_the_limits(tmp_path: Path) -> None:
    hosts = ", ".join(f'"https://a.b.c.d{n}.example"' for n in range(40))
    tables = "".join(f'[targets."https://a.b.c.d{n}.example"]\nlb_idle_timeout = {n + 1}.5\n' for n in range(200))
    (tmp_path / "btdiag.toml").write_text(
        f"# see https://{'x.' * 50}example # and\ntarget = [{hosts}]\nskip = ['''a.b''', \"\"\"c.d\"\"\"]\n{tables}"
    )
    found = load_profile(None, tmp_path)
    assert len(found.targets) == 200
    assert found.values["skip"] == ("a.b", "c.d")


def test_a_home_that_nobody_knows(tmp_path: Path) -> None:
    done = btdiag("run", "--target", URL, "--ca", "~nobody-of-this-name/ca.pem", env={"HOME": None})
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "home folder" in done.err
    done = btdiag("run", "--target", URL, "--report", "json=~nobody-of-this-name/x")
    assert (done.code, done.err.count("\n")) == (2, 1)


def _flow(name: str) -> str:
    return "{" + ", ".join(f"{name}{n}: v" for n in range(80_000)) + "}"


BOMBS = {
    "flow.yaml": _flow("k"),
    "block.yaml": "".join(f"k{n}: v\n" for n in range(80_000)),
    "deep.yaml": "[" * 100_000,
    "merged.yaml": "a: &a {" + "<<: *a, " * 50 + "}\n",
    "lists.yaml": "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
    "merges.yaml": "a0: &a0 {k: v}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)),
    "circle.yaml": "a: &a {<<: [*a, *a], b: [*a, *a]}\n",
    "key.yaml": "? " + "k" * 100_000 + "\n: [x]\n",
    "large.yaml": "#" * (MAX_BYTES + 1),
    "list.tf": "a = [" + "1," * 100_000 + "]\n",
    "sum.tf": "a = 1" + "+1" * 100_000 + "\n",
    "large.tf": "#" * (MAX_HCL_BYTES + 1),
    "deep.json": "[" * 100_000,
    "wide.json": "[" + "[]," * 400_000 + "1]",
    "large.json": " " * (MAX_JSON_BYTES + 1),
    "digits.json": "[" + "9" * 10_000 + "]",
    "key.json": '{"' + "k" * 100_000 + '": 1}',
    "blanks.txt": "A=1" + " " * 500_000 + "\x0cx",
    "x.env": "A=1\n" * 160_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_given_up_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(BOMBS[name])
    with pytest.raises(UsageError, match="--config") as caught:
        leaves(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_many_files_have_the_limits_of_one(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"{n}.yaml").write_text(f"# {n}\n" + "#" * (MAX_BYTES - 10))
    with pytest.raises(UsageError, match="more than 3,145,728 bytes of YAML"):
        leaves(tmp_path)
    for n in range(600):
        (tmp_path / f"{n}.env").write_text("")
    with pytest.raises(UsageError, match="too many"):
        leaves(tmp_path)


def test_files_are_read_once_for_all_targets(tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("OUTBOUND_RATE_LIMIT_MAX_REQUESTS=7")
    made = settings({"target": (URL, "https://b.example"), "config": (str(path),)}, {}, tmp_path)
    first = target(made, made.urls[0])
    path.unlink()
    assert target(made, made.urls[1]).settings == first.settings != ()


def test_targets_are_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "targets"
    path.write_text("#" * (TARGETS_BYTES + 1))
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        settings({"targets": str(path)}, {}, tmp_path)


MEASURED = """
import re, sys
from pathlib import Path
from btdiag.config import UsageError
from btdiag.config.files import leaves
try:
    leaves(Path(sys.argv[1]))
except UsageError:
    pass
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["flow.yaml", "merges.yaml", "list.tf", "wide.json", "x.env", "full.tf", "full.json"])
def test_the_memory_for_a_file_is_bounded(tmp_path: Path, name: str) -> None:
    full = {"full.tf": f"a = [{'1,' * 29_000}]\n", "full.json": '{"a":' * 50 + f"[{'1,' * 149_000}1]" + "}" * 50}
    (tmp_path / name).write_text({**BOMBS, **full}[name])
    command = [sys.executable, "-c", MEASURED, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 150  # MiB, some 15 of them the interpreter's
