"""Connections: TCP and TLS for every address, certificates, clocks, the proxy, and http:// beside https."""

from __future__ import annotations

from btdiag.core.account import Closing
from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import Connection, TlsVersions
from btdiag.core.measurement import PerAddress
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.connection.facts import PlainHttp
from btdiag.families.connection.judge import clock, expiry, handshake, proxy, trust
from btdiag.families.connection.judge import plain_http as plain
from btdiag.families.connection.judge import reach as judge
from btdiag.families.dns.judge.addresses import misleading


def check_tcp_connects(
    connection: PerAddress[Connection], resolution: Resolution, target: Target, closing: Closing
) -> Finding:
    """Every address of the target takes TCP connections.

    Clients take any of the addresses. One that refuses or is silent fails a share of all requests, or makes them slow
    by a connection timeout, and hides behind the others when only the name is tested.

    Measured: a TCP connection to each address, IPv4 and IPv6, on the URL's port, each with a limit of five seconds. All
    connections of the run are added up: how many got no answer while how many were open (a limit of connections, or
    loss), and, where Linux tells, how many only after their first packet was sent again.

    Remedy: start or register the listener at that address, open the firewall to it, or remove the address from DNS.

    Sources: RFC 9293 section 3.5; RFC 8305; RFC 6298 section 2
    """
    misled = misleading(resolution, target)
    return conclude(judge.tcp_connects(connection.facts, target, misled, closing.account.dials))


def check_proxy_lets_through(connection: PerAddress[Connection], target: Target) -> Finding:
    """The proxy opens a tunnel to the target.

    SDKs take the proxy from the environment. One that refuses the host, demands a login or is gone looks like a data
    plane that is down.

    Measured: CONNECT to the target's host and port through the proxy that --proxy or the environment names, and what
    the proxy says to it.

    Remedy: have host and port allowed at the proxy, give it the login it demands, or exclude the host with NO_PROXY.

    Sources: RFC 9110 section 9.3.6
    """
    return conclude(proxy.proxy_lets_through(connection.facts, target))


def check_tls_handshake_completes(connection: PerAddress[Connection], target: Target) -> Finding:
    """The TLS handshake completes on every address.

    A listener without a certificate, a client certificate demanded, plain HTTP on the TLS port or a filter on the way
    break the connection before any request is sent, and leave no trace in the API server's log.

    Measured: a handshake with the system's TLS settings on each address, then one HEAD request, for a TLS 1.3 server
    refuses a missing client certificate only then. A handshake that breaks off is tried again without a server name
    and with old TLS versions, one that meets silence in small packets, and the port is asked in plain HTTP.

    Remedy: bind a certificate for the name to the listener, offer TLS 1.2 and 1.3, and demand no client certificate.

    Sources: RFC 8446 section 6; RFC 8996; RFC 8899; tcp(7), TCP_MAXSEG and TCP_INFO
    """
    return conclude(handshake.tls_handshake_completes(connection.facts, target))


def check_tls_is_trusted(connection: PerAddress[Connection], resolution: Resolution, target: Target) -> Finding:
    """The certificate of every address is trusted for the target's name.

    SDKs refuse the connection, and browsers block the web app's requests without a page to click through. A missing
    intermediate, a private CA and TLS inspection give the same error, and need different people.

    Measured: a verified handshake on each address; where verification fails, one without it to read the chain that is
    sent, its issuers, names and validity.

    Remedy: serve the full chain of a certificate for the name, or let clients trust the CA (SSL_CERT_FILE,
    REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS).

    Sources: RFC 5280 section 6; RFC 9525
    """
    return conclude(trust.tls_is_trusted(connection.facts, target, misleading(resolution, target)))


def check_certificate_is_not_expiring(connection: PerAddress[Connection], target: Target) -> Finding:
    """The certificate stays valid for at least two weeks.

    An expired certificate stops every client at the same second. Renewal is automatic in most set-ups, and starts when
    a third of the lifetime is left: less than two weeks left means that it has been failing for a while.

    Measured: the end of validity of every certificate in the chain sent by each address. For certificates that live
    less than eight weeks the limit is a quarter of their life.

    Remedy: renew the certificate, load it into the load balancer, and repair the automatic renewal.

    Sources: https://letsencrypt.org/docs/integration-guide/
    """
    return conclude(expiry.certificate_is_not_expiring(connection.facts, target))


def check_tls_versions_suffice(tls_versions: TlsVersions) -> Finding:
    """The target takes TLS 1.2 or 1.3, and nothing older.

    TLS 1.0 and 1.1 are deprecated, and clients of today refuse a server that knows no more. TLS 1.3 alone is fine for
    every supported SDK and browser; the result notes it, for older clients and inspecting proxies cannot connect then.

    Measured: one handshake for each version on the first address that accepts connections.

    Remedy: set the load balancer's TLS policy to 1.2 and 1.3 (CloudFront: TLSv1.2_2021 or later).

    Sources: RFC 8996; RFC 9325 section 3.1.1
    """
    return conclude(handshake.tls_versions_suffice(tls_versions))


def check_clocks_agree(connection: PerAddress[Connection]) -> Finding:
    """The clocks of this machine and of the target agree.

    A clock that is off makes valid certificates invalid, and signed requests and presigned downloads fail.

    Measured: this machine's time against the Date header of the first answer of each address.

    Remedy: synchronise the clock that is wrong with a time server.

    Sources: RFC 9110 section 6.6.1; https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    return conclude(clock.clocks_agree(connection.facts))


def check_plain_http_redirects(plain_http: PlainHttp, target: Target) -> Finding:
    """Plain http:// redirects to https:// or serves nothing.

    An http:// URL in a configuration works unnoticed if the API answers there, and sends the API key unencrypted.

    Measured: GET http:// on the plain port (80 beside 443), without the API key.

    Remedy: let the load balancer redirect the plain port to https, or close it.

    Sources: RFC 6797 section 7.2
    """
    return conclude(plain.plain_http_redirects(plain_http, target))
