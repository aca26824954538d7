"""The result as one HTML page: failures over time, idle ages with both timeouts, kinds by upstream. No script. Pure."""

from __future__ import annotations

import html
from collections import Counter

from btdiag.logs import drawing
from btdiag.logs.groups import kinds_in_words
from btdiag.logs.house import CheckResult, Verdict, plain
from btdiag.logs.result import LogsResult

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>btdiag logs: {verdict}</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}}
table{{border-collapse:collapse}}
th,td{{border:1px solid #767676;padding:.2rem .6rem;text-align:left;vertical-align:top}}
pre{{background:#f3f3f3;padding:.6rem;overflow-x:auto}}svg{{max-width:100%;height:auto}}
.fail{{color:#9d0000}}.warn{{color:#7a4b00}}.pass{{color:#00561b}}
@media(prefers-color-scheme:dark){{body{{color:#eee;background:#161616}}pre{{background:#262626}}.fail{{color:#ff9d9d}}
.warn{{color:#ffd089}}.pass{{color:#93e6a9}}svg{{background:#fff}}}}
</style></head><body><main>
<h1><span class="{verdict}">{verdict}</span> {headline}</h1>
{drawings}
{checks}
<h2>Kinds by upstream</h2>{kinds}
<h2>Files</h2>{files}
</main></body></html>
"""
_MOST_ROWS = 60


def render(result: LogsResult) -> str:
    """The whole page."""
    drawings = "".join(
        f"<section><h2>{html.escape(title)}</h2>{picture}</section>" for title, picture in drawing.pictures(result)
    )
    return _PAGE.format(
        verdict=result.verdict.value,
        headline=_text(result.headline),
        drawings=drawings,
        checks="".join(_check(check, result) for check in result.checks),
        kinds=_kinds(result),
        files=_files(result),
    )


def _text(text: str) -> str:
    return html.escape(plain(text))


def _check(check: CheckResult, result: LogsResult) -> str:
    head = f'<h3><span class="{check.verdict.value}">{check.verdict.value}</span> <code>{_text(check.id)}</code></h3>'
    body = f"<p>{_text(check.summary)}</p>"
    if check.verdict in (Verdict.PASS, Verdict.SKIP):
        return f"<section>{head}{body}</section>\n"
    if check.remedy:
        body += f"<p><strong>What to do:</strong> {_text(check.remedy.text)}</p>"
        for snippet in check.remedy.snippets:
            body += (
                f"<details><summary>{_text(snippet.product)}</summary><pre>{html.escape(snippet.code)}</pre></details>"
            )
    for evidence in check.evidence:
        title = f"<h4>{_text(evidence.title)}</h4>"
        if evidence.kind == "text" and isinstance(evidence.data, str):
            text = "\n".join(plain(line) for line in result.quoter.name(evidence.data).splitlines())
            body += f"{title}<pre>{html.escape(text)}</pre>"
        elif isinstance(evidence.data, dict):
            rows = evidence.data.get("rows")
            headers = evidence.data.get("headers")
            body += title + _table([str(one) for one in headers] if isinstance(headers, list) else [],
                                   [[result.quoter.name(str(cell)) for cell in row] for row in rows
                                    if isinstance(row, list)] if isinstance(rows, list) else [])  # fmt: skip
    return f"<section>{head}{body}</section>\n"


def _table(headers: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in headers)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _kinds(result: LogsResult) -> str:
    counts = Counter[tuple[str, str, str]]()
    for group in result.groups:
        for row in group.rows:
            named = 0
            for upstream, count in row.upstreams.items():
                counts[kinds_in_words(row.fits), "yes" if row.sure else "no", result.quoter.name(upstream)] += count
                named += count
            if row.count > named:
                counts[kinds_in_words(row.fits), "yes" if row.sure else "no", "(not named)"] += row.count - named
    rows = [[kind, sure, upstream, f"{count:,}"] for (kind, sure, upstream), count in counts.most_common(_MOST_ROWS)]
    return _table(["what fits", "sure", "upstream", "requests"], rows) if rows else "<p>No failure.</p>"


def _files(result: LogsResult) -> str:
    rows = [
        [one.account.path, one.account.format, f"{one.account.lines:,}", f"{one.account.requests:,}",
         f"{one.account.malformed:,}"]
        for one in result.files
    ]  # fmt: skip
    return _table(["file", "format", "lines", "requests", "not read"], rows)
