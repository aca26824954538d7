"""What to set so that the product's other clients get through."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Remedy, Snippet
from btdiag.families.clients.facts import ClientReading

_TRUST = {
    ClientKind.PYTHON: Snippet(product="Python SDK (requests)", code="export REQUESTS_CA_BUNDLE=/path/to/bundle.pem"),
    ClientKind.HTTPX: Snippet(product="Python httpx", code="export SSL_CERT_FILE=/path/to/bundle.pem"),
    ClientKind.NODE: Snippet(
        product="Node.js",
        code="export NODE_EXTRA_CA_CERTS=/path/to/ca.pem\n"
        "# or, from Node.js 22.15 on, the system's list: export NODE_OPTIONS=--use-system-ca",
    ),
    ClientKind.GO: Snippet(product="Go", code="export SSL_CERT_FILE=/path/to/bundle.pem"),
    ClientKind.CURL: Snippet(product="curl", code="export CURL_CA_BUNDLE=/path/to/bundle.pem"),
}


def trust_remedy(stuck: Sequence[ClientKind], issuer: str) -> Remedy:
    """For clients whose list lacks the CA."""
    return Remedy(
        text=f"Give the CA {issuer} to each client by the variable that it reads; what replaces a list (all but "
        "NODE_EXTRA_CA_CERTS) must hold the public CAs as well, if the program calls other hosts too.",
        action="Give the CA to each client by the variable that it reads",
        snippets=tuple(_TRUST[kind] for kind in dict.fromkeys(stuck) if kind in _TRUST),
    )


def strict_remedy(said: str) -> Remedy:
    """For a chain that breaks RFC 5280."""
    return Remedy(
        text=f"Have the certificate that OpenSSL complains of ({said}) issued again: a CA's with basicConstraints "
        "marked critical and keyUsage, every other one with the key identifier of its issuer. Clients can leave "
        "VERIFY_X509_STRICT out until then, which weakens them.",
        action="Have the private CA's certificates issued again as RFC 5280 wants them",
        snippets=(
            Snippet(
                product="openssl.cnf",
                code="[ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n"
                "subjectKeyIdentifier = hash\n[leaf]\nauthorityKeyIdentifier = keyid\nsubjectKeyIdentifier = hash",
            ),
            Snippet(product="shell", code="openssl verify -x509_strict -CAfile ca.pem -untrusted chain.pem server.pem"),
        ),
    )


def way_remedy(stuck: Sequence[ClientReading], own: str) -> Remedy:
    """For clients that go another way than the one that works."""
    snippets: list[Snippet] = []
    if any(one.kind is ClientKind.NODE and not one.proxy for one in stuck) and own:
        snippets.append(Snippet(product="Node.js 24 and later", code="export NODE_USE_ENV_PROXY=1"))
        snippets.append(
            Snippet(
                product="Node.js before 24",
                code="import { EnvHttpProxyAgent, setGlobalDispatcher } from 'undici'\n"
                "setGlobalDispatcher(new EnvHttpProxyAgent())",
            )
        )
    entries = dict.fromkeys(one.reading.exempted_by for one in stuck if one.reading.exempted_by)
    text = "Set the variables so that every client reads them alike: HTTPS_PROXY in both spellings with http:// before "
    text += "the host, NO_PROXY with plain names (example.com, which takes in all below it) separated by commas."
    if entries:
        text = f"Some clients alone read {', '.join(entries)} in NO_PROXY: take it out if they need the proxy. {text}"
    action = (
        "Start Node.js 24 with NODE_USE_ENV_PROXY=1, or give fetch an agent that asks the proxy" if snippets else ""
    )
    return Remedy(
        text=text,
        action=action or "Write the proxy variables so that every client reads them alike",
        snippets=tuple(snippets),
    )


def variables_remedy(found: Sequence[tuple[str, str]]) -> Remedy:
    """For variables and files that are not sound: (name, what is wrong)."""
    named = ", ".join(name for name, _ in found)
    return Remedy(
        text=f"Correct {named}, or take it out of the environment and of the files that set it (.env, compose, systemd "
        "units: quotes and carriage returns there become part of the value).",
        action=f"Correct {named}"[:140],
        snippets=(Snippet(product="shell", code="env | grep -iE 'proxy|_ca_|cert' | cut -d= -f1"),),
    )
