"""One request as its caller wants it, and as it is written and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from btdiag.core.credential import WITHHELD
from btdiag.core.exchange import Header
from btdiag.core.urls import default_port
from btdiag.net import http1
from btdiag.net.streams import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as its caller wants it. `key_in` is the header that carries the key, as a bearer token in
    Authorization."""

    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes
    with_key: bool
    key_in: str = "Authorization"

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart."""
        return urlsplit(self.url)

    @property
    def authority(self) -> str:
        """Host header: as in the URL, without userinfo and without the scheme's own port (RFC 9110 section 7.2)."""
        authority = self.parts.netloc.rpartition("@")[2]
        return authority.removesuffix(f":{default_port(self.parts.scheme)}")

    @property
    def target(self) -> str:
        """Path and query."""
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")

    def key_header(self, key: str) -> Header:
        """The header with the key in it."""
        return self.key_in, f"Bearer {key}" if self.key_in == "Authorization" else key

    def outgoing(self, stream: Stream, headers: tuple[Header, ...]) -> http1.Outgoing:
        """How it is written on this stream: to a proxy that no tunnel was asked of with its whole URL."""
        origin = f"{self.parts.scheme}://{self.authority}" if stream.plain_proxy else ""
        return http1.Outgoing(
            method=self.method,
            target=origin + self.target,
            authority=self.authority,
            headers=headers,
            body=self.body,
        )


def merged(*groups: Sequence[Header]) -> tuple[Header, ...]:
    """Headers of several sources; a later source replaces the names it has, repeats within one source stay."""
    found: list[Header] = []
    for group in groups:
        names = {name.lower() for name, _ in group}
        found = [header for header in found if header[0].lower() not in names] + list(group)
    return tuple(found)


def without_cookie(header: Header) -> Header:
    """A Set-Cookie header without the cookie's value: it may be a session, and only name and attributes are of use."""
    name, value = header
    if name.lower() != "set-cookie":
        return header
    cookie, separator, attributes = value.partition(";")
    return name, f"{cookie.partition('=')[0]}={WITHHELD}{separator}{attributes}"
