"""What a run says while it goes, what doctor says, and the command that repeats a run."""

from __future__ import annotations

import io
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from btdiag.config import UsageError, lab_target, settings, target
from btdiag.core.report import Report
from btdiag.engine import delivery, doctor
from btdiag.engine.labcommand import with_ids
from btdiag.engine.progress import LiveProgress, NoProgress, PlainProgress, progress
from btdiag.engine.rerun import command
from btdiag.report.escape import plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_say_long_waits_and_what_is_known_once() -> None:
    stream = io.StringIO()
    display = progress(stream, plain, wanted=True)
    assert type(display) is PlainProgress
    with display.live():
        display.events.waiting("idle", "backend keep-alive", 66.0)
        display.events.waiting("idle", "backend keep-alive", 66.0)
        display.events.waiting("idle", "a moment", 0.2)
        display.events.provisional("dns.resolves", "no such name \x1b[31m")
        display.events.ended("idle")
        display.events.tick(3, 58)
    assert stream.getvalue() == (
        "btdiag: waiting 66 s: backend keep-alive\nbtdiag: already known: dns.resolves fails: no such name \\x1b[31m\n"
    )


def test_a_terminal_sees_what_is_measured_and_how_long_the_wait_still_takes() -> None:
    stream = Terminal()
    display = progress(stream, plain, wanted=True)
    assert isinstance(display, LiveProgress)
    with display.live():
        display.events.tick(3, 58)
        assert str(display._status.status) == "3 of 58 measured"
        display.events.waiting("idle", "backend [keep-alive]", 66.0)
        display.events.tick(31, 58)
        assert "31 of 58 measured; waiting 66 s more: backend" in str(display._status.status)
        display.events.provisional("dns.resolves", "no such name")
        display.events.ended("idle")
        display.events.tick(58, 58)
        assert str(display._status.status) == "58 of 58 measured"
    assert "already known: dns.resolves fails: no such name" in stream.getvalue()


def test_silence_is_silent() -> None:
    stream = io.StringIO()
    display = progress(stream, plain, wanted=False)
    assert isinstance(display, NoProgress)
    display.events.provisional("dns.resolves", "no such name")
    assert stream.getvalue() == ""


# --- doctor -----------------------------------------------------------------------------------------------------------


def states(environment: dict[str, str] | None = None) -> dict[str, str]:
    return {condition.name: condition.state for condition in doctor.examine(environment or {})}


def test_doctor_knows_what_a_full_run_needs() -> None:
    found = states()
    assert {"Python", "browser", "name servers", "IPv6", "CA certificates", "proxy", "open files"} <= set(found)
    assert found["Python"] == "ok"
    assert found["proxy"] == "ok"


def test_doctor_names_a_missing_browser_and_how_to_get_one() -> None:
    text = doctor.render(doctor.examine({"PATH": "/nonexistent"}))
    assert "missing for a full run" in text
    assert "chromium" in text


def test_doctor_finds_a_browser_on_the_path(tmp_path: Path) -> None:
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    assert states({"PATH": str(tmp_path)})["browser"] == "ok"


def test_doctor_finds_unreadable_certificates_and_a_proxy() -> None:
    found = states({"SSL_CERT_FILE": "/no/such/file", "HTTPS_PROXY": "http://p:1"})
    assert (found["CA certificates"], found["proxy"]) == ("missing", "note")


def test_doctor_says_what_this_machine_cannot_see(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSocket(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(101, "Network is unreachable")

        def bind(self, address: object) -> None:
            raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(socket, "socket", NoSocket)
    found = states()
    assert (found["IPv6"], found["lab addresses"]) == ("note", "missing")


def test_doctor_is_content_where_nothing_is_missing() -> None:
    conditions = [doctor.Condition(name="x", state="ok", detail="fine")]
    assert doctor.render(conditions).startswith("This machine has everything for a full run.")


# --- rerun ------------------------------------------------------------------------------------------------------------


def test_the_command_repeats_what_was_given_without_secrets(tmp_path: Path) -> None:
    made = settings(
        {
            "target": ("https://api.example",),
            "budget": "90",
            "induce": False,
            "quick": True,
            "fail_on": "warn",
            "header": ("X-Secret: canary",),
            "proxy": "http://u:canary@p:1",
            "origin": ("https://a.example", "null"),
            "only": ("dns",),
        },
        {},
        tmp_path,
    )
    found = command(made, target(made, made.urls[0]), ("cors.web-app-may-call",))
    assert found == (
        "btdiag run --target https://api.example --quick --budget 90 --header 'X-Secret: @X_SECRET' "
        "--proxy http://p:1 --origin https://a.example --origin null --no-induce --only cors.web-app-may-call"
    )
    assert "canary" not in found


def test_a_lab_is_named_as_a_lab(tmp_path: Path) -> None:
    made = settings({"target": ("lab:healthy",)}, {}, tmp_path)
    found = command(made, lab_target(made, "healthy", {"url": "https://api.lab.example:1"}), ())
    assert found == "btdiag run --target lab:healthy"


# --- lab --list -------------------------------------------------------------------------------------------------------


def test_declared_lists_hold_ids_and_a_named_id_outweighs_a_pattern() -> None:
    entry = {
        "name": "x",
        "summary": "y",
        "fails": ["a.one"],
        "warns": [],
        "inconclusive": [],
        "skips": ["a.*", "b.*"],
        "passes": ["b.two"],
        "options": ["--quick"],
    }
    assert with_ids(entry, ["a.one", "a.two", "b.one", "b.two", "c.one"]) == {
        "name": "x",
        "summary": "y",
        "fails": ["a.one"],
        "warns": [],
        "inconclusive": [],
        "skips": ["a.two", "b.one"],
        "options": ["--quick"],
    }


def test_doctor_says_what_stands_in_the_way_of_a_full_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    import dns.resolver

    def unreadable() -> None:
        raise OSError("no such file")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(dns.resolver, "Resolver", unreadable)
    found = states()
    assert found["open files"] == "missing"
    assert found["name servers"] == "missing"


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_report_never_goes_over_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Now(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Now:
            return cls(2030, 1, 2, tzinfo=UTC)

    monkeypatch.setattr(delivery, "datetime", Now)
    report = cast(Report, SimpleNamespace(target={"host": "api.example/.."}, reports=()))
    made = [delivery.new_folder(tmp_path, delivery.file_host(report)) for _ in range(3)]
    assert [folder.name for folder in made] == [
        "20300102T000000Z-api.example-..",
        "20300102T000000Z-api.example-..-2",
        "20300102T000000Z-api.example-..-3",
    ]
    with pytest.raises(UsageError, match="choose another folder"):
        delivery.new_folder(tmp_path / "missing", delivery.file_host(report))


def test_a_place_that_takes_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        delivery.write(tmp_path / "missing" / "report.json", "{}")
    delivery.write(tmp_path / "report.json", "{}")
    assert (tmp_path / "report.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
