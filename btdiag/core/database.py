"""The URL of a PostgreSQL database in which runs are kept. Pure.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from btdiag.core.target import Secret

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = r"(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._%-]*)(?::\d{1,5})?"
_URL = re.compile(
    rf"postgres(?:ql)?://(?:[^/?#@\s]*@)?(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<name>/[^/?#@\s]*)?"
    r"(?:\?(?P<query>[a-z_]+=[^?#@&\s]*(?:&[a-z_]+=[^?#@&\s]*)*))?"
)
_SHOWN = re.compile(r"(?:host|hostaddr|port|dbname|sslmode)=.*")


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database; `str` has no user, no password and no other option of its URL, which `whole` alone gives."""

    shown: str
    whole: Secret

    def __str__(self) -> str:
        return self.shown


StorePlace: TypeAlias = Path | DatabaseUrl


def database_url(text: str) -> DatabaseUrl | None:
    """The database that a URL names, None for what is no URL; ValueError, which repeats nothing, for any other URL:
    what does not parse is the likeliest place for a password."""
    if _SCHEME.match(text) is None:
        return None
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(
            "a store is a file, or postgresql://USER@HOST:PORT/DATABASE; every character of a password in it but "
            "letters and digits is written as %XX (it is not repeated here)"
        )
    query = "&".join(pair for pair in (found["query"] or "").split("&") if _SHOWN.fullmatch(pair))
    shown = f"postgresql://{found['hosts']}{found['name'] or ''}{f'?{query}' if query else ''}"
    return DatabaseUrl(shown, Secret(text))
