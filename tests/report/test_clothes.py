"""No known secret leaves a report in whatever clothes a server sends it back, in no format, line or archive."""

from __future__ import annotations

import io
import json
import random
import string
import time
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Evidence
from btdiag.core.report import Report
from btdiag.core.target import Secret
from btdiag.report.bundle import bundled_files, pack
from btdiag.report.documents import Context
from btdiag.report.formats import FORMATS, render
from btdiag.report.redact import redact, redact_text
from btdiag.report.traces import RUN, Traces
from tests.support.clothes import CLOTHES, SECRETS, shared_runs

KNOWN = [Secret(value) for name, value in SECRETS.items() if name != "foreign token"]
assert len(CLOTHES) >= 60


@pytest.mark.parametrize("dress", CLOTHES)
@pytest.mark.parametrize("name", [name for name in SECRETS if name != "foreign token"])
def test_nothing_of_a_known_secret_is_left(name: str, dress: str) -> None:
    secret = SECRETS[name]
    for text in (
        f"before {CLOTHES[dress](secret)} after",
        CLOTHES[dress](secret),
        f'{{"v": "{CLOTHES[dress](secret)}"}}',
    ):
        shown = redact_text(text, KNOWN)
        assert shared_runs(shown, secret) == []
        assert redact_text(shown, KNOWN) == shown


def dressed(report: Report) -> Report:
    """All clothes of all secrets, in every place where a server's words may stand."""
    texts = [
        dress(secret) for secret in SECRETS.values() for dress in CLOTHES.values() if secret.startswith("ghp") is False
    ]
    texts.append(SECRETS["foreign token"])
    check = replace(
        report.checks[0],
        summary=" | ".join(texts),
        evidence=(
            Evidence(kind="text", title=texts[3], data="\n".join(texts)),
            Evidence(kind="table", title="t", data={"headers": ["a"], "rows": [[text] for text in texts]}),
            Evidence(kind="facts", title="f", data={text: [text] for text in texts}),
            Evidence(kind="crash", title="c", data=f"Traceback: {' '.join(texts)}"),
        ),
    )
    return replace(report, checks=(check, *report.checks[1:]), headline=" ".join(texts[:40]), not_seen=tuple(texts))


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_shows_any_of_them(format_: str, failing: Report) -> None:
    shown = render(redact(dressed(failing), KNOWN), format_, Context(verbose=2))
    for secret in SECRETS.values():
        assert shared_runs(shown, secret) == []


def test_no_archive_holds_any_of_them(failing: Report) -> None:
    report = redact(dressed(failing), KNOWN)
    archive = zipfile.ZipFile(io.BytesIO(pack(bundled_files(report, anonymize=True))))
    for name in archive.namelist():
        for secret in SECRETS.values():
            assert shared_runs(archive.read(name).decode("utf-8", "replace"), secret) == []


def test_words_of_a_header_are_removed_as_a_whole_only() -> None:
    ordinary = [Secret("application/json", ordinary=True)]
    assert redact_text("the application answers", ordinary) == "the application answers"
    assert "application" not in redact_text("Accept: application/json", ordinary)


def test_a_password_of_the_products_name_leaves_the_name() -> None:
    text = "https://www.braintrust.dev answers"
    assert redact_text(text, [Secret("braintrust-77-proxyuser")]) == text


@given(st.text(), st.sampled_from(sorted(CLOTHES)), st.text())
def test_in_any_text(before: str, dress: str, after: str) -> None:
    secret = SECRETS["API key"]
    shown = redact_text(before + CLOTHES[dress](secret) + after, KNOWN)
    assert Traces.of([[secret]]).spans(shown) == []
    assert redact_text(shown, KNOWN) == shown


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=300))
def test_what_shares_nothing_stays(text: str) -> None:
    if not Traces.of([[value] for value in SECRETS.values()]).spans(text):
        assert Traces.of([["zzzzzzzzzzzz"]]).spans(text) == [] or "z" in text.lower()


def test_random_texts_stay() -> None:
    letters = random.Random(3)
    for _ in range(300):
        text = "".join(letters.choices(string.ascii_letters + " .,/:", k=200))
        assert redact_text(text, KNOWN) == text


def test_short_secrets_have_no_traces() -> None:
    assert Traces.of([["a-1" * (RUN // 3)]]).spans("a1" * 20) == [] or RUN > 6


@pytest.mark.alone
@pytest.mark.parametrize(
    "piece",
    [
        "a=",
        "%25",
        "&#",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        '"',
        "token: ",
        "a-",
        "\\u00",
        "=\n",
        "Bearer x ",
        "\u200b",
        "?a=b&",
    ],
)
def test_time_grows_with_the_text_alone(piece: str) -> None:
    def took(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        redact_text(text, KNOWN)
        return time.process_time() - began

    assert any(took(400_000) < 9 * max(took(100_000), 0.002) for _ in range(3))


def test_the_report_stays_json(failing: Report) -> None:
    json.loads(render(redact(dressed(failing), KNOWN), "json", Context()))
