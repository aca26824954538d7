"""What shells offer when Tab is pressed, in the form that each of them reads."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from click.shell_completion import get_completion_class

from btdiag.cli import cli
from tests.support.cli import CLEAN


def offered(monkeypatch: pytest.MonkeyPatch, line: str, shell: str = "zsh") -> str:
    """What completes the last word of the line."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
    kind = get_completion_class(shell)
    assert kind is not None
    return kind(cli, {}, "btdiag", "_BTDIAG_COMPLETE").complete()


@pytest.mark.parametrize(
    ("line", "expected", "absent"),
    [
        ("btdiag run --only d", ["dns", "dns.resolves"], "cors"),
        ("btdiag run --skip cors.web", ["cors.web-app-may-call"], "dns"),
        ("btdiag run --target lab:keepalive-r", ["lab:keepalive-race"], "lab:healthy"),
        ("btdiag run --role s", ["sdk"], "browser"),
        ("btdiag run --fail-on in", ["inconclusive"], "never"),
        ("btdiag run --report j", ["json=", "junit="], "html="),
        ("btdiag run --brainstore w", ["writer="], "reader="),
        ("btdiag run --browser n", ["none"], "auto"),
        ("btdiag run --app-url x", [], "lab"),
        ("btdiag run --target https", [], "lab"),
        ("btdiag explain config.keys", ["config.keys-are-read"], "dns"),
        ("btdiag lab health", ["healthy"], "keepalive"),
    ],
)
def test_values_are_offered(monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str], absent: str) -> None:
    values = offered(monkeypatch, line).replace("\\:", ":").splitlines()[1::3]
    assert set(expected) <= set(values)
    assert not [value for value in values if value.startswith(absent)]


def test_files_and_folders_are_left_to_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, "btdiag run --ca x", "bash") == "file,x"
    assert offered(monkeypatch, "btdiag run --output x", "bash") == "dir,x"


def test_each_shell_gets_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, "btdiag run --role s", "bash") == "plain,sdk"
    assert offered(monkeypatch, "btdiag run --role s", "fish").split()[0].startswith("plain")
    assert offered(monkeypatch, "btdiag run --role s", "zsh") == "plain\nsdk\n_"


def test_nothing_is_offered_where_the_lab_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btdiag.engine.labhost.declared_scenarios", lambda: 1 / 0)
    assert offered(monkeypatch, "btdiag run --target lab:") == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_keeps_a_scenario_in_one_word() -> None:
    """As bash calls it: the words are split at COMP_WORDBREAKS before the function sees them."""
    script = (
        f'btdiag() {{ {sys.executable} -m btdiag "$@"; }}\n'
        "COMP_WORDBREAKS=' :='\n"
        "source <(btdiag completion bash)\n[[ $COMP_WORDBREAKS == *:* ]] && exit 1\n"
        "complete -p btdiag"
    )
    done = subprocess.run(["bash", "-c", script], env=CLEAN, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "_btdiag_completion btdiag" in done.stdout) == (0, True), done
