"""The hosts that a page of the web app calls: the target, and the gateway and the bucket that were named."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from btdiag.core.address import Space, parse, space
from btdiag.core.target import Target
from btdiag.core.urls import bracketed, port_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHost:
    """`role` says what it is to the web app, `told_by` which option names it."""

    role: str
    told_by: str
    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """Scheme, host and port; nothing of the path, which may be signed."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether browsers trust it without TLS (Secure Contexts section 3.1): 127.0.0.0/8, ::1, localhost and the
        names under it."""
        name = self.host.rstrip(".")
        return name == "localhost" or name.endswith(".localhost") or _is_loopback_address(name)

    @property
    def is_exempt(self) -> bool:
        """Whether Local Network Access lifts the rule on mixed content once the user has allowed it: literals of
        private addresses and names under .local, known as local before they are resolved."""
        return self.host.rstrip(".").endswith(".local") or _is_local_address(self.host)


def page_hosts(target: Target) -> tuple[PageHost, ...]:
    """The target first, then what --gateway and --bucket name."""
    api = PageHost(role="the API", told_by="--target", scheme=target.scheme, host=target.host, port=target.port)
    named = (("the AI gateway", "--gateway", target.gateway), ("the bucket", "--bucket", target.bucket))
    return (api, *(_host(role, option, url) for role, option, url in named if url))


def _host(role: str, option: str, url: str) -> PageHost:
    parts = urlsplit(url)
    return PageHost(role=role, told_by=option, scheme=parts.scheme, host=parts.hostname or "", port=port_of(parts))


def _is_loopback_address(name: str) -> bool:
    address = parse(name)
    return address is not None and address.is_loopback


def _is_local_address(name: str) -> bool:
    return parse(name) is not None and space(name) is not Space.PUBLIC
