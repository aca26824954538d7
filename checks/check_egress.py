"""URL restriction: what this place may reach, who listens in, and what must stay blocked."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import Connection
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.egress.facts import Egress
from btdiag.families.egress.judge import reach as judged
from btdiag.families.egress.judge.interception import tls_not_intercepted
from btdiag.families.egress.judge.isolation import blocked_hosts_stay_blocked


def check_required_hosts_reachable(
    egress: Egress, connection: PerAddress[Connection] | NotMeasured, target: Target
) -> Finding:
    """The hosts that this place needs can be reached from here.

    A data plane that cannot reach the control plane refuses every key, a build without the registry has no images, and
    SDKs report a blocked login as "Invalid API key".

    Measured: for each host of --role (without one only the web app's), and of --allow: its name, TCP and TLS on its
    addresses or through the proxy that the environment chooses for it, GET of the URL, where SDKs log in a login
    without a key (small, and with 64 KiB), where the web app needs it a WebSocket handshake. Reached means that the
    right host answered: its certificate, and no block page or portal. What meets silence is given 15 s more: a box that
    inspects the first request is slow, and no cut. What tells look-alikes apart: the sender of an ICMP error, a
    handshake without the server name, another resolver's answer (--nameserver), the way that was not chosen (direct or
    by proxy), and what else is reached from here. A block is a warning without --role, and where the host is optional;
    so are a 5xx or a web page in place of an API's answer, and a named host that redirects to one that was not named.

    Remedy: allow the host at the layer that is named.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting; https://github.com/braintrustdata/helm; RFC 9110
    section 9.3.6; RFC 1812 section 5.2.7.1; RFC 4443 section 3.1
    """
    return conclude(judged.required_hosts_reachable(egress, connection, target))


def check_tls_not_intercepted(
    egress: Egress, connection: PerAddress[Connection] | NotMeasured, target: Target
) -> Finding:
    """TLS to other hosts is not opened on the way.

    A firewall that inspects TLS shows a certificate of its own. Programs whose trust store lacks its CA fail, often
    only some of them: browsers work, Python or Node.js do not.

    Measured: the issuers in the certificates of the hosts above, held against the names of known inspecting products;
    for the hosted product's names also whether a public CA issued them. Where an issuer is not known to be public, one
    handshake for each trust store of this machine tells who accepts it: OpenSSL's default store, certifi's list and
    REQUESTS_CA_BUNDLE (Python), and the list of the Node.js on PATH with NODE_EXTRA_CA_CERTS. An issuer that nobody
    knows is inconclusive for a host of your own: inspection, or a private CA.

    Remedy: exempt the hosts, or give the inspecting CA to every program (SSL_CERT_FILE, REQUESTS_CA_BUNDLE,
    NODE_EXTRA_CA_CERTS).

    Sources: RFC 5280 section 6; https://www.braintrust.dev/docs/admin/self-hosting;
    https://nodejs.org/api/tls.html#tlsrootcertificates
    """
    return conclude(tls_not_intercepted(egress, connection, target))


def check_blocked_hosts_stay_blocked(egress: Egress, connection: PerAddress[Connection] | NotMeasured) -> Finding:
    """Hosts that must not be reachable from here are not.

    Proves isolation: a data plane that must not answer from a public place, or a place that must not talk to the
    hosted product.

    Measured: each --expect-blocked URL as the hosts above, past the proxy as well where one is set, and through it
    where NO_PROXY takes the host out. Blocked counts only while something else is reached from here, for a machine
    without a network reaches nothing.

    Remedy: close the way at the firewall, the proxy or in DNS.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(blocked_hosts_stay_blocked(egress, connection))
