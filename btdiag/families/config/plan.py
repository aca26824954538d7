"""Which of the allowed origins are tried: few, for each is a request."""

from __future__ import annotations

from btdiag.config.stated import ORIGIN
from btdiag.core.target import Target

MOST = 4
WEB_APP = "https://www.braintrust.dev"
PATH = "/v1/project"


def asked_origins(target: Target) -> tuple[tuple[str, ...], int]:
    """The origins of the files that are tried, and how many are not."""
    named = [setting.value for setting in target.settings if setting.name == ORIGIN and setting.value != WEB_APP]
    return tuple(named[:MOST]), len(named[MOST:])
