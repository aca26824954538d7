"""Nothing that could hijack a terminal or reorder text stays as it is; everything else does."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import replace
from xml.etree import ElementTree

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from btdiag.core.report import MeasurementRecord, Report
from btdiag.report import markdown, openmetrics
from btdiag.report.escape import block, plain

BREAKERS = [
    *"<>&'\"`*_[](){}#+-.!|~\\\n\r\t =:@$%^;/0aZ\x1b\x00\u202e\u200b\ud800\ufffe",
    "]]>",
    "-->",
    "<!--",
    "```",
    "~~~",
    "&lt;",
    "&#x3c;",
    "{{",
    "%}",
    "\\x",
    "1. ",
    "- ",
    "# ",
    "> ",
    "---",
    "===",
    "http://a.b",
    "www.a.b",
    "a@b.c",
    "@team",
    "#12",
    "<script>",
    "</p>",
    "![a](b)",
    "[a](b)",
    "|",
    "||",
    "\n\n",
    "\\|",
    "# EOF",
    "=1+1",
    "::error::",
    "e\u0301",
    "\U0001f600",
]
DANGEROUS = {"Cc", "Cs", "Zl", "Zp"}
REORDERING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}
ANYTHING = st.text(alphabet=st.characters(categories=None))


@settings(max_examples=10_000)
@given(ANYTHING)
def test_no_dangerous_character_is_left(text: str) -> None:
    for character in plain(text):
        assert unicodedata.category(character) not in DANGEROUS
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
            "BN",
        }
    assert set(block(text)) - set(plain(text)) <= {"\n", "\t"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_harmless_text_is_unchanged(text: str) -> None:
    assert plain(text) == block(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202e\ud800", "\\u202e\\ud800"),
        ("\U000e0041\x9b", "\\U000e0041\\x9b"),
    ],
)
def test_escapes_are_readable(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.fixture(scope="module")
def ten_thousand() -> list[str]:
    """Strings put together from what breaks formats; always the same ones."""
    draw = random.Random(20261124)
    return ["".join(draw.choices(BREAKERS, k=draw.randint(1, 8))) for _ in range(10_000)]


def test_markdown_shows_ten_thousand_hostile_texts_as_they_are(ten_thousand: list[str]) -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for text in ten_thousand:
        tokens = parser.parse(markdown.prose(text))
        inline = [child for token in tokens for child in token.children or ()]
        assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}, text
        assert {token.type for token in inline} <= {"text", "text_special", "html_inline"}, text
        shown = "".join(token.content for token in inline if token.type != "html_inline")
        assert shown == plain(text).strip(), text
        assert {token.content for token in inline if token.type == "html_inline"} <= {"<!-- -->"}


def test_code_spans_hold_ten_thousand_hostile_texts(ten_thousand: list[str]) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    for text in ten_thousand:
        rows = parser.parse("\n".join(markdown.markdown_table([[markdown.code(text), "end"]], ["a", "b"])))
        spans = [child for token in rows for child in token.children or () if child.type == "code_inline"]
        cells = [token for token in rows if token.type == "td_open"]
        assert (len(spans), len(cells)) == (1, 2), text


def test_fences_hold_ten_thousand_hostile_texts(ten_thousand: list[str]) -> None:
    parser = MarkdownIt("commonmark")
    for text in ten_thousand:
        (token,) = parser.parse("\n".join(markdown.fenced(text)))
        assert (token.type, token.content) == ("fence", block(text) + "\n"), text


def test_xml_holds_ten_thousand_hostile_texts(ten_thousand: list[str]) -> None:
    root = ElementTree.Element("all")
    for text in ten_thousand:
        ElementTree.SubElement(root, "a", b=plain(text)).text = block(text)
    back = ElementTree.fromstring(ElementTree.tostring(root))
    assert [(each.get("b"), each.text) for each in back] == [(plain(text), block(text)) for text in ten_thousand]


def test_html_holds_ten_thousand_hostile_texts(ten_thousand: list[str]) -> None:
    source = "{% for text in texts %}<p title='{{ text }}'>{{ text }}</p>{% endfor %}"
    page = Environment(autoescape=True, finalize=plain).from_string(source).render(texts=ten_thousand)
    parsed = html5lib.parseFragment(page, namespaceHTMLElements=False)
    assert [(each.get("title"), each.text) for each in parsed] == [(plain(text), plain(text)) for text in ten_thousand]
    assert {each.tag for each in parsed} == {"p"}


def test_labels_hold_ten_thousand_hostile_texts(ten_thousand: list[str], healthy: Report) -> None:
    names = sorted({plain(text) for text in ten_thousand})
    records = tuple(MeasurementRecord(name=name, started_s=0, duration_s=1) for name in names)
    shown = openmetrics.render(replace(healthy, measurements=records))
    families = {family.name: family.samples for family in text_string_to_metric_families(shown)}
    found = [sample.labels["measurement"] for sample in families["btdiag_measurement_duration_seconds"]]
    assert found == names


def test_a_block_keeps_its_lines() -> None:
    assert block("a\r\nb\n\tc\rd\x1b") == "a\nb\n\tc\\rd\\x1b"
