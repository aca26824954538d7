"""An error of one TLS connection is not reported for another one of the same thread."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from btdiag.lab.plan import HOST, Tls
from btdiag.lab.tls import Certificates
from btdiag.openssl import tidy


class Pair:
    """A client and a server joined in memory, after their handshake."""

    def __init__(self, certificates: Certificates, *, demands_certificate: bool = False) -> None:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = tidy(ssl.create_default_context(cadata=certificates.own.root.pem.decode()))
        server = certificates.context(Tls(demands_certificate=demands_certificate))
        self.client = client.wrap_bio(to_client, to_server, server_hostname=HOST)
        self._server = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (self.client, self._server) * 2:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._shake(side)

    def _shake(self, side: ssl.SSLObject) -> None:
        try:
            side.do_handshake()
        except ssl.SSLError as error:
            if side is self.client or error.reason != "PEER_DID_NOT_RETURN_A_CERTIFICATE":
                raise


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_an_alert_read_while_closing_stays_with_its_connection(certificates: Certificates) -> None:
    waiting = Pair(certificates)
    with pytest.raises(ssl.SSLWantReadError):
        waiting.client.read()  # takes the session tickets in: handling those empties the queue, too
    refused = Pair(certificates, demands_certificate=True)
    refused.client.unwrap()
    with pytest.raises(ssl.SSLWantReadError):
        waiting.client.read()


def test_an_alert_is_still_reported_to_its_own_connection(certificates: Certificates) -> None:
    refused = Pair(certificates, demands_certificate=True)
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        refused.client.read()
