"""Where a report may go beside a folder of this machine: a place that a URL names. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]+://(?P<rest>.+)", re.IGNORECASE | re.DOTALL)
_HERE = "file://"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A folder or file behind a URL such as s3://bucket/reports; no secret stands in it."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of it."""
        return self.url.rstrip("/").rpartition("/")[2]

    def below(self, name: str) -> Elsewhere:
        """What has that name in this folder."""
        return Elsewhere(f"{self.url.rstrip('/')}/{name}")


ReportPlace: TypeAlias = Path | Elsewhere


def elsewhere(text: str) -> ReportPlace | None:
    """The place that a URL names, a path where it is file://; None for what is no URL. ValueError where a secret may
    stand in it, which it does not repeat: others can read what a process was called with."""
    found = _URL.fullmatch(text)
    if found is None:
        return None
    if text.lower().startswith(_HERE):
        if not found["rest"].startswith("/"):
            raise ValueError("file:// is followed by a whole path, as in file:///srv/reports")
        return Path(found["rest"])
    if re.search(r":[^/]*@", found["rest"]) or re.search(r"[?#]", found["rest"]):
        raise ValueError(
            "a URL for reports has no password and no query, which others could read: leave it to the environment, as "
            "AWS_SECRET_ACCESS_KEY or FSSPEC_SFTP_PASSWORD"
        )
    return Elsewhere(text)
