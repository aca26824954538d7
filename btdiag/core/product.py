"""What the product's web app and SDKs send, as far as several families send it too."""

from __future__ import annotations

from btdiag.core.exchange import Header
from btdiag.core.target import Target

JSON: Header = ("Content-Type", "application/json")


UPGRADE: tuple[Header, ...] = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "YnRkaWFnLWJ0ZGlhZy4uLg=="),  # any 16 bytes (RFC 6455 section 4.1)
)


WEB_APP = "https://www.braintrust.dev"
UNKNOWN_PATH = "/v1/btdiag-no-such-route"


def origins(target: Target) -> tuple[str, ...]:
    """The origins whose pages must be able to call the API: `--origin`, else the web app's."""
    return target.origins or (WEB_APP,)
