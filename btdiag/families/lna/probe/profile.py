"""Reads what a person's browser profile has stored about Local Network Access. It is never written or launched on:
a headless browser on it would store its own refusal as the person's Block."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from btdiag.core.measurement import Unknown
from btdiag.core.urls import port_of
from btdiag.families.lna.facts import StoredDecision

LARGEST = 32 * 1024 * 1024  # bytes; Preferences of long-used profiles reach some megabytes
_DECISIONS = {1: "allow", 2: "block"}
_FLAG = "local-network-access"


def stored_decision(folder: Path, origin: str) -> StoredDecision:
    """The decisions stored for an origin in a profile folder, or in the default profile of a user data folder.

    Raises Unknown when there is no profile to be read.
    """
    profile = next((place for place in (folder, folder / "Default") if (place / "Preferences").is_file()), None)
    if profile is None:
        raise Unknown(f"--browser-profile {folder}: no Preferences file there; chrome://version shows the profile path")
    exceptions = _at(_json(profile / "Preferences"), "profile", "content_settings", "exceptions")
    older = _setting(exceptions, "local_network_access", origin)
    experiments = _at(_json(profile.parent / "Local State"), "browser").get("enabled_labs_experiments")
    flags = [str(entry) for entry in experiments if _FLAG in str(entry)] if isinstance(experiments, list) else []
    return StoredDecision(
        origin=origin,
        folder=str(profile),
        local=_setting(exceptions, "local_network", origin) or older,
        loopback=_setting(exceptions, "loopback_network", origin) or older,
        flags=tuple(flags[:8]),
    )


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise Unknown(f"{path} is larger than {LARGEST} bytes and was not read")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Unknown(f"{path} cannot be read: {error}") from None


def _at(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _setting(exceptions: dict[str, Any], kind: str, origin: str) -> str:
    """Content settings are kept by pattern: "https://www.braintrust.dev:443,*"."""
    parts = urlsplit(origin)
    entry = _at(exceptions, kind).get(f"{parts.scheme}://{parts.hostname}:{port_of(parts)},*")
    return _DECISIONS.get(entry.get("setting", 0), "") if isinstance(entry, dict) else ""
