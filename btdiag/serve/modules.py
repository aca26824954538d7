"""Modules: named sets of options with which a target is looked at, as those of blackbox_exporter. Some are built in,
more stand in the profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from btdiag import config
from btdiag.config import Settings, UsageError, settings
from btdiag.config.profile import load_profile
from btdiag.config.values import target_name
from btdiag.core.target import Target

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "quick": {"only": ("connection", "readiness"), "quick": True, "browser": "none"},
    "standard": {"quick": True, "browser": "none"},
    "full": {"browser": "none"},
}
"""`quick` is a dozen requests, `standard` all checks without an idle wait, `full` the idle waits too."""
STRANGER = "btdiag serve was asked for this target by a request, and no list names it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """All of them by name, each the settings of a run, and the targets that are listed."""

    by_name: Mapping[str, Settings]
    targets: tuple[str, ...]
    any_target: bool = False

    def target(self, url: str, module: str) -> tuple[Settings, Target]:
        """How that target is looked at. One that is not listed gets no key, header or client certificate. LookupError
        names what is not known, UsageError says what is wrong with the URL."""
        if module not in self.by_name:
            raise LookupError("module")
        chosen = self.by_name[module]
        name = target_name(url, "target")
        if name in self.targets:
            return chosen, config.target(chosen, name)
        if not self.any_target or name.startswith("lab:"):
            raise LookupError("target")
        return chosen, config.target(replace(chosen, strangers={name: STRANGER}), name)


def modules(
    flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path, *, any_target: bool = False
) -> Modules:
    """The modules that flags, environment and profile give; UsageError where they do not fit, or without a target."""
    named = flags.get("profile")
    profile = load_profile(Path(named) if named else None, folder)
    found = {
        name: settings({**flags, **options, "no_files": True}, environment, folder)
        for name, options in {**BUILT_IN, **profile.modules}.items()
    }
    urls = next(iter(found.values())).urls
    if labs := [url for url in urls if url.startswith("lab:")]:
        raise UsageError(f"{labs[0]}: btdiag serve watches data planes; serve the lab with btdiag lab and name its URL")
    calm = {name: replace(one, mode=replace(one.mode, induce=False)) for name, one in found.items()}
    return Modules(by_name=calm, targets=urls, any_target=any_target)
