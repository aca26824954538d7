"""The pages: all targets with what they came to, and one target over time. Made on the server, without any script."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from btdiag import __version__
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.report import words
from btdiag.report.escape import plain
from btdiag.report.history import Turn, changed, history_of, stamp
from btdiag.serve.modules import Modules
from btdiag.serve.watch import NewestReports
from btdiag.store.store import Store, Stored

PAGE_ROWS = 100  # targets of one page
STRIP = 24  # newest runs of a target that are shown as a strip
MOST_RUNS = 500  # runs of one target that its page is made from
MOST_TURNS = 100

STYLE = files("btdiag.report").joinpath("templates/report.css").read_text("utf-8") + files("btdiag.serve").joinpath(
    "templates/serve.css"
).read_text("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a reader wants to see: targets whose URL holds `text`, those of one verdict, and which page of them."""

    text: str = ""
    verdict: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Selection:
        """What the query says; what it should not say is left out."""
        verdict, page = query.get("verdict", ""), query.get("page", "")
        return cls(
            text=query.get("q", "")[:200],
            verdict=verdict if verdict in {one.value for one in Verdict} else "",
            page=min(int(page), 100_000) if page.isascii() and page.isdigit() and len(page) < 7 and int(page) else 1,
        )

    def link(self, **changed_to: object) -> str:
        """The address of the same with something changed."""
        given = {"q": self.text, "verdict": self.verdict, "page": self.page} | changed_to
        told = {name: value for name, value in given.items() if value and (name, value) != ("page", 1)}
        return f"/?{urlencode(told)}" if told else "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One target of the overview. `runs` are its newest, the oldest of them first; `turns` what is so since the last
    run that passed."""

    url: str
    verdict: str
    headline: str
    runs: tuple[Stored, ...]
    turns: tuple[Turn, ...]

    @property
    def newest(self) -> Stored | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None


class Pages:
    """Makes pages from the store, whose connection it has to itself, one at a time."""

    def __init__(self, store: Store, modules: Modules, known: NewestReports, module: str) -> None:
        self._store = store
        self._modules = modules
        self._known = known
        self._module = module
        self._lock = threading.Lock()

    def overview(self, asked: Selection) -> str:
        """All targets that are asked for, the worst first."""
        with self._lock:
            newest = self._store.newest(self._module)
        found = [(newest.get(url), url) for url in self._modules.targets if asked.text.lower() in url.lower()]
        counts = {verdict.value: sum(_verdict(run) == verdict for run, _ in found) for verdict in Verdict}
        chosen = [(run, url) for run, url in found if not asked.verdict or _verdict(run) == asked.verdict]
        chosen.sort(key=lambda pair: (pair[0].entry.verdict.place if pair[0] else 9, pair[1]))
        begin = (asked.page - 1) * PAGE_ROWS
        return self._page(
            "overview.html",
            asked=asked,
            rows=[self._row(url) for _, url in chosen[begin : begin + PAGE_ROWS]],
            counts={name: count for name, count in counts.items() if count},
            shown=len(chosen),
            of=len(self._modules.targets),
            pages=-(-len(chosen) // PAGE_ROWS),
            module=self._module,
            any_target=self._modules.any_target,
        )

    def _row(self, url: str) -> TargetRow:
        with self._lock:
            runs = self._store.runs(url, self._module, STRIP)
            good = self._store.last_pass(url, self._module)
        now = runs[0] if runs else None
        turns = changed(good.entry, now.entry) if good and now and now.entry.verdict is not Verdict.PASS else ()
        return TargetRow(
            url=url,
            verdict=now.entry.verdict.value if now else "",
            headline=now.entry.headline if now else "No run yet",
            runs=tuple(reversed(runs)),
            turns=tuple(turns),
        )

    def target(self, url: str) -> str | None:
        """One target over time; None for one that is neither listed nor stored."""
        with self._lock:
            runs = self._store.runs(url, None, MOST_RUNS)
        if not runs and url not in self._modules.targets:
            return None
        by_module = {name: [run for run in runs if run.module == name] for name in {run.module: None for run in runs}}
        told = {name: history_of(url, [run.entry for run in of_it]) for name, of_it in by_module.items()}
        return self._page("target.html", url=url, told=told, runs=by_module, most_turns=MOST_TURNS)

    def report(self, number: int) -> Report | None:
        """The whole report of a run, if it is kept."""
        with self._lock:
            return self._store.report(number) if number < 2**62 else None

    def _page(self, name: str, **values: Any) -> str:
        return _ENVIRONMENT.get_template(name).render(version=__version__, **values)


def _verdict(run: Stored | None) -> str:
    return run.entry.verdict.value if run else ""


def _shown(value: Any) -> Any:
    """Every text that a template puts out passes here before it is escaped."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _turned(turns: Sequence[Turn]) -> str:
    """The first turns in one line."""
    told = "; ".join(f"{turn.check}: {turn.old} -> {turn.new}" for turn in turns[:3])
    return f"{told} and {len(turns) - 3} more" if len(turns) > 3 else told


_ENVIRONMENT = Environment(
    loader=PackageLoader("btdiag.serve"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {
    "glyphs": words.GLYPHS,
    "stamp": stamp,
    "turned": _turned,
    "verdicts": [one.value for one in Verdict][::-1],
}
