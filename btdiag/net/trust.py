"""TLS contexts: what is trusted, which certificate is shown, what ALPN offers. Built when first needed, then kept."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from btdiag.core.target import Target

Kept = dict[tuple[object, ...], ssl.SSLContext]
"""Contexts by what they were built from: loading the system's store takes 20 ms, paid once for many targets."""


class Contexts:
    """The TLS contexts of one target.

    For the target's own host `ca_file` replaces the system's store, as SSL_CERT_FILE does for the programs that use the
    target, and the client certificate is shown; for every other host `ca_file` is added to the system's store.
    """

    def __init__(self, target: Target, kept: Kept | None = None) -> None:
        self._target = target
        self._kept: Kept = {} if kept is None else kept

    def get(self, host: str, *, verify: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
        """The context for a host. Raises OSError (ssl.SSLError among them) when a file cannot be loaded."""
        own = host == self._target.host
        shown = (self._target.client_cert, self._target.client_key) if own else None
        key = (own, self._target.ca_file, shown, verify, alpn)
        return self.kept(key, lambda: self._build(own, verify, alpn))

    def kept(self, key: tuple[object, ...], build: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Another context, built by whoever needs it for the first time; `key` is all that it depends on."""
        if key not in self._kept:
            self._kept[key] = build()
        return self._kept[key]

    def _build(self, own: bool, verify: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            self._trust(context, own)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if own and self._target.client_cert:
            context.load_cert_chain(self._target.client_cert, self._target.client_key)
        return context

    def _trust(self, context: ssl.SSLContext, own: bool) -> None:
        if self._target.ca_file is None or not own:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self._target.ca_file is not None:
            context.load_verify_locations(cafile=self._target.ca_file)
