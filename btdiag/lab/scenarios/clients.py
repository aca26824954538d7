"""Data planes that this run reaches, and on which another program of the same machine would fail; and their twins."""

from btdiag.lab.faults.connection import BreaksHandshake
from btdiag.lab.faults.names import StartsProgramsWith, Tells
from btdiag.lab.scenario import Scenario

VARIABLES, TRUST, HELLO = (
    "clients.variables-are-sound",
    "clients.trust-the-certificate",
    "clients.handshake-is-not-too-large",
)
PYTHON_SDK = Tells("sdk", ["python=0.48.1"])

LARGE_HELLO = Scenario(
    name="clients-large-hello",
    summary="Something before the load balancer resets a ClientHello that fills more than one packet.",
    faults=(BreaksHandshake(how="resets-large"),),
    fails=(HELLO,),
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

QUOTED_PROXY = Scenario(
    name="clients-quoted-proxy",
    summary="HTTPS_PROXY has quotes in its value, as env files leave them.",
    faults=(StartsProgramsWith((("HTTPS_PROXY", '"http://{proxy}"'),)),),
    warns=(VARIABLES,),
)
