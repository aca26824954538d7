"""Files sent to where a URL leads: never over what is there, and every failure is one line."""

from __future__ import annotations

import sys
import threading
import uuid
from importlib import import_module
from pathlib import Path

import pytest

from btdiag.core.elsewhere import Elsewhere, elsewhere
from btdiag.net import uploads


@pytest.fixture
def there() -> Elsewhere:
    """A place in memory that no other test uses."""
    return Elsewhere(f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them deeper."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "targets" / "one.html").write_text("<p>")
    return tmp_path


def content(place: Elsewhere) -> bytes:
    """What is there."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(place.url)
    found = system.cat_file(path)
    assert isinstance(found, bytes)
    return found


def test_a_folder_goes_as_it_is(there: Elsewhere, folder: Path) -> None:
    assert not uploads.is_there(there)
    sent = uploads.send_folder(there, folder)
    assert sent == [there.below("report.json"), there.below("targets/one.html")]
    assert [content(file) for file in sent] == [b"{}", b"<p>"]
    assert uploads.is_there(there)


def test_nothing_is_written_over(there: Elsewhere, folder: Path) -> None:
    place = there.below("report.json")
    uploads.send(place, folder / "report.json")
    with pytest.raises(uploads.TakenError, match="exists already"):
        uploads.send(place, folder / "targets" / "one.html")
    assert content(place) == b"{}"


def test_nobody_waits_for_a_storage_that_is_silent(there: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = threading.Event()
    monkeypatch.setattr(uploads, "LOOK_S", 0.05)
    monkeypatch.setattr(uploads, "_opened", lambda place: silent.wait(20))
    with pytest.raises(uploads.UploadError, match=r"memory://\w+: not done within 0\.05 s"):
        uploads.is_there(there)
    silent.set()


@pytest.mark.parametrize(
    ("url", "module", "why"),
    [
        ("memory://reports", "fsspec.core", r"pip install 'btdiag\[remote\]'"),
        ("s3://reports", "s3fs", r"pip install 'btdiag\[remote\]'"),
        ("gs://reports", "gcsfs", "pip install gcsfs"),
        ("smb://host/reports", "smbclient", "pip install smbprotocol"),
        ("https://host/reports", "", "nothing can be written to https://"),
        ("nosuch://reports", "", "nosuch"),
    ],
)
def test_what_is_lacking_is_named(url: str, module: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = import_module("fsspec.registry")
    monkeypatch.delitem(known._registry, url.partition(":")[0], raising=False)
    if module:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(uploads.UploadError, match=why):
        uploads.is_there(Elsewhere(url))


@pytest.mark.parametrize("url", ["sftp://me:pa55@host/x", "s3://bucket/x?X-Amz-Signature=pa55", "ftp://pa55:@host/#x"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="no password and no query") as told:
        elsewhere(url)
    assert "pa55" not in str(told.value)


def test_what_is_a_url_and_what_a_path() -> None:
    assert elsewhere("s3://bucket/reports") == Elsewhere("s3://bucket/reports")
    assert elsewhere("simplecache::s3://bucket/x") == Elsewhere("simplecache::s3://bucket/x")
    assert elsewhere("file:///srv/reports") == Path("/srv/reports")
    assert elsewhere("reports") is elsewhere("C://reports") is elsewhere("/srv/a://b") is None
    with pytest.raises(ValueError, match="a whole path"):
        elsewhere("file://reports")
