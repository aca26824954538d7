"""Pseudonyms for hosts and addresses, so that a report can be handed out without telling a network's names.

The same name becomes the same pseudonym everywhere in a document; an address keeps what kind it is (private, public
...), for that decides what can be wrong. Names that everybody knows (Braintrust's own) stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar, cast

from btdiag.core.report import Report
from btdiag.report.documents import Document, reports_of
from btdiag.report.walk import Rewriter

DocumentType = TypeVar("DocumentType", bound=Document)

_PUBLIC_NAMES = re.compile(r"(?:[a-z0-9-]+\.)*(?:braintrust\.dev|braintrustdata\.com)", re.IGNORECASE)
_PRIVATE_ENDS = (
    "internal|local|lan|corp|intranet|localdomain|home\\.arpa|svc|amazonaws\\.com|cloudfront\\.net|azure\\.com"
    "|cloudapp\\.net|windows\\.net|googleusercontent\\.com|run\\.app"
)
_CLUSTER = ("svc.cluster.local", "cluster.local")
_USUAL_NAMESPACES = frozenset({"", "default", "braintrust"})
_HOST_IN_URL = re.compile(r"(?<=://)(?:[^\s/?#@\"'<>]*@)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%\w+)?(?![\w:])")


def anonymize(document: DocumentType) -> tuple[DocumentType, dict[str, int]]:
    """The document with pseudonyms, and how many hosts and addresses were given one."""
    rewriter = _Anonymizer(_hosts(document))
    return cast(DocumentType, rewriter.fields(document)), rewriter.numbers()


class _Anonymizer(Rewriter):
    """Numbers hosts and addresses in the order in which they turn up. A host whose name is a mere word ("api") is
    replaced in URLs and where it names the vantage only, lest the prose suffers."""

    def __init__(self, hosts: Iterable[str]) -> None:
        ordered = sorted({host for host in hosts if not host.isalpha()}, key=lambda host: (-len(host), host))
        ends = "|".join([_PRIVATE_ENDS, *{re.escape(end) for end in map(_domain, ordered) if end}])
        exact = "|".join(map(re.escape, ordered)) or r"(?!)"
        self._host = re.compile(rf"(?<![\w.-])(?:{exact}|(?:[a-z0-9_-]+\.)+(?:{ends}))(?![\w-]|\.\w)", re.IGNORECASE)
        self._pseudonyms: dict[str, str] = {}

    def numbers(self) -> dict[str, int]:
        """How many different hosts and addresses were replaced."""
        hosts = sum(name.startswith(("host-", "namespace-")) for name in self._pseudonyms.values())
        return {"hosts": hosts, "addresses": len(self._pseudonyms) - hosts}

    def string(self, text: str, key: str) -> str:
        if key == "sources":
            return text
        if key == "hostname":
            return self._of_host(text)
        if key == "namespace":
            return self._pseudonym(text.lower(), "namespace", "") if text not in _USUAL_NAMESPACES else text
        text = _HOST_IN_URL.sub(self._of_url, text)
        text = self._host.sub(lambda found: self._of_host(found.group()), text)
        return _IPV6.sub(self._of_address, _IPV4.sub(self._of_address, text))

    def _of_url(self, found: re.Match[str]) -> str:
        before = found.group()[: found.start(1) - found.start()]
        return before + (found[1] if _is_address(found[1]) else self._of_host(found[1]))

    def _of_host(self, host: str) -> str:
        if _PUBLIC_NAMES.fullmatch(host) or host.lower() == "localhost" or host.endswith(".invalid"):
            return host
        return self._pseudonym(host.lower(), "host", ".invalid")

    def _of_address(self, found: re.Match[str]) -> str:
        try:
            address = ipaddress.ip_address(found.group())
        except ValueError:
            return found.group()
        if address.is_loopback or address.is_unspecified:
            return found.group()
        return self._pseudonym(str(address), f"{_kind(address)}-address", "")

    def _pseudonym(self, name: str, kind: str, end: str) -> str:
        number = 1 + sum(pseudonym.startswith(f"{kind}-") for pseudonym in self._pseudonyms.values())
        return self._pseudonyms.setdefault(name, f"{kind}-{number}{end}")


def _kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    version = f"ipv{address.version}"
    if address.is_link_local:
        return f"link-local-{version}"
    return f"public-{version}" if address.is_global else f"private-{version}"


def _domain(host: str) -> str:
    """The last two labels of a name that has more: its neighbours are likely to be named alike."""
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 2 and not _PUBLIC_NAMES.fullmatch(host) else ""


def _hosts(document: Document) -> set[str]:
    """The hosts that a document names in known places: target, vantage, proxies, and every URL."""
    collector = _Collector()
    collector.fields(document)
    for report in reports_of(document):
        collector.hosts |= set(_named(report))
    return {host for host in collector.hosts if not _is_address(host) and len(host) > 1}


def _named(report: Report) -> Iterator[str]:
    yield report.run.vantage.hostname
    if report.run.vantage.pod is not None:
        yield from (name for name in report.run.vantage.pod.search if not name.endswith(_CLUSTER))
    host = report.target.get("host")
    if isinstance(host, str):
        yield host


class _Collector(Rewriter):
    """Changes nothing; gathers the hosts of URLs."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()

    def string(self, text: str, key: str) -> str:
        if key != "sources":
            self.hosts |= {found[1] for found in _HOST_IN_URL.finditer(text)}
        return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
