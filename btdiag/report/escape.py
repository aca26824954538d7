"""Makes characters visible that could hijack a terminal, reorder text or break a format. Every format uses it.

Sources: ECMA-48 (C0, C1 and escape sequences), Unicode UAX #9 (bidirectional controls), UTS #39 (invisible characters),
UAX #44 (Default_Ignorable_Code_Point; only the selectors U+FE00 to U+FE0F, which emoji need, stay as they are), XML 1.0
section 2.2 (characters that no document may hold).
"""

from __future__ import annotations

import html
import re

_UNSAFE_CLASS = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u061c\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible, line ends, bidirectional
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # joiners and fillers that show nothing
    "\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff"  # surrogates, noncharacters, annotations
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # invisible marks of shorthand and music
    "\U000e0000-\U000e0fff"  # tags and variation selectors: invisible, and able to carry any text
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
)
_UNSAFE = re.compile(f"[{_UNSAFE_CLASS}]")
_UNSAFE_IN_BLOCK = re.compile(f"(?!\n|\t)[{_UNSAFE_CLASS}]")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def plain(text: str) -> str:
    """The text as one harmless line: control, invisible and bidirectional characters, noncharacters and lone surrogates
    become backslash escapes (`\\x1b`, `\\u202e`), line breaks too. Without such characters it is returned unchanged."""
    return _UNSAFE.sub(_visible, text)


def block(text: str) -> str:
    """As `plain`, but line breaks and tabs stay: for text that is shown in a block of its own."""
    return _UNSAFE_IN_BLOCK.sub(_visible, text.replace("\r\n", "\n"))


def framed(page: str) -> str:
    """A whole HTML page as one element of another page, a notebook: its style stays inside, and no script runs."""
    style = "width:100%;height:36em;border:0"
    return f'<iframe sandbox srcdoc="{html.escape(page)}" style="{style}" title="btdiag report"></iframe>'


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
