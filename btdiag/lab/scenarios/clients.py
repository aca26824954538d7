"""Data planes that this run reaches, and on which another program of the same machine would fail; and their twins."""

from btdiag.lab.faults.connection import BreaksHandshake
from btdiag.lab.faults.names import DnsAnswers, StartsProgramsWith, Tells
from btdiag.lab.plan import LabProxy
from btdiag.lab.scenario import PAGE, Scenario

VARIABLES, WAY, TRUST, HELLO = (
    "clients.variables-are-sound",
    "clients.take-the-same-way",
    "clients.trust-the-certificate",
    "clients.handshake-is-not-too-large",
)
PYTHON_SDK = Tells("sdk", ["python=0.48.1"])

LARGE_HELLO = Scenario(
    name="clients-large-hello",
    summary="Something before the load balancer resets a ClientHello that fills more than one packet.",
    faults=(BreaksHandshake(how="resets-large"),),
    fails=(HELLO,),
    skips=(PAGE,),
)

SYSTEM_STORE_ALONE = Scenario(
    name="clients-system-store-alone",
    summary="The private CA is in the system's store, and nobody gave it to requests and Node.js.",
    faults=(StartsProgramsWith((("SSL_CERT_FILE", "{ca}"),)),),
    warns=(TRUST,),
)

EVERY_STORE = Scenario(
    name="clients-every-store",
    summary="The private CA is given to every client by its own variable.",
    faults=(
        PYTHON_SDK,
        StartsProgramsWith(
            (("SSL_CERT_FILE", "{ca}"), ("REQUESTS_CA_BUNDLE", "{ca}"), ("NODE_EXTRA_CA_CERTS", "{ca}"))
        ),
    ),
)

MISSING_BUNDLE = Scenario(
    name="clients-missing-bundle",
    summary="REQUESTS_CA_BUNDLE names a file that is not there, and the Python SDK is in use.",
    faults=(PYTHON_SDK, StartsProgramsWith((("REQUESTS_CA_BUNDLE", "{ca}.gone"),))),
    fails=(VARIABLES,),
)

NETRC = Scenario(
    name="clients-netrc",
    summary="A .netrc holds a login for the host, which requests sends in place of the key.",
    faults=(StartsProgramsWith((("NETRC", "{netrc}"),)),),
    warns=(VARIABLES,),
)

PAST_THE_PROXY = Scenario(
    name="clients-node-past-the-proxy",
    summary="Only the proxy knows the name: what reads HTTPS_PROXY gets through, and Node.js, which does not, fails.",
    faults=(StartsProgramsWith((("HTTPS_PROXY", "http://{proxy}"),)), DnsAnswers(rcode="NXDOMAIN")),
    warns=(WAY,),
    skips=("dns.*",),
    passes=(
        "lna.web-app-reaches-target",
        "lna.no-prompt-needed",
        "lna.page-context-allows",
        "lna.address-space-is-stable",
    ),  # through a proxy an address has no space
)

NO_PROXY_BY_BLANKS = Scenario(
    name="clients-no-proxy-by-blanks",
    summary="NO_PROXY has blanks between its entries, where Python wants commas: it asks a proxy that is gone.",
    faults=(
        PYTHON_SDK,
        LabProxy(down=True),
        StartsProgramsWith((("HTTPS_PROXY", "http://{proxy}"), ("NO_PROXY", "other.lab.example api.lab.example"))),
    ),
    fails=(WAY,),
)
