"""Finds an installed Chrome, Edge or Chromium, or Playwright's own Chromium; starts nothing and downloads nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

COMMANDS = (
    "google-chrome-stable",
    "google-chrome",
    "microsoft-edge-stable",
    "microsoft-edge",
    "chromium",
    "chromium-browser",
    "chrome",
)
MAC_APPLICATIONS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "Chromium.app/Contents/MacOS/Chromium",
)
WINDOWS_PROGRAMS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
_OWN = {
    "linux": "chrome-linux*/chrome",
    "darwin": "chrome-mac*/*.app/Contents/MacOS/*",
    "win32": "chrome-win*/chrome.exe",
}
HOW_TO_GET_ONE = (
    "install Chrome, Edge or Chromium (Debian: apt-get install chromium; or: playwright install chromium), or name one "
    "with --browser PATH"
)


def find_browser(choice: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The browser for `--browser`: the path given, or for "auto" the first one found; None where there is none."""
    if choice != "auto":
        found = shutil.which(choice)
        return Path(found) if found else None
    return next((path for path in _candidates(environment) if path.is_file()), None)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    for command in COMMANDS:
        if found := shutil.which(command, path=environment.get("PATH")):
            yield Path(found)
    if sys.platform == "darwin":
        yield from (Path("/Applications") / application for application in MAC_APPLICATIONS)
    if sys.platform == "win32":
        for root in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            yield from (Path(environment.get(root, "")) / program for program in WINDOWS_PROGRAMS)
    yield from _playwrights_own(environment)


def _playwrights_own(environment: Mapping[str, str]) -> Iterator[Path]:
    """The full Chromium builds in Playwright's cache, newest first; its headless shell ignores policies."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "/nonexistent")
    caches = {
        "linux": home / ".cache/ms-playwright",
        "darwin": home / "Library/Caches/ms-playwright",
        "win32": home / "AppData/Local/ms-playwright",
    }
    cache = Path(environment.get("PLAYWRIGHT_BROWSERS_PATH") or caches.get(sys.platform, caches["linux"]))
    builds = [build for build in cache.glob("chromium-*") if build.name.rpartition("-")[2].isdecimal()]
    for build in sorted(builds, key=lambda build: -int(build.name.rpartition("-")[2])):
        yield from sorted(build.glob(_OWN.get(sys.platform, _OWN["linux"])))


def product_of(executable: str) -> str:
    """The browser that a path leads to, by its name: "Edge", "Chrome", or else "Chromium"."""
    lowered = executable.lower()
    names = {"edge": "Edge", "chromium": "Chromium", "playwright": "Chromium", "chrome": "Chrome"}
    return next((name for key, name in names.items() if key in lowered), "Chromium")
