"""Text that means harm to whoever reads it on a terminal, and what of it may not be seen in any output."""

from __future__ import annotations

import sys
import unicodedata

# Visible in spite of their category: numbers and marks of Arabic, Syriac, Kaithi and hieroglyphs.
_VISIBLE = {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606), *range(0x13430, 0x13440)}
_FILLERS = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xE0100, 0xE01F0)}

UNSAFE = frozenset(
    chr(code)
    for code in range(sys.maxunicode + 1)
    if (unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and code not in _VISIBLE) or code in _FILLERS
)
"""By the Unicode database and not by the pattern that is under test. All 2,048 surrogates are in it."""

WHITE = {"\n", "\t"}
SAMPLE = "".join(sorted(UNSAFE - WHITE - set(map(chr, range(0xD800, 0xE000))))) + "\ud800\udbff\udc80\udfff"
"""Every one of them, of the surrogates a few."""

SEQUENCES = "\x1b[31m\x1b]0;title\x07\x1b[2J\x9b1m\u202eevil\u2066\r\x08\U000e0041"
"""What an attacker would write."""


def unsafe_in(output: bytes) -> set[str]:
    """The characters of an output that it should not hold; an output that is not UTF-8 raises UnicodeDecodeError."""
    return set(output.decode("utf-8")) & (UNSAFE - WHITE)
