"""A user's browser profile, as far as it tells what was decided about local networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

WEB_APP = "https://www.braintrust.dev:443,*"
_SETTINGS = {"allow": 1, "block": 2}  # Chromium's content settings


def write_profile(folder: Path, decided: Literal["allow", "block"]) -> Path:
    """Write a user data folder in which that decision is stored for the web app; returns it."""
    profile = folder / "browser-profile"
    place = profile / "Default" / "Preferences"
    place.parent.mkdir(parents=True)
    exceptions = {"local_network": {WEB_APP: {"setting": _SETTINGS[decided]}}}
    place.write_text(json.dumps({"profile": {"content_settings": {"exceptions": exceptions}}}))
    return profile
