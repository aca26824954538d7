"""Clients: would the product's other programs get through from here, with their own lists, variables and libraries?"""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import Connection
from btdiag.core.measurement import PerAddress
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.clients.facts import ChainTrials, ClientWays, LargeHello, Surroundings
from btdiag.families.clients.judge import hello, names, trust, variables, ways


def check_trust_the_certificate(
    chain_trials: ChainTrials, connection: PerAddress[Connection], target: Target
) -> Finding:
    """The clients' own trust stores accept the target's certificate.

    Python's requests and Node.js bring a list of CAs of their own: a private CA in the system's store satisfies curl,
    and the SDKs refuse to connect. Python from 3.13 on also refuses chains that break RFC 5280.

    Measured: the chain that one address sends, verified against the system's store, certifi, the files that
    REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE name, and Node.js's list with NODE_EXTRA_CA_CERTS; then with
    OpenSSL's strict rules. With --ca every program is taken to be given that file; only of a client that --sdk names
    its own variable on this machine counts then. A client that --sdk or --role names and that refuses is a failure,
    another one a warning.

    Remedy: give the CA to each client by its own variable, or use a certificate of a public CA.

    Sources: RFC 5280 section 6; https://nodejs.org/api/cli.html#node_extra_ca_certsfile
    """
    return conclude(trust.trust_the_certificate(chain_trials, connection.facts, target))


def check_take_the_same_way(
    surroundings: Surroundings, client_ways: ClientWays, connection: PerAddress[Connection], target: Target
) -> Finding:
    """The clients get through on the way that the proxy variables send each of them.

    Node.js reads no proxy variable by itself, Go no ALL_PROXY, and each client has rules of its own for NO_PROXY. What
    curl reaches through the proxy the JavaScript SDK then tries directly, and a firewall drops it.

    Measured: the variables as requests, httpx, Node.js, Go and curl read them, and one connection on each way that this
    run does not take.

    Remedy: NODE_USE_ENV_PROXY=1 for Node.js 24, and NO_PROXY entries that every client reads alike.

    Sources: https://nodejs.org/api/http.html#built-in-proxy-support;
    https://pkg.go.dev/golang.org/x/net/http/httpproxy; curl(1)
    """
    return conclude(ways.take_the_same_way(surroundings, client_ways, connection.facts, target))


def check_variables_are_sound(surroundings: Surroundings, target: Target) -> Finding:
    """The variables and files that clients read are sound.

    A CA file that is missing stops requests before it connects. Quotes or a carriage return in a proxy's URL become
    part of it. A login for the host in .netrc replaces the API key that the Python SDK sends.

    Measured: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS and the files that
    they name, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, NODE_TLS_REJECT_UNAUTHORIZED, and .netrc.

    Remedy: correct the variable or take it out.

    Sources: https://requests.readthedocs.io/en/latest/user/advanced/#ca-certificates;
    https://requests.readthedocs.io/en/latest/user/authentication/#netrc-authentication
    """
    return conclude(variables.variables_are_sound(surroundings, target))


def check_resolve_the_name(resolution: Resolution, connection: PerAddress[Connection], target: Target) -> Finding:
    """The clients find an address of the target's name that answers them in time.

    Node.js gives each address but the last 250 ms: where the data plane is far away and its other addresses cannot be
    reached, it never connects. That musl, the C library of Alpine images, gives a name up that is denied for AAAA is
    what dns.resolves warns of.

    Measured: nothing more than this run's own answers of DNS and times of TCP connections, put into the clients' order.

    Remedy: give Node.js more time for each address.

    Sources: https://nodejs.org/api/net.html
    """
    return conclude(names.resolve_the_name(resolution, connection.facts, target))


def check_handshake_is_not_too_large(large_hello: LargeHello, target: Target) -> Finding:
    """A ClientHello of the size that browsers send is answered.

    With a post-quantum key the first message of TLS fills more than one packet. Boxes that read only the first one
    reset or drop it: browsers, and programs with a new OpenSSL or Go, cannot connect, while older ones can.

    Measured: a ClientHello of 1,800 bytes. Where it is not answered, the same one without padding and the large one,
    by turns, twice each.

    Remedy: update the firewall or load balancer that reads ClientHellos.

    Sources: RFC 8446 section 5.1; RFC 7685; https://tldr.fail/
    """
    return conclude(hello.handshake_is_not_too_large(large_hello, target))
