"""URL restriction: what this place may reach, who listens in, and what must stay blocked."""

from __future__ import annotations

from btdiag.judge import egress as judged
from btdiag.judge.egress_facts import Egress
from btdiag.judge.handshake import Connection
from btdiag.measurement import NotMeasured, PerAddress
from btdiag.model import Finding, Target, conclude


def check_required_hosts_reachable(
    egress: Egress, connection: PerAddress[Connection] | NotMeasured, target: Target
) -> Finding:
    """The hosts that this place needs can be reached from here.

    A data plane that cannot reach the control plane refuses every key, a build without the registry has no images, and
    SDKs report a blocked login as "Invalid API key".

    Measured: for each host of --role (without one only the web app's), and of --allow: its name, TCP and TLS on its
    addresses or through the proxy that the environment chooses for it, GET of the URL, and where SDKs log in a login
    without a key. Reached means that the right host answered: its certificate, and no block page or portal. A handshake
    without the server name tells a filter by name. A block is a warning without --role, and where the host is optional.

    Remedy: allow the host at the layer that is named.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting; https://github.com/braintrustdata/helm
    """
    return conclude(judged.required_hosts_reachable(egress, connection, target))


def check_tls_not_intercepted(egress: Egress, target: Target) -> Finding:
    """TLS to other hosts is not opened on the way.

    A firewall that inspects TLS shows a certificate of its own. Programs whose trust store lacks its CA fail, often
    only some of them: browsers work, Python or Node.js do not.

    Measured: the issuers in the certificates of the hosts above, held against the names of known inspecting products;
    and whether this machine trusts them.

    Remedy: exempt the hosts, or give the inspecting CA to every program (SSL_CERT_FILE, REQUESTS_CA_BUNDLE,
    NODE_EXTRA_CA_CERTS).

    Sources: RFC 5280 section 6; https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(judged.tls_not_intercepted(egress, target))


def check_blocked_hosts_stay_blocked(egress: Egress, connection: PerAddress[Connection] | NotMeasured) -> Finding:
    """Hosts that must not be reachable from here are not.

    Proves isolation: a data plane that must not answer from a public place, or a place that must not talk to the
    hosted product.

    Measured: each --expect-blocked URL as the hosts above. Blocked counts only while something else is reached from
    here, for a machine without a network reaches nothing.

    Remedy: close the way at the firewall, the proxy or in DNS.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(judged.blocked_hosts_stay_blocked(egress, connection))
