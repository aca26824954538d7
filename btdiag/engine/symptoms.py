"""From the words of a symptom to commands and checks: the one table behind `btdiag explain WORDS` and the README's.

`make docs` writes the README's rows from it, and tests run each command where its first check is broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symptom:
    """What people see (as the README says it), the command that tells most about it (its target comes from the
    environment), the checks that decide, and other words for it: error messages as programs print them, and what people
    call it. `note` is what the README says of the command."""

    seen: str
    command: str
    checks: tuple[str, ...]
    also: tuple[str, ...]
    note: str = ""


SYMPTOMS: tuple[Symptom, ...] = (
    Symptom(
        '"Failed to fetch" or a CORS error in the browser',
        "btdiag run --only cors --only lna",
        ("cors.web-app-may-call", "cors.errors-are-readable", "lna.web-app-reaches-target", "lna.page-context-allows"),
        (
            "failed to fetch",
            "networkerror when attempting to fetch resource",
            "load failed",
            "blocked by cors policy",
            "no access-control-allow-origin header",
            "preflight",
            "web app does not load",
        ),
    ),
    Symptom(
        "The browser asks for access to the local network, or works for some users only",
        "btdiag run --only lna --only dns",
        ("lna.no-prompt-needed", "lna.address-space-is-stable", "dns.addresses-share-a-space"),
        (
            "wants to access other devices on your local network",
            "access other apps and services on this device",
            "local network access",
            "private network access",
            "permission was denied for this request to access the local address space",
            "err_blocked_by_local_network_access_checks",
        ),
    ),
    Symptom(
        "A 502, 503 or empty reply now and then",
        "btdiag run --only keepalive --only readiness --lb-idle-timeout 60",
        ("keepalive.backend-outlives-load-balancer", "readiness.answers-steadily", "readiness.every-address-agrees"),
        (
            "bad gateway",
            "upstream prematurely closed connection",
            "connection reset by peer",
            "econnreset",
            "socket hang up",
            "remotedisconnected",
            "remote end closed connection without response",
            "server disconnected without sending a response",
            "empty reply from server",
            "err_empty_response",
            "intermittent",
            "sporadic",
            "flaky",
            "keep-alive race",
        ),
    ),
    Symptom(
        '"What do my load balancer\'s logs prove?"',
        "btdiag logs /var/log/nginx/",
        ("logs.no-request-meets-a-closing-connection", "logs.backend-stays-up"),
        ("access log", "error log", "log file", "upstream timed out", "no live upstreams"),
        "(the folder, or the files, of any of [twelve products](docs/logs.md))",
    ),
    Symptom(
        "502, 503 or 504 every time",
        "btdiag run --only readiness --only gateway --quick",
        ("readiness.root-answers", "gateway.routes-reach-their-backend"),
        (
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "no healthy upstream",
            "connect() failed while connecting to upstream",
            "404 not found",
        ),
    ),
    Symptom(
        "Connecting hangs or is refused",
        "btdiag run --only connection --quick",
        ("connection.tcp-connects", "connection.proxy-lets-through", "connection.tls-handshake-completes"),
        (
            "timed out",
            "timeout",
            "etimedout",
            "econnrefused",
            "connection refused",
            "err_connection_refused",
            "err_connection_timed_out",
            "no route to host",
            "err_tunnel_connection_failed",
            "proxy",
        ),
    ),
    Symptom(
        "Requests hang after a pause, long calls are cut off",
        "btdiag run --only keepalive --only gateway",
        ("keepalive.no-silent-drop", "keepalive.front-idle-timeout-suffices", "gateway.silent-answers-are-awaited"),
        ("stuck", "freeze", "idle", "broken pipe", "epipe", "read timed out", "504 after a minute"),
    ),
    Symptom(
        "Streamed answers come all at once",
        "btdiag run --only gateway.streams-unbuffered",
        ("gateway.streams-unbuffered",),
        ("streaming", "sse", "event stream", "buffering", "tokens arrive at once"),
    ),
    Symptom(
        "413, 414, 431, or 403 and 405 for some methods",
        "btdiag run --only gateway.accepts-product-requests",
        ("gateway.accepts-product-requests",),
        (
            "request entity too large",
            "content too large",
            "uri too long",
            "request header fields too large",
            "method not allowed",
            "forbidden",
            "waf",
        ),
    ),
    Symptom(
        "Certificate errors, in SDKs but not in browsers",
        "btdiag run --only connection --only egress",
        ("connection.tls-is-trusted", "connection.certificate-is-not-expiring", "egress.tls-not-intercepted"),
        (
            "certificate verify failed",
            "unable to get local issuer certificate",
            "self-signed certificate",
            "self signed certificate in certificate chain",
            "unable_to_verify_leaf_signature",
            "certificate has expired",
            "err_cert_authority_invalid",
            "err_cert_common_name_invalid",
            "err_ssl_protocol_error",
            "wrong version number",
            "hostname mismatch",
            "sslerror",
            "x509: certificate signed by unknown authority",
            "tls",
            "ssl",
        ),
    ),
    Symptom(
        "The name is not found, or not everywhere",
        "btdiag run --only dns",
        ("dns.resolves", "dns.resolvers-agree", "dns.addresses-are-usable"),
        (
            "nxdomain",
            "enotfound",
            "getaddrinfo",
            "name or service not known",
            "could not resolve host",
            "temporary failure in name resolution",
            "err_name_not_resolved",
            "no such host",
            "nodename nor servname provided",
            "eai_again",
            "servfail",
            "dns",
        ),
    ),
    Symptom(
        '401, "Invalid API key"',
        "btdiag run --only readiness --quick",
        ("readiness.key-is-accepted", "readiness.root-answers"),
        ("unauthorized", "invalid api key", "authentication"),
    ),
    Symptom(
        '429, "Too Many Requests"',
        "btdiag run --only ratelimit --quick",
        ("ratelimit.not-throttled",),
        ("rate limit", "throttled"),
    ),
    Symptom(
        "SDK login fails, rows or experiments are missing",
        "btdiag run --only sdk --role sdk",
        ("sdk.control-plane-routes-proxied", "sdk.data-plane-routes-answered", "sdk.login-points-here"),
        ("login", "experiments are missing", "logs do not show up", "wrong organization", "app_url", "api_url"),
    ),
    Symptom(
        "The data plane, or a build, cannot reach out",
        "btdiag run --only egress --role data-plane",
        ("egress.required-hosts-reachable", "egress.tls-not-intercepted"),
        ("egress", "blocked by firewall", "allow list", "outbound", "url restriction", "cannot reach the internet"),
    ),
    Symptom(
        "Pods never become ready, everything is slow",
        "btdiag run --only readiness --quick",
        ("readiness.status-is-not-latched", "readiness.answers-promptly"),
        ("crashloopbackoff", "readiness probe failed", "liveness probe failed", "not ready", "slow", "unhealthy"),
    ),
    Symptom(
        "Large traces do not open",
        "btdiag run --only cors --bucket https://bucket.s3.amazonaws.com/",
        ("cors.bucket-lets-the-web-app-read",),
        ("trace does not open", "presigned", "bucket", "s3", "attachment"),
    ),
    Symptom(
        'curl and SDKs work, the web app says "Failed to fetch"',
        "btdiag run --only browser --only connection --quick",
        ("browser.certificate-is-accepted", "browser.scheme-is-secure", "browser.port-is-allowed"),
        ("works with curl", "works in postman", "mixed content", "err_unsafe_port", "err_cert_common_name_invalid"),
    ),
    Symptom(
        "curl works, an SDK does not: private CA, proxy, `.netrc`",
        "btdiag run --only clients --quick",
        ("clients.trust-the-certificate", "clients.take-the-same-way", "clients.variables-are-sound"),
        ("node_extra_ca_certs", "requests_ca_bundle", "ssl_cert_file", "no_proxy", "works with curl", "netrc"),
    ),
    Symptom(
        "Some queries fail, or nothing that is logged shows up",
        "btdiag run --only brainstore --quick",
        ("brainstore.roles-answer", "brainstore.roles-run-one-version", "brainstore.status-is-not-latched"),
        ("brainstore", "btql", "query fails", "rows do not show up"),
    ),
    Symptom(
        "A setting seems to have no effect (name your files with `--config`)",
        "btdiag run --only config",
        (
            "config.origins-are-allowed",
            "config.image-is-rolled-out",
            "config.tls-minimum-is-effective",
            "config.idle-timeout-is-effective",
            "config.host-is-declared",
        ),
        ("helm", "terraform", "values file", "environment variable is ignored", "no effect"),
    ),
    Symptom(
        "Support cannot see the state of the data plane",
        "btdiag run --only telemetry --role data-plane",
        ("telemetry.endpoint-is-reachable",),
        ("telemetry", "support", "billing"),
    ),
    Symptom(
        "Retention or service tokens cannot be set",
        "btdiag run --only retention --quick",
        ("retention.routes-reach-a-backend",),
        ("retention", "service token", "automation"),
    ),
)

_SAYS_NOTHING = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at but by do does error for from get gets got has have http i in is it my net not of on or "
        "our s t the to we when with",
    )
)
_FAMILIES = frozenset(check.partition(".")[0] for one in SYMPTOMS for check in one.checks)


def fitting(words: str) -> tuple[Symptom, ...]:
    """The symptoms that the words may mean, the likeliest first: those of which a message or a name stands in the words
    (the longest first), then those that have all the words, each as the beginning of one of theirs. None for an id."""
    family, dot, _ = words.partition(".")
    if dot and family in _FAMILIES and " " not in words:
        return ()
    said = " ".join(_words(words))
    quoted = sorted((one for one in SYMPTOMS if _quoted(one, said)), key=lambda one: -_quoted(one, said))
    asked = [word for word in said.split() if word not in _SAYS_NOTHING]
    named = [one for one in SYMPTOMS if asked and _has_all(asked, one.seen)]
    called = [one for one in SYMPTOMS if asked and _has_all(asked, one.seen, *one.also)]
    return tuple(dict.fromkeys((*quoted, *named, *called)))


def _quoted(symptom: Symptom, said: str) -> int:
    """The length of the longest of its messages that stands in what was said."""
    phrases = (" ".join(_words(phrase)) for phrase in symptom.also)
    return max((len(phrase) for phrase in phrases if f" {phrase} " in f" {said} "), default=0)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _has_all(asked: Sequence[str], *texts: str) -> bool:
    known = _words(" ".join(texts))
    return all(any(word.startswith(one) for word in known) for one in asked)


def as_text(found: Sequence[Symptom], claims: Mapping[str, str]) -> str:
    """The symptoms for reading, each with its command and what its checks claim (by id)."""
    parts = []
    for one in found:
        width = max(map(len, one.checks))
        lines = [f"  {check:<{width}}  {claims.get(check, '')}".rstrip() for check in one.checks]
        parts.append("\n".join([one.seen, f"  {one.command}", "", *lines]))
    more = "btdiag run without --only tests everything; btdiag explain ID tells of one check."
    return "\n\n".join([*parts, more])


def symptoms_table() -> str:
    """The rows as a table in Markdown, as the README has it."""
    rows = ["| symptom | command | decided by |", "|---|---|---|"]
    for one in SYMPTOMS:
        decided = ", ".join(f"[`{check}`]({_place(check)})" for check in one.checks)
        rows.append(f"| {one.seen} | {f'`{one.command}` {one.note}'.strip()} | {decided} |")
    return "\n".join(rows)


def _place(check_id: str) -> str:
    family = check_id.partition(".")[0]
    return "docs/logs.md#checks" if family == "logs" else f"docs/checks/{family}.md#{check_id.replace('.', '')}"
