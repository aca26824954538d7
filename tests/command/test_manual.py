"""The manual page: made of the commands and the table of options, and sound roff."""

from __future__ import annotations

import subprocess

import pytest

from btdiag.cli import cli
from btdiag.config.options import OPTIONS
from tests import docs, manual


def test_the_page_is_what_the_code_says() -> None:
    assert docs.MANUAL.read_text("utf-8") == manual.page()


@pytest.mark.real
def test_the_page_shows_every_command_and_option() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-ww", str(docs.MANUAL)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    shown = done.stdout.split()
    assert set(cli.commands) <= set(shown)
    assert {f"--{option.name}" for option in OPTIONS} <= set(shown)
