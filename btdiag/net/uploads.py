"""Files sent to where a URL leads, never over what is there: object storage and all else that fsspec knows.

Whatever a file system waits for, nobody waits longer for it than the limits below: its work is done in a thread of its
own, which is left to itself then. Source: https://filesystem-spec.readthedocs.io/en/latest/api.html (put_file).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from btdiag.core.elsewhere import Elsewhere

LOOK_S = 20.0  # for the first word of a storage, its name's resolution and a login included
SEND_S = 300.0  # for all files of a run: 36 MB of 1,000 reports in full at 1 Mbit/s
INSTALL = "pip install 'btdiag[remote]'"
_PACKAGES = {"gcsfs": "gcsfs", "adlfs": "adlfs", "paramiko": "paramiko", "smbclient": "smbprotocol"}
"""Of modules that fsspec asks for, the packages that hold them: the names are not always the same."""
_READ_ONLY = frozenset({"http", "https", "data", "github", "git"})
_TAKEN = frozenset(
    {"PreconditionFailed", "412"}
)  # what storages say of a name that is taken (RFC 9110 section 15.5.13)
Result = TypeVar("Result")


class UploadError(Exception):
    """A place that cannot be used; the text says why, in one line that may hold what the storage said."""


class TakenError(UploadError):
    """Something of that name is there already."""


def is_there(place: Elsewhere) -> bool:
    """Whether something is there; UploadError where that cannot be told. Where one may only write, nothing is."""

    def look() -> bool:
        system, path = _opened(place)
        try:
            return bool(system.exists(path))
        except PermissionError:
            return False

    return _within(LOOK_S, place, look)


def send(place: Elsewhere, file: Path) -> None:
    """Make one file there of one of this machine's; TakenError where there is one."""
    _within(SEND_S, place, lambda: _create(place, file))


def send_folder(place: Elsewhere, folder: Path) -> list[Elsewhere]:
    """Make a folder there with all that is in one of this machine's; gives the files. TakenError where one is there."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    sent = {file: place.below(file.relative_to(folder).as_posix()) for file in files}

    def copy() -> None:
        for file, there in sent.items():
            _create(there, file)

    _within(SEND_S, place, copy)
    return list(sent.values())


def _create(place: Elsewhere, file: Path) -> None:
    """Where a storage can do so it makes the file only if there is none; before that it is asked."""
    system, path = _opened(place)
    taken = TakenError(f"{place} exists already: name another place")
    with suppress(PermissionError):
        if system.exists(path):
            raise taken
    try:
        system.put_file(str(file), path, mode="create")
    except Exception as error:
        if isinstance(error, FileExistsError) or _code(error) in _TAKEN:
            raise taken from None
        raise


def _code(error: BaseException) -> str:
    """What an S3 storage calls the error, "" where it is none of its."""
    response = getattr(error.__cause__ or error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _opened(place: Elsewhere) -> tuple[Any, str]:
    """The file system, and the path in it."""
    scheme = place.url.partition("://")[0].rpartition("::")[2].lower()
    if scheme in _READ_ONLY:
        raise UploadError(f"{place}: nothing can be written to {scheme}://")
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UploadError(f"{place}: needs what btdiag was installed without: {INSTALL}") from None
    try:
        system, path = url_to_fs(place.url)
    except ImportError as error:
        missing = getattr(error.__cause__ or error, "name", "") or ""
        raise UploadError(f"{place}: {_lacking(missing.partition('.')[0])}") from None
    except ValueError as error:
        raise UploadError(f"{place}: {error}") from None
    return system, path


def _lacking(module: str) -> str:
    if module in {"", "s3fs"}:
        return f"needs what btdiag was installed without: {INSTALL}"
    return f"needs pip install {_PACKAGES[module]}" if module in _PACKAGES else f"needs the Python module {module}"


def _within(seconds: float, place: Elsewhere, work: Callable[[], Result]) -> Result:
    """What comes of the work, at most so many seconds long; UploadError for whatever it raises."""
    done: Future[Result] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=do, name="btdiag upload", daemon=True).start()
    try:
        return done.result(seconds)
    except UploadError:
        raise
    except Exception as error:
        if not done.done():
            raise UploadError(f"{place}: not done within {seconds:g} s") from None
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UploadError(f"{place}: {said}") from None
