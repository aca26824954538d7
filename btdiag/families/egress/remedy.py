"""The ways in which a host is kept from being reached, each with what to do about it, and one host understood."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.finding import Evidence, HopName, Owner
from btdiag.families.egress.facts import HostTrial


class Block(StrEnum):
    """How a host is kept from being reached."""

    NAME = "its name does not resolve"
    FILTERED = "the resolver of this place withholds its name"
    SINKHOLE = "a DNS filter gives its name an address that leads nowhere"
    REFUSED = "connections are refused"
    REJECTED = "a firewall rejects connections"
    SILENCE = "connections get no answer"
    NO_WAY = "the network says that there is no way"
    RESET = "connections are reset at once"
    SNI = "connections are cut off for the server name in them"
    HANDSHAKE = "connections are cut off in the TLS handshake"
    NO_TLS = "what answers there speaks no TLS"
    ALERT = "what answers there refuses the TLS handshake"
    PROXY = "the proxy opens no way to it"
    PROXY_LOGIN = "the proxy demands a login"
    BEYOND_PROXY = "the proxy itself cannot reach it"
    INSPECTED = "TLS is intercepted"
    STRANGER = "another server answers in its place"
    UNTRUSTED = "its certificate is not trusted here"
    PAGE = "a block page or portal answers in its place"
    PATH = "only some of its paths get through"
    METHOD = "only some methods get through"
    BODY = "larger requests do not get through"
    UPGRADE = "WebSocket upgrades do not get through"
    CUT = "requests are cut off on an open connection"
    LOCAL = "this machine cannot send"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReading:
    """One host understood. `block` is None when the right thing answered; `detail` says what was seen; `note` is what
    is wrong with a host that was reached (`advice` what to do about it, where it is no matter of addresses), `aside`
    what is worth knowing though nothing is wrong."""

    trial: HostTrial
    block: Block | None = None
    detail: str = ""
    hop: str = HopName.NETWORK
    owner: str = Owner.NETWORK
    proof: tuple[Evidence, ...] = ()
    note: str = ""
    aside: str = ""
    advice: str = ""

    @property
    def name(self) -> str:
        """The host, or the whole URL where it has a path."""
        url = self.trial.host.url
        return self.trial.host.name if url.count("/") < 3 else url

    @property
    def sentence(self) -> str:
        """ "www.example.com: connections are refused (203.0.113.7: connection refused)"."""
        told = f" ({self.detail})" if self.detail else ""
        return f"{self.name}: {self.block}{told}"


ADVICE = {
    Block.NAME: "Make sure that {names} is spelt right; then let the resolver of this place answer for it: add a "
    "forwarding rule, or allow the name there.",
    Block.FILTERED: "Allow {names} in the resolver of this place: another resolver knows the name, so a filter (or a "
    "private zone of the same name) withholds it.",
    Block.SINKHOLE: "Allow {names} in the DNS filter (response-policy zone, Pi-hole, security agent).",
    Block.REFUSED: "Allow TCP to {names} on port {port} in the firewall that rejects it; a reject rule with a reset "
    "looks like a closed port, so make sure that the address is right and something listens there.",
    Block.REJECTED: "Allow TCP to {names} on port {port} in the firewall that says no (its address stands above).",
    Block.SILENCE: "Allow outgoing TCP to {names} on port {port}: security group, network policy, firewall, NAT route.",
    Block.NO_WAY: "Give this place a route to {names} (NAT gateway, VPN), and make sure that the host is up.",
    Block.RESET: "Look for a filter that accepts connections to {names} and resets them at once: allow the host.",
    Block.SNI: "Allow the server name {names} in the firewall that reads it from TLS (FQDN or URL filtering rule).",
    Block.HANDSHAKE: "Look for a filter that cuts TLS to {names}; allow the host by name, without inspection.",
    Block.NO_TLS: "Correct the URL of {names} (http:// or another port); if it is right, a filter answers there in "
    "plain HTTP: allow the host.",
    Block.ALERT: "Correct the URL of {names}, or give the client certificate that the server wants; if both are right, "
    "a filter sends the alert: allow the host by name.",
    Block.PROXY: "Allow CONNECT to {names}:{port} at the proxy {proxy}, or exclude the host by NO_PROXY if there is a "
    "direct way.",
    Block.PROXY_LOGIN: "Put the login for the proxy {proxy} into the proxy URL (http://USER:PASSWORD@HOST:PORT).",
    Block.BEYOND_PROXY: "Look at name resolution and the firewall where the proxy {proxy} runs: it is willing, and "
    "finds no way to {names}.",
    Block.STRANGER: "Find what answers for {names}: a DNS filter's block page, a captive portal or a wrong record. "
    "Allow the host there.",
    Block.UNTRUSTED: "If a TLS inspecting firewall is in use, exempt {names} from it, or give its CA to all programs "
    "(SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS); if the host has a private CA, name it with --ca FILE.",
    Block.PAGE: "Allow {names} in the web filter that shows the page, or log in to the network's portal. If no filter "
    "is in use, the host's own front turns this place down (list of allowed addresses, WAF).",
    Block.PATH: "Allow all paths of {names}, not only some.",
    Block.METHOD: "Allow all methods on {names}, not only GET: SDKs POST to /api.",
    Block.BODY: "Raise the largest request that may pass to {names}: SDKs send megabytes.",
    Block.UPGRADE: "Allow WebSocket (the Upgrade header, RFC 6455) to {names}.",
    Block.CUT: "Allow {names} without content inspection: the connection stands, and requests on it are cut off.",
    Block.LOCAL: "Allow this machine to send (local firewall, IPv6 route, resolver), then run again.",
    Block.INSPECTED: "Exempt {names} from TLS inspection, or give the inspecting CA to all programs.",
}
"""What to do, by the way of blocking."""
