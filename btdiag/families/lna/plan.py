"""What the browser is started with: which hosts it may reach and how, whom it trusts, which pages it shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from btdiag.core.target import Target
from btdiag.core.urls import bracketed
from btdiag.families.lna.facts import CalledHost, ManagedProxy

# What no switch turns off is sent to where nobody is: else a proxy that a policy sets is asked for hosts of Google's
# (seen with Chromium 156).
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--component-updater=url-source=https://127.0.0.1:9/",
    "--gaia-url=https://127.0.0.1:9",
)
WARN_ONLY = "--enable-features=LocalNetworkAccessChecks:LocalNetworkAccessChecksWarn/true"
OWN_HOSTS = ("*.google.com", "*.googleapis.com", "*.gstatic.com", "www.braintrust.dev")
"""What Chromium looks up by itself, and the page's own host (seen with Chromium 156)."""
_PAC_KEYWORDS = {"http": "PROXY", "https": "HTTPS", "socks5": "SOCKS5", "socks4": "SOCKS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserPlan:
    """One survey, as the browser's process gets it. `places` are what pages call; `proxy` is (URL, user, password);
    `authorities` are CAs as PEM that it trusts beside those of `ca_file`;
    `patience` is how long a person may take to answer a prompt, 0 for no person at all. Times in seconds."""

    executable: str
    places: tuple[CalledHost, ...]
    origins: tuple[str, ...]
    switches: tuple[str, ...]
    user_agent: str
    proxy: tuple[str, str, str] | None = None
    ca_file: str = ""
    authorities: tuple[str, ...] = ()
    page: str = ""
    patience: float = 0.0
    screenshots: bool = False

    def line(self) -> bytes:
        """As one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> BrowserPlan:
        """From one line of JSON."""
        given = json.loads(line)
        lists = {name: tuple(given[name]) for name in ("origins", "switches", "authorities")}
        places = tuple(CalledHost(**place | {"addresses": tuple(place["addresses"])}) for place in given["places"])
        proxy = tuple(given["proxy"]) if given["proxy"] else None
        return cls(**given | lists | {"places": places, "proxy": proxy})


def switches(
    target: Target, places: Sequence[CalledHost], spki: tuple[str, ...], managed: Sequence[ManagedProxy] | None = ()
) -> tuple[str, ...]:
    """Chromium's command line for what its pages may call. `spki` are the keys that are trusted whatever their
    certificate, base64 of SHA-256; `managed` are the policies that win over the switches on proxies, None where
    they could not be read."""
    more = [f"--host-resolver-rules={_resolver_rules(places, managed)}", *_proxy_switches(places)]
    if spki:
        more.append(f"--ignore-certificate-errors-spki-list={','.join(spki)}")
    if target.address_spaces:
        spaces = ",".join(f"{_cidr(network)}={space}" for network, space in target.address_spaces)
        more.append(f"--ip-address-space-overrides={spaces}")
    return (*QUIET, *more)


def _resolver_rules(places: Sequence[CalledHost], managed: Sequence[ManagedProxy] | None) -> str:
    """The places and the proxies can be reached, every other host does not exist: Chromium looks up some of its own.

    Where a policy lets a script or the network choose proxies, or may do so, nobody knows their names beforehand: there
    only the hosts that Chromium looks up by itself are taken away."""
    rules = [
        f"MAP {bracketed(place.host)}:{place.port} {bracketed(place.address)}:{place.port}"
        if place.address
        else f"EXCLUDE {place.host}"
        for place in places
    ]
    rules += [f"EXCLUDE {urlsplit(place.proxy).hostname}" for place in places if place.proxy]
    rules += [f"EXCLUDE {host}" for one in managed or () for host in one.hosts]
    open_ended = managed is None or any(not one.hosts for one in managed)
    rest = [f"MAP {host} ~NOTFOUND" for host in (OWN_HOSTS if open_ended else ("*",))]
    return " , ".join(dict.fromkeys((*rules, *rest)))


def _proxy_switches(places: Sequence[CalledHost]) -> tuple[str, ...]:
    """Only what goes to a place is sent to its proxy; anything else would be direct, and so to nowhere."""
    through = {place.host: _pac_way(place.proxy) for place in places if place.proxy}
    if not through:
        return ("--no-proxy-server",)
    cases = " : ".join(f"host === {json.dumps(host)} ? {json.dumps(way)}" for host, way in through.items())
    script = f'function FindProxyForURL(url, host) {{ return {cases} : "DIRECT"; }}'
    encoded = base64.b64encode(script.encode()).decode()
    return (f"--proxy-pac-url=data:application/x-ns-proxy-autoconfig;base64,{encoded}",)


def _pac_way(proxy: str) -> str:
    parts = urlsplit(proxy)
    return f"{_PAC_KEYWORDS.get(parts.scheme, 'PROXY')} {parts.netloc}"


def _cidr(network: str) -> str:
    address, slash, length = network.partition("/")
    return f"{bracketed(address)}{slash}{length}"
