"""Nothing that could hijack a terminal or reorder text stays as it is; everything else does."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.report.escape import block, plain

DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}
ANYTHING = st.text(alphabet=st.characters(categories=None))


@settings(max_examples=10_000)
@given(ANYTHING)
def test_no_dangerous_character_is_left(text: str) -> None:
    for character in plain(text):
        assert unicodedata.category(character) not in DANGEROUS
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
            "BN",
        }
    assert set(block(text)) - set(plain(text)) <= {"\n", "\t"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_harmless_text_is_unchanged(text: str) -> None:
    assert plain(text) == block(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202e\ud800", "\\u202e\\ud800"),
        ("\U000e0041\x9b", "\\U000e0041\\x9b"),
    ],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_block_keeps_its_lines() -> None:
    assert block("a\r\nb\n\tc\rd\x1b") == "a\nb\n\tc\\rd\\x1b"
