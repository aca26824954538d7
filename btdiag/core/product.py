"""What the product's web app and SDKs send, as far as several families send it too."""

from __future__ import annotations

from btdiag.core.target import Target

WEB_APP = "https://www.braintrust.dev"
UNKNOWN_PATH = "/v1/btdiag-no-such-route"


def origins(target: Target) -> tuple[str, ...]:
    """The origins whose pages must be able to call the API: `--origin`, else the web app's."""
    return target.origins or (WEB_APP,)
