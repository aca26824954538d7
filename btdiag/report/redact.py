"""The one place where secrets leave a report: every document passes it before any format or file sees it.

Two means: values that are known to be secret, in every spelling and encoding in which they turn up (spellings.py,
traces.py); and rules for what is secret by its place or its shape (foreign.py). A removed value becomes a pseudonym
such as `redacted-cookie-1`: numbered, not hashed, so that equal values can be told to be equal within one run and
nothing about them can be guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar, cast

from btdiag.core.credential import WITHHELD, is_secret_name
from btdiag.core.report import Report
from btdiag.core.target import Secret
from btdiag.report import foreign
from btdiag.report.documents import Document
from btdiag.report.spellings import CUT, parts_of_secret, pattern, spellings
from btdiag.report.traces import Traces
from btdiag.report.walk import Rewriter

DocumentType = TypeVar("DocumentType", bound=Document)

PSEUDONYM = re.compile(r"redacted-[a-z]+(?:-[a-z]+)*-\d+")
_REMEMBERED = 64
"""Texts shorter than this are looked at once: facts repeat the same keys and words thousands of times."""
_BARE_HEADERS = frozenset({"authorization", "cookie", "digest"})


def redact(document: DocumentType, secrets: Iterable[Secret] = ()) -> DocumentType:
    """The document without secrets; `redactions` of each report gains how many values each rule removed.

    Every string is visited, keys of JSON data too. Redacting twice changes nothing.
    """
    return _Redactor(secrets).document(document)


def redact_text(text: str, secrets: Iterable[Secret] = ()) -> str:
    """One text without secrets: for what is shown while no report exists yet (progress, diagnostics)."""
    return _Redactor(secrets).text(text)


class _Redactor(Rewriter):
    """Walks values, keeps the numbering of pseudonyms for a document and the counts for a report."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        given = list(dict.fromkeys(secrets))
        self._known = spellings(given)
        self._pattern = pattern(self._known)
        self._traces = Traces.of(parts_of_secret(secret) if not secret.ordinary else () for secret in given)
        self._pseudonyms: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()
        self._harmless: set[str] = set()

    def document(self, document: DocumentType) -> DocumentType:
        if isinstance(document, Report):
            self._counts = Counter(document.redactions)
            walked = self.fields(document, skip=frozenset({"redactions"}))
            return cast(DocumentType, replace(walked, redactions=dict(sorted(self._counts.items()))))
        reports = tuple(self.document(report) for report in document.reports)
        self._counts = Counter()
        return cast(DocumentType, replace(self.fields(document, skip=frozenset({"reports"})), reports=reports))

    def text(self, text: str) -> str:
        if text in self._harmless:
            return text
        rewritten = foreign.without_secrets(self._without_known(text), self.replaced)
        if rewritten == text and len(text) < _REMEMBERED:
            self._harmless.add(text)
        return rewritten

    def string(self, text: str, key: str) -> str:
        is_header = _is_header(key) and not foreign.is_statement(text)
        return self.header(key.lower(), text) if is_header else self.text(text)

    def header(self, name: str, value: str) -> str:
        """The value of a header without its secret part: cookie names and schemes stay, for they tell who spoke."""
        if not is_secret_name(name) or foreign.is_statement(value):
            return self.text(value)
        return foreign.secret_header(name, self._without_known(value), self.replaced)

    def replaced(self, rule: str, value: str) -> str:
        """The pseudonym that takes the place of a value; what is none (or done already) stays."""
        if not value.strip(" -") or value == WITHHELD or PSEUDONYM.fullmatch(value.strip()):
            return value
        self._counts[rule] += 1
        number = 1 + sum(known_rule == rule for known_rule, _ in self._pseudonyms)
        return self._pseudonyms.setdefault((rule, value), f"redacted-{rule}-{number}")

    def _without_known(self, text: str) -> str:
        if not self._known:
            return text
        return self._without_traces(self._cut_off(self._pattern.sub(self._known_value, text)))

    def _known_value(self, match: re.Match[str]) -> str:
        self._counts["known"] += 1
        return self._known[match.group()]

    def _cut_off(self, text: str) -> str:
        """Removes the beginning of a known value with which a text ends because it was cut to a length."""
        end = text[-CUT:]
        for value, pseudonym in self._known.items():
            if len(end) == CUT and end in value:
                longest = next((n for n in range(len(value) - 1, CUT - 1, -1) if text.endswith(value[:n])), 0)
                if longest:
                    self._counts["known"] += 1
                    return text[:-longest] + pseudonym
        return text

    def _without_traces(self, text: str) -> str:
        for begin, end, number in reversed(self._traces.spans(text)):
            self._counts["known"] += 1
            text = f"{text[:begin]}redacted-known-{number}{text[end:]}"
        return text


@lru_cache(maxsize=1024)
def _is_header(key: str) -> bool:
    """Is it the name of a header whose value is secret?"""
    name = key.lower()
    return ("-" in name and is_secret_name(name)) or name in _BARE_HEADERS
