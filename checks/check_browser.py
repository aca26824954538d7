"""Browsers: what they refuse by rule, although programs get their answers."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.target import Target
from btdiag.families.browser.judge import ports, schemes


def check_scheme_is_secure(target: Target) -> Finding:
    """An https page may call the target, the AI gateway and the bucket by their scheme.

    The web app is an https page. Browsers block what it asks for over http:// as mixed content before anything is
    sent: the web app says "Failed to fetch", while curl and the SDKs get their answers and no server logs a request.

    Measured: nothing is sent. The schemes of the URLs given with --target, --gateway and --bucket are held against the
    rule; http:// on this machine itself (127.0.0.0/8, ::1, localhost and names under it) is allowed.

    Remedy: serve the host over https, and set its URL to https:// in the organization's settings.

    Sources: https://www.w3.org/TR/mixed-content/; https://www.w3.org/TR/secure-contexts/
    """
    return conclude(schemes.scheme_is_secure(target))


def check_port_is_allowed(target: Target) -> Finding:
    """Browsers connect to the ports of the target, the AI gateway and the bucket.

    Browsers refuse some eighty ports of other protocols, whatever listens there (net::ERR_UNSAFE_PORT). Programs know
    no such list, so that the API answers everybody but the web app.

    Measured: nothing is sent. The ports of the URLs given with --target, --gateway and --bucket are looked up in the
    Fetch standard's list.

    Remedy: let the load balancer listen on 443, and change the URL in the organization's settings.

    Sources: https://fetch.spec.whatwg.org/#port-blocking
    """
    return conclude(ports.port_is_allowed(target))
