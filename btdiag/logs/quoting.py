"""Lines of a log as they may be shown: without keys, cookies and query strings. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from btdiag.logs.event import Event
from btdiag.logs.house import plain, redact_text
from btdiag.logs.rows import KindRow

_QUERY = re.compile(r"\?[^\s\"'\\,}]+")
_COOKIE = re.compile(r"((?:set-)?cookie\"?\s*[:=]\s*(?:\[\s*)?\"?)[^\"\]]+", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.])")
_SHOWN = 4
_LONGEST = 900


class Quoter:
    """Shows lines; with `anonymize` the same address gets the same pseudonym in all of them."""

    def __init__(self, *, anonymize: bool = False) -> None:
        self._anonymize = anonymize
        self._names: dict[str, str] = {}

    def lines(self, rows: Sequence[KindRow]) -> str:
        """The lines that show it; of a proved race those whose age is nearest the one at which the backend closes."""
        shown: list[str] = []
        for row in rows:
            for event in _chosen(row)[: max(_SHOWN - len(shown), 0)]:
                age = f", {event.age:.3f} s idle" if event.age is not None and row.k_s is not None else ""
                shown.append(f"{plain(row.file)}:{event.line}{age}: {self.text(event.raw)}")
        return "\n".join(shown)

    def text(self, raw: bytes) -> str:
        """One line as it may be shown."""
        text = raw.decode("utf-8", "replace")[:_LONGEST].replace("\n", " | ")
        text = _COOKIE.sub(r"\1[withheld]", _QUERY.sub("?[withheld]", text))
        return self.name(plain(redact_text(text)))

    def name(self, text: str) -> str:
        """Any text, its addresses replaced where that was asked for."""
        return _ADDRESS.sub(self._pseudonym, text) if self._anonymize else text

    def _pseudonym(self, found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found.group())
        except ValueError:
            return found.group()
        return self._names.setdefault(str(address), f"address-{len(self._names) + 1}")


def _chosen(row: KindRow) -> list[Event]:
    """The earliest lines whose age is nearest the one at which the backend closes, else the earliest."""
    kept = [event for event in row.events if event.raw]
    if row.k_s is None:
        return kept[:_SHOWN]
    k = row.k_s
    return sorted(
        kept, key=lambda event: (round(abs((event.age if event.age is not None else 1e9) - k), 2), event.line)
    )[:_SHOWN]
