"""The streams at the mouth of the program: harmless text only, whatever is written to them and whoever closes them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag import cli
from btdiag.engine.mouth import CannotWriteError, Mouth, _own, painted
from btdiag.entry import call
from tests.support.cli import CLEAN
from tests.support.hostile import SEQUENCES, UNSAFE, WHITE


@given(st.lists(st.text() | st.sampled_from(sorted(UNSAFE))))
def test_nothing_unsafe_passes(pieces: list[str]) -> None:
    below = io.StringIO(newline="")
    mouth = Mouth(below, "standard output")
    assert [mouth.write(piece) for piece in pieces] == [len(piece) for piece in pieces]
    assert not set(below.getvalue()) & (UNSAFE - WHITE)
    if not set("".join(pieces)) & (UNSAFE - WHITE) and below.getvalue().isprintable():
        assert below.getvalue() == "".join(pieces)


def test_colours_of_our_own_go_past_by_name() -> None:
    below = io.StringIO()
    mouth = Mouth(below, "standard output")
    print("\x1b[31mred\x1b[0m", file=painted(mouth))  # type: ignore[arg-type]
    print("\x1b[31mred", file=mouth)
    assert below.getvalue() == "\x1b[31mred\x1b[0m\n\\x1b[31mred\n"
    assert painted(below) is below


def test_closing_it_changes_nothing() -> None:
    below = io.StringIO()
    mouth = Mouth(below, "standard output")
    mouth.close()
    mouth.write("x")
    assert (mouth.closed, below.getvalue()) == (False, "x")


class Full(io.StringIO):
    """A stream without room."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_a_line() -> None:
    with pytest.raises(CannotWriteError, match="standard output cannot be written: No space left"):
        Mouth(Full(), "standard output").write("x")


def called(*arguments: str, redirect: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "btdiag", *arguments]
    shell = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
    return subprocess.run(shell, capture_output=True, env={**CLEAN, **env}, timeout=60, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_goes_nowhere_is_told() -> None:
    done = called("checks", redirect=">/dev/full")
    assert (done.returncode, done.stderr) == (
        2,
        b"btdiag: standard output cannot be written: No space left on device\n",
    )
    assert called("nope", redirect="2>/dev/full").returncode == 2
    assert called("checks", redirect=">&-").returncode == 0
    assert called("nope", redirect="2>&-").returncode == 2


def test_an_encoding_that_lacks_characters_gets_plain_marks() -> None:
    report = Path(__file__).parents[2] / "reports/examples/healthy/report.json"
    done = called("show", str(report), PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.startswith(b"+ PASS")


def test_a_failure_of_its_own_is_one_harmless_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise RuntimeError(f"{SEQUENCES}\n{'x' * 10_000_000}")

    monkeypatch.delenv("BTDIAG_DEBUG", raising=False)
    monkeypatch.setattr(cli.cli, "main", broken)
    assert call(["checks"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("btdiag: btdiag itself failed: RuntimeError: \\x1b[31m")
    assert len(said.splitlines()) == 1
    assert len(said) < 4000
    assert not set(said) & (UNSAFE - WHITE)


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    import pty

    report = Path(__file__).parents[2] / "reports/examples/healthy/report.json"
    master, slave = pty.openpty()
    try:
        command = [sys.executable, "-m", "btdiag", "show", str(report)]
        done = subprocess.run(command, stdout=slave, env={**CLEAN, "TERM": "xterm"}, check=False)
        assert done.returncode == 0
        assert os.read(master, 20).startswith(b"\x1b[1;32m")
    finally:
        os.close(slave)
        os.close(master)


def test_a_stream_that_was_closed_takes_everything() -> None:
    with _own(None, line_buffering=True) as nowhere:
        assert nowhere.write("lost") == 4
    closed = io.StringIO()
    closed.close()
    assert _own(closed, line_buffering=False) is closed


def test_marks_that_an_encoding_lacks_become_plain_ones() -> None:
    assert "✓ passed → all é".encode("ascii", "btdiag-marks") == rb"+ passed -> all \xe9"


def test_a_mouth_knows_what_is_below(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="latin-1") as below:
        mouth = Mouth(below, "standard output")
        assert (mouth.isatty(), mouth.writable(), mouth.encoding) == (False, True, "latin-1")
        assert mouth.fileno() == below.fileno()
