"""The lab's process seen from outside: whatever it prints, or does not, is told in a line and in time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from btdiag.config import UsageError
from btdiag.engine import labhost
from btdiag.engine.labhost import LabError

Become = Callable[[str], None]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Puts a script in the place of the lab, and has little patience with it."""
    monkeypatch.setattr(labhost, "START_BUDGET_S", 2.0)

    def put(script: str) -> None:
        def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-c", script, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )

        monkeypatch.setattr(labhost, "_start", start)

    return put


CASES = [
    ("print('hello', flush=True); input()", "something else"),
    ("import sys; sys.stdout.buffer.write(bytes([255, 27, 10])); sys.stdout.flush(); input()", "something else"),
    ("print('[]', flush=True); input()", "something else"),
    ('print(\'{"target": {"url": 7}}\', flush=True); input()', "something else"),
    ("print('[' * 100_000, flush=True); input()", "something else"),
    ("import os; os._exit(5)", "ended before it served (5): without a word"),
    ("import sys; sys.exit('some words')", "ended before it served (1): some words"),
    ("input()", "did not say within 2 s"),
    ("while True: print('x' * 100_000, end='')", "something else"),
    ("import sys\nwhile True: print('x' * 100_000, file=sys.stderr)", "did not say within 2 s"),
    ("import os; os.close(1); input()", "ended before it served"),
    ("import os, time\nif os.fork(): os._exit(0)\ntime.sleep(60)", "did not say within 2 s"),
]


@pytest.mark.parametrize(("script", "words"), CASES)
def test_a_lab_that_does_not_serve_is_told(become: Become, script: str, words: str) -> None:
    become(script)
    lab = labhost.start("healthy")
    begun = time.monotonic()
    with pytest.raises(LabError, match="lab:healthy") as caught:
        lab.ready()
    lab.stop()
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.monotonic() - begun < 30
    assert lab.process.poll() is not None


def test_a_mistake_of_the_users_is_told_as_that(become: Become) -> None:
    become("import sys; sys.stderr.write('first\\nno such scenario\\n'); sys.exit(2)")
    lab = labhost.start("nope")
    with pytest.raises(UsageError, match=r"^no such scenario$"):
        lab.ready()
    lab.stop()


@pytest.mark.parametrize(
    "script",
    [
        "print('[]')",
        "print('[{}]')",
        "print('[{\"name\": 1}]')",
        "print('{}')",
        "pass",
        "while True: print('x' * 100_000)",
        "input()",
    ],
)
def test_a_list_that_is_none_is_told(become: Become, script: str) -> None:
    become(script)
    with pytest.raises(LabError, match="did not list its scenarios"):
        labhost.declared_scenarios()
