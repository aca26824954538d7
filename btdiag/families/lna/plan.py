"""What the browser is started with: which hosts it may reach and how, whom it trusts, which pages it shows."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from btdiag.core.target import Target
from btdiag.core.urls import bracketed

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
)
WARN_ONLY = "--enable-features=LocalNetworkAccessChecks:LocalNetworkAccessChecksWarn/true"
_PAC_KEYWORDS = {"http": "PROXY", "https": "HTTPS", "socks5": "SOCKS5", "socks4": "SOCKS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserPlan:
    """One survey, as the browser's process gets it. `url` is what pages ask for; `proxy` is (URL, user, password);
    `patience` is how long a person may take to answer a prompt, 0 for no person at all. Times in seconds."""

    executable: str
    url: str
    origins: tuple[str, ...]
    switches: tuple[str, ...]
    user_agent: str
    proxy: tuple[str, str, str] | None = None
    ca_file: str = ""
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
        lists = {name: tuple(given[name]) for name in ("origins", "switches")}
        return cls(**given | lists | {"proxy": tuple(given["proxy"]) if given["proxy"] else None})


def switches(target: Target, pinned: str, spki: tuple[str, ...]) -> tuple[str, ...]:
    """Chromium's command line for a target. `pinned` is the address its name stands for, "" to resolve it as always;
    `spki` are the keys that are trusted whatever their certificate, base64 of SHA-256."""
    more = [f"--host-resolver-rules={_resolver_rules(target, pinned)}", *_proxy_switches(target)]
    if spki:
        more.append(f"--ignore-certificate-errors-spki-list={','.join(spki)}")
    if target.address_spaces:
        spaces = ",".join(f"{_cidr(network)}={space}" for network, space in target.address_spaces)
        more.append(f"--ip-address-space-overrides={spaces}")
    return (*QUIET, *more)


def _resolver_rules(target: Target, pinned: str) -> str:
    """The target and the proxy can be reached, every other host does not exist: Chromium looks up some of its own."""
    if pinned:
        rules = [f"MAP {bracketed(target.host)}:{target.port} {bracketed(pinned)}:{target.port}"]
    else:
        rules = [f"EXCLUDE {target.host}"]
    if target.proxy:
        rules.append(f"EXCLUDE {urlsplit(target.proxy.url).hostname}")
    return " , ".join((*rules, "MAP * ~NOTFOUND"))


def _proxy_switches(target: Target) -> tuple[str, ...]:
    """Only what goes to the target's host is sent to the proxy; anything else would be direct, and so to nowhere."""
    if target.proxy is None:
        return ("--no-proxy-server",)
    parts = urlsplit(target.proxy.url)
    through = f"{_PAC_KEYWORDS.get(parts.scheme, 'PROXY')} {parts.netloc}"
    script = (
        f"function FindProxyForURL(url, host) {{ return host === {json.dumps(target.host)} ? "
        f'{json.dumps(through)} : "DIRECT"; }}'
    )
    encoded = base64.b64encode(script.encode()).decode()
    return (f"--proxy-pac-url=data:application/x-ns-proxy-autoconfig;base64,{encoded}",)


def _cidr(network: str) -> str:
    address, slash, length = network.partition("/")
    return f"{bracketed(address)}{slash}{length}"
