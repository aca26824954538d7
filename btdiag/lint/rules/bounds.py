"""What the modules themselves check of the values of their variables, by the version that does.

Source: the validation blocks in variables*.tf of every version of the modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a module checks of one variable; `since` the version that does."""

    holds: Callable[[str], bool]
    says: str
    since: str = "0.0.0"


def _from_to(least: float, most: float) -> Callable[[str], bool]:
    return lambda text: not re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", text) or least <= float(text) <= most


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda text: text.strip() in words


_AWS = {
    "cloudfront_origin_read_timeout": Bound(holds=_from_to(1, 180), says="1 to 180 s", since="5.3.0"),
    "ai_gateway_alb_idle_timeout": Bound(holds=_from_to(1, 4000), says="1 to 4000 s", since="5.6.0"),
    "ai_gateway_alb_client_keep_alive": Bound(holds=_from_to(60, 604800), says="60 to 604800 s", since="5.6.0"),
    "ai_gateway_alb_deregistration_delay": Bound(holds=_from_to(0, 3600), says="0 to 3600 s", since="5.6.0"),
    "billing_telemetry_log_level": Bound(
        holds=_one_of("", "info", "warn", "error", "debug"), says='"", info, warn, error or debug', since="2.2.1"
    ),
    "unsafe_url_request_mode": Bound(
        holds=_one_of("", "off", "proxy", "warn", "reject"), says='"", off, proxy, warn or reject', since="5.8.1"
    ),
    "brainstore_wal_footer_version": Bound(
        holds=lambda text: text in ("", "v1", "v2", "v3"), says='"", v1, v2 or v3', since="4.4.0"
    ),
    "skip_pg_for_brainstore_objects": Bound(
        holds=lambda text: text in ("", "all") or text.startswith(("include:", "exclude:")),
        says='"", all, include:... or exclude:...',
        since="4.5.0",
    ),
    "container_insights": Bound(
        holds=_one_of("enabled", "disabled", "enhanced"), says="enabled, disabled or enhanced", since="4.3.0"
    ),
    "brainstore_default": Bound(holds=_one_of("true", "false", "force"), says="true, false or force", since="1.2.6"),
}
_NAME = Bound(
    holds=lambda text: re.fullmatch(r"[a-z0-9-]{1,18}", text) is not None,
    says="lower case letters, digits and hyphens, at most 18",
)
BOUNDS: Mapping[str, Mapping[str, Bound]] = {
    "aws": {**_AWS, "deployment_name": _NAME},
    "azure": {},
    "google": {
        "gcs_soft_delete_retention_days": Bound(
            holds=lambda text: not text.isdigit() or int(text) == 0 or 7 <= int(text) <= 90,
            says="0, or 7 to 90 days",
            since="1.2.0",
        )
    },
}
