"""The browser's process: `python -m btdiag.families.lna.probe.chromium` reads a plan from stdin, drives the
browsers, and prints one line of JSON.

A process of its own keeps the driver out of the run's event loop, and cleans up whatever becomes of the run: when its
stdin closes (the run ended, was interrupted or killed), it closes the browsers, removes their profiles and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.async_api import Error as PlaywrightError

from btdiag.core.evidence import to_json
from btdiag.families.lna.plan import BrowserPlan
from btdiag.families.lna.probe.chromium.survey import survey

ALL_DAY = 26.0  # seconds; a survey that hangs ends itself
CLOSING = 3.0  # seconds to close the browsers when it is told to end
REMOVALS = 60  # tries to remove the profiles: a browser that is just ending writes to them
LAST_WRITES = 0.3  # seconds in which one that is being killed may make its profile anew


def main() -> int:
    """Read the plan, survey, print; 0 unless interrupted."""
    plan = BrowserPlan.read(sys.stdin.buffer.readline())
    folder = Path(tempfile.mkdtemp(prefix="btdiag-browser-"))
    for name in ("TMPDIR", "TEMP", "TMP", "HOME"):  # the driver makes its profiles there, Chromium looks for its CAs
        os.environ[name] = str(folder)
    settle = 0.0
    try:
        result = asyncio.run(_bounded(plan, folder))
    except (PlaywrightError, TimeoutError) as error:
        result = {"error": " ".join(str(error).split())[:600] or "the browser did not answer in time"}
    except asyncio.CancelledError:
        settle = LAST_WRITES
        return 1
    finally:
        _remove(folder, settle)
    sys.stdout.write(json.dumps(to_json(result)) + "\n")
    sys.stdout.flush()
    return 0


async def _bounded(plan: BrowserPlan, folder: Path) -> dict[str, Any]:
    """The survey, unless stdin closes first or it takes all day."""
    task = asyncio.ensure_future(survey(plan, folder))
    loop = asyncio.get_running_loop()
    threading.Thread(target=_wait_for_end_of_input, args=(loop, task, folder), daemon=True).start()
    async with asyncio.timeout(ALL_DAY + plan.patience):
        return await task


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, task: asyncio.Task[dict[str, Any]], folder: Path) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(task.cancel)
    time.sleep(CLOSING)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)  # the driver sees its own stdin close, and kills the browsers


def _remove(folder: Path, settle: float) -> None:
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(settle)
        if not folder.exists():
            break
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
