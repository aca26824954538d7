"""A folder given with --checks, whatever it turns out to be: looked at within bounds, one line for what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from btdiag.engine import loader
from btdiag.engine.loader import CollectionError, own_checks, reason_of
from btdiag.engine.stage import MOST_OUTPUT, Swallowed
from tests.support import cli
from tests.support.cli import CLEAN, btdiag

CHECK = "def check_{}(): pass\n"


def write(folder: Path, **files: str) -> Path:
    """The folder, made if need be, with these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return folder


def told(folder: Path) -> str:
    with pytest.raises(CollectionError) as caught:
        own_checks(folder)
    return str(caught.value)


def test_a_folder_without_checks_is_a_mistake(tmp_path: Path) -> None:
    assert "holds no file check_*.py" in told(write(tmp_path, test_own="def test_x(): pass"))


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", check_far=CHECK.format("far"), check_linked=CHECK.format("linked"))
    place = write(tmp_path / "place", check_near=CHECK.format("near"))
    write(place / "sub", check_sub=CHECK.format("sub"))
    for name in (".hidden", "__pycache__", "node_modules", "env"):
        write(place / name, check_not=CHECK.format("passed_over"))
    (place / "env" / "pyvenv.cfg").touch()
    (place / "again").symlink_to(place)
    (place / "away").symlink_to(outside)
    (place / "check_link.py").symlink_to(outside / "check_linked.py")
    found = own_checks(place)
    assert sorted(file.name for file in found.files) == ["check_link.py", "check_near.py", "check_sub.py"]
    assert found.passed_over(place.resolve() / "away")
    assert not found.passed_over(place.resolve() / "sub")
    assert not found.passed_over(outside)
    listed = btdiag("checks", "--checks", str(place)).out
    assert [name for name in ("near", "sub", "link", "far", "not") if f"\n{name}." in listed] == ["near", "sub", "link"]
    assert not [*place.glob("__pycache__/*.pyc"), *place.glob("sub/__pycache__")]


def test_the_bounds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MOST_FILES", 3)
    monkeypatch.setattr(loader, "MOST_ENTRIES", 6)
    many = write(tmp_path / "many", **{f"check_{number}": "" for number in range(4)})
    assert "more than 3 files check_*.py" in told(many)
    full = write(tmp_path / "full", **{f"other_{number}": "" for number in range(7)})
    assert "more than 6 files" in told(full)
    monkeypatch.setattr(loader, "DEEPEST", 3)
    (tmp_path / "deep/a/b/c").mkdir(parents=True)
    assert "more than 3 folders deep" in told(tmp_path / "deep")
    assert "part of a test id" in told(write(tmp_path / "with[brackets]"))


def test_the_whole_disk_is_no_folder_of_checks() -> None:
    done = btdiag("checks", "--checks", "/", timeout=60)
    assert (done.code, len(done.err.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"def broken(:", "invalid syntax in line 1"),
        (b"x = '\xe9'", "utf-8"),
        (b"x = 1\0", "null bytes"),
        (b"# coding: nonesuch\n", "encoding"),
        (b"x = " + b"(" * 300 + b")" * 300, "nested"),
        (b"x = " + b"-" * 100_000 + b"1", "Error"),
        (b"#" * (loader.LARGEST_FILE + 1), "is larger than"),
    ],
)
def test_a_file_that_is_no_python_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "check_own.py").write_bytes(content)
    said = told(tmp_path)
    assert "check_own.py" in said
    assert words in said
    assert len(said.splitlines()) == 1


def test_what_is_no_ordinary_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "check_own.py")
    assert "only plain files are read" in told(tmp_path)
    (tmp_path / "check_own.py").unlink()
    (tmp_path / "check_own.py").symlink_to("check_own.py")
    assert "symbolic links" in told(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import sys; sys.exit(7)", "raises SystemExit"),
        ("raise KeyboardInterrupt", "raises KeyboardInterrupt"),
        ("class Own(BaseException): pass\nraise Own('one\\ntwo')", "Own: one two"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("import pytest; pytest.exit('enough')", "Exit"),
        ("import nonesuch_module", "No module named 'nonesuch_module'"),
        ("raise ValueError('x' * 10_000_000)", "ValueError"),
        ("import sys; sys.stdout.close(); sys.stderr.close(); sys.__stdout__.close(); raise ValueError", "ValueError"),
        ("import os; os.close(1); os.close(2); raise ValueError", "ValueError"),
        ("for _ in range(1000): print('x' * 10_000)\nraise ValueError", "ValueError"),
    ],
)
def test_a_file_that_fails_as_it_is_loaded_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    write(tmp_path, check_own=content)
    done = btdiag("checks", "--checks", str(tmp_path))
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1), done.err
    assert words in done.err
    assert "check_own.py" in done.err
    assert len(done.err) < 4000


def test_a_file_that_closes_what_btdiag_writes_to_silences_nobody(tmp_path: Path) -> None:
    write(
        tmp_path,
        check_own="import os, sys\nsys.stdout.close(); sys.stderr.close(); sys.__stdout__.close(); os.close(1)\n"
        "def check_closes():\n    sys.stdout.close(); print('x')\n",
    )
    listed = btdiag("checks", "--checks", str(tmp_path))
    assert (listed.code, listed.err) == (0, "")
    assert "own.closes" in listed.out
    done = cli.run_json("https://127.0.0.1:1", "--checks", str(tmp_path), "--only", "own")
    assert (done.code, done.verdicts) == (0, {"own.closes": "pass"})


@pytest.mark.parametrize(
    "content",
    [
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import threading\nthreading.Event().wait()",
        "from btdiag.core.measurement import measurement\n"
        "@measurement(budget=1, why='', idle=lambda target, mode: loop())\n"
        "async def mine(): pass\ndef loop():\n    while True: pass\ndef check_it(mine): pass",
    ],
)
@pytest.mark.parametrize("command", [["checks"], ["run", "--target", "https://127.0.0.1:1", "--dry-run"]])
def test_a_file_that_does_not_end_is_named_with_its_line(tmp_path: Path, content: str, command: list[str]) -> None:
    is_told_with_its_line(tmp_path, content, command)


def test_a_file_that_does_not_end_is_named_by_a_run_too(tmp_path: Path) -> None:
    waits = "import threading\nthreading.Event().wait()"
    is_told_with_its_line(tmp_path, waits, ["run", "--target", "https://127.0.0.1:1", "--no-files"])


def is_told_with_its_line(tmp_path: Path, content: str, command: list[str]) -> None:
    write(tmp_path, check_own=content)
    script = (
        "import sys\nfrom btdiag.engine import loader\nloader.LOADING_S = 6\n"
        "from btdiag.entry import entry\nentry(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--checks", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=CLEAN,
        check=False,
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done
    assert "check_own.py line" in done.stderr
    assert "still being loaded" in done.stderr


def test_what_is_printed_is_kept_within_bounds_and_cannot_be_closed() -> None:
    sink = Swallowed()
    for _ in range(100):
        assert sink.write("x" * 10_000) == 10_000
    sink.close()
    sink.write("x")
    assert len(sink.getvalue()) <= 2 * MOST_OUTPUT


def test_the_reason_is_taken_out_of_what_pytest_tells() -> None:
    assert reason_of("x.py:1: in <module>\nE   a.B: one\nE   two\n\nhint") == "a.B: one two"
    assert reason_of("only this") == "only this"
    assert reason_of("") == "it fails without a word"
