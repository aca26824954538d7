"""All formats by the name under which the command line knows them; each a pure function of a document and a context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from btdiag.report import json_, junit, markdown, openmetrics, sarif, text
from btdiag.report.documents import Context, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """`function` makes the text; `extension` is that of its files, without a dot."""

    function: Callable[[Document, Context], str]
    extension: str
    media_type: str


def _text(document: Document, context: Context) -> str:
    return text.render(document, color=context.color, width=context.width, verbose=context.verbose, files=context.files)


def _html(document: Document, context: Context) -> str:
    from btdiag.report import html  # jinja2 and the template are heavy: only who asks for the page waits

    return html.render(document)


FORMATS: Mapping[str, Format] = {
    "text": Format(function=_text, extension="txt", media_type="text/plain"),
    "json": Format(
        function=lambda document, _: json_.render(document), extension="json", media_type="application/json"
    ),
    "ndjson": Format(
        function=lambda document, _: json_.json_lines(document), extension="ndjson", media_type="application/x-ndjson"
    ),
    "markdown": Format(
        function=lambda document, _: markdown.render(document), extension="md", media_type="text/markdown"
    ),
    "junit": Format(
        function=lambda document, context: junit.render(document, fail_on=context.fail_on),
        extension="xml",
        media_type="application/xml",
    ),
    "html": Format(function=_html, extension="html", media_type="text/html"),
    "sarif": Format(
        function=lambda document, _: sarif.render(document), extension="sarif", media_type="application/sarif+json"
    ),
    "openmetrics": Format(
        function=lambda document, _: openmetrics.render(document),
        extension="prom",
        media_type="application/openmetrics-text",
    ),
}


def render(document: Document, format: str, context: Context) -> str:
    """The document in the format of that name (a key of FORMATS). It must have been redacted before."""
    return FORMATS[format].function(document, context)
