"""What the trust stores of this machine say of the certificates that a host shows."""

from __future__ import annotations

from btdiag.core.stores import StoreTrial
from btdiag.core.target import Route
from btdiag.net.certificates import chain_of
from btdiag.net.stores import Stores
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

HANDSHAKE = 2.0  # seconds; the host has answered a handshake before


async def judged_by(stores: Stores, route: Route, wire: Wire) -> tuple[StoreTrial, ...]:
    """Each store's word on the chain of the route's server, from one more handshake; none where that fails."""
    try:
        stream = await wire.dial(route, tls=True, verify=False, timeout=HANDSHAKE)
    except DialError:
        return ()
    chain = chain_of(stream.ssl_object) if stream.ssl_object else ()
    await stream.close()
    return await stores.judge(chain) if chain else ()
