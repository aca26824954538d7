"""A serving process: what it answers, whom it refuses, and that nothing of a report gets loose in a page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import html5lib
import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as families
from ruamel.yaml import YAML
from starlette.applications import Starlette

from btdiag.config import UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.report.json_ import load
from btdiag.report.walk import Rewriter
from btdiag.serve.app import TIMEOUT_HEADER, Served, application
from btdiag.serve.command import Serving, lasting, listened, print_for
from btdiag.serve.engine import Engine
from btdiag.serve.modules import Modules, modules
from btdiag.serve.pages import PAGE_ROWS, Pages, Selection
from btdiag.serve.printed import PRINTS
from btdiag.serve.watch import Keeper, Sweeper
from btdiag.store.keeping import Keeping
from btdiag.store.store import Store
from tests.support.cli import CLEAN
from tests.support.watching import watcher

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "report" / "golden" / "failing.ndjson"
OWN = """
import asyncio
from pathlib import Path
from btdiag.core.finding import Finding, Verdict, conclude
from btdiag.core.measurement import measurement

@measurement(budget=30, why="as long as a test waits")
async def seen(target):
    for _ in range(2_000):
        if "slow" not in target.host or (Path(__file__).parent / "go").exists():
            break
        await asyncio.sleep(0.01)
    return [target.host, target.api_key is not None]

def check_is_fine(seen):
    verdict = Verdict.FAIL if "broken" in seen[0] else Verdict.PASS
    return conclude(Finding(verdict=verdict, summary=f"{seen[0]}, key: {seen[1]}", answer="", hop="api"))
"""
LISTED = ("fine", "broken", "slow-1", "slow-2")


class Client:
    """Asks an application as a browser would, each request in a loop of its own."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9115", timeout=60) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


@dataclass(kw_only=True)
class Stage:
    """A serving process without its sockets."""

    client: Client
    store: Store
    modules: Modules
    engine: Engine
    keeper: Keeper
    go: Path
    told: list[str]

    def probe(self, host: str, **more: Any) -> Any:
        """The answer to a probe of a host."""
        query = {"target": f"http://{host}.example", "module": "mine"} | more.pop("query", {})
        return self.client.get("/probe", params=query, **more)

    def reports(self) -> list[str]:
        """The paths of all reports that the overview links to."""
        return re.findall(r'href="(/report/\d+)"', self.client.get("/").text)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("serve")
    checks = folder / "checks_serve"
    checks.mkdir()
    (checks / "check_serving.py").write_text(OWN)
    profile = folder / "serve.toml"
    profile.write_text(
        '[modules.mine]\nonly = ["serving.*"]\nquick = true\n[modules.other]\nonly = ["serving.*"]\nbudget = "9s"\n'
    )
    flags = {
        "profile": str(profile),
        "checks": str(checks),
        "target": tuple(f"http://{host}.example" for host in LISTED),
        "key_over_http": True,
    }
    known = modules(flags, {"BRAINTRUST_API_KEY": "sk-serve-canary-0123456789"}, folder)
    store, told = Store(folder / "s.sqlite"), list[str]()
    keeper = Keeper(Keeping(store, 1e9), known.targets, told.append)
    engine = Engine(5, 3, keeper.take)
    engine.start((checks,))
    pages = Pages(Store(folder / "s.sqlite"), known, keeper.known, "mine")
    served = Served(engine=engine, modules=known, known=keeper.known, pages=pages, default_module="mine")
    client = Client(application(served, ("localhost", "testing")))
    yield Stage(client=client, store=store, modules=known, engine=engine, keeper=keeper, go=checks / "go", told=told)
    engine.stop()
    assert not engine.alive


def value(text: str, name: str, **labels: str) -> float:
    """The sample of that name and labels."""
    for family in families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    raise AssertionError(f"no {name} {labels} in {text}")


def test_a_probe_is_a_run(stage: Stage) -> None:
    fine, broken = stage.probe("fine"), stage.probe("broken")
    assert (fine.status_code, broken.status_code) == (200, 200)
    assert value(fine.text, "probe_success") == 1
    assert value(broken.text, "probe_success") == 0
    assert value(broken.text, "btdiag_verdict", verdict="fail") == 1
    assert value(broken.text, "btdiag_check_verdict", check="serving.is-fine", verdict="fail", hop="api") == 1
    assert value(broken.text, "btdiag_root_cause", check="serving.is-fine") == 1
    assert value(broken.text, "btdiag_run_timestamp_seconds") > 1.7e9


def test_whoever_asks_for_openmetrics_gets_them(stage: Stage) -> None:
    answer = stage.probe("fine", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "probe_success" in {family.name for family in open_metrics(answer.text)}
    answer = stage.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert "btdiag_build" in {family.name for family in open_metrics(answer.text)}


def test_metrics_are_of_the_newest_run_of_each(stage: Stage) -> None:
    stage.probe("broken")
    text = stage.client.get("/metrics").text
    labels = {"target": "http://broken.example", "module": "mine"}
    assert value(text, "btdiag_verdict", verdict="fail", **labels) == 1
    assert value(text, "btdiag_check_verdict", check="serving.is-fine", **labels) == 1
    assert value(text, "btdiag_runs_total") >= 1
    assert value(text, "btdiag_runs_waiting") == 0
    assert value(text, "process_resident_memory_bytes") > 0


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ({"target": "http://169.254.169.254"}, 403, "not in the list"),
        ({"target": "http://localhost:9115"}, 403, "not in the list"),
        ({"target": "file:///etc/passwd"}, 400, ""),
        ({"target": "http://fine.example@evil.example"}, 400, ""),
        ({"target": ""}, 400, ""),
        ({"target": "lab:healthy"}, 403, "not in the list"),
        ({"module": "no-such"}, 404, "no such module"),
        ({"module": "../quick"}, 404, "no such module"),
    ],
)
def test_what_is_not_listed_is_not_asked(stage: Stage, query: dict[str, str], status: int, why: str) -> None:
    answer = stage.probe("fine", query=query)
    assert (answer.status_code, why in answer.text) == (status, True)


def test_any_target_gets_no_key(stage: Stage) -> None:
    open_to_all = replace(stage.modules, any_target=True)
    settings, target = open_to_all.target("http://other.example", "mine")
    assert (target.api_key, "asked for this target by a request" in target.withheld) == (None, True)
    _, listed = open_to_all.target("http://fine.example", "mine")
    assert listed.api_key is not None
    report = stage.engine.run("mine", settings, target).result(20)
    assert report.checks[0].summary == "other.example, key: False"
    assert "http://other.example" not in stage.store.targets()
    assert ("http://other.example", "mine") not in stage.keeper.known.reports
    with pytest.raises(LookupError):
        open_to_all.target("lab:healthy", "mine")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost"}, 200),
        ({"host": "LOCALHOST:1"}, 200),
        ({"host": "testing"}, 200),
        ({"host": "evil.example"}, 421),
        ({"host": "localhost.evil.example"}, 421),
        ({"host": "localhost@evil.example"}, 421),
        ({"host": ""}, 421),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/no-such-page"])
def test_only_who_knows_its_name_is_answered(stage: Stage, path: str, headers: dict[str, str], status: int) -> None:
    answer = stage.client.get(path, headers=headers)
    assert answer.status_code == (404 if status == 200 and path == "/no-such-page" else status)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_other_methods_and_long_requests_are_refused(stage: Stage) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert stage.client.request(method, "/probe").status_code == 405
    assert stage.client.get("/", params={"q": "a" * 9_000}).status_code == 414


@pytest.mark.parametrize(
    "path", ["/report/0", "/report/-1", "/report/99999999999999999999", "/report/..%2f..%2fetc%2fpasswd", "/target"]
)
def test_there_is_nothing_beside_the_store(stage: Stage, path: str) -> None:
    assert stage.client.get(path).status_code == 404


def test_the_same_run_is_made_once_and_too_many_are_refused(stage: Stage) -> None:
    answers: list[Any] = []
    asked = [("slow-1", "mine"), ("slow-1", "mine"), ("slow-2", "mine"), ("slow-1", "other")]
    threads = [
        threading.Thread(target=lambda one=one: answers.append(stage.probe(one[0], query={"module": one[1]})))
        for one in asked
    ]
    for thread in threads:
        thread.start()
    for _ in range(1_000):
        if stage.engine.flying == 3:
            break
        threading.Event().wait(0.01)
    refused = stage.probe("fine")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    assert stage.client.get("/-/healthy").status_code == 200
    stage.go.touch()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(stage.store.runs("http://slow-1.example", "mine")) == 1
    assert stage.engine.flying == 0


def test_a_probe_ends_before_prometheus_gives_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[float] = []
    run = stage.engine.run

    def noted(module: str, settings: Any, target: Any) -> Any:
        budgets.append(settings.mode.budget)
        return run(module, settings, target)

    monkeypatch.setattr(stage.engine, "run", noted)
    for given in ("5", "0.2", "nonsense", "1000", "nan"):
        stage.probe("fine", headers={TIMEOUT_HEADER: given})
    assert budgets == [4.5, 120, 120, 120, 120]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_the_pages_tell_what_became_of_each(stage: Stage) -> None:
    stage.probe("broken")
    stage.probe("fine")
    page = stage.client.get("/").text
    assert page.index("http://broken.example") < page.index("http://fine.example"), "the worst first"
    assert "broken.example, key: True" in page
    assert "<script" not in page
    only = stage.client.get("/", params={"verdict": "fail"}).text
    assert ("http://broken.example" in only, "http://fine.example" in only) == (True, False)
    found = stage.client.get("/", params={"q": "FINE"}).text
    assert ("http://broken.example" in found, "http://fine.example" in found) == (False, True)
    of_one = stage.client.get("/target", params={"url": "http://broken.example"}).text
    assert "FAIL since" in of_one
    for shown in (page, only, of_one):
        html5lib.HTMLParser(strict=True).parse(shown)
        assert shown.index("<h1>") < shown.index("<h2>")
    report = stage.client.get(stage.reports()[0])
    assert report.status_code == 200
    assert report.headers["content-security-policy"].startswith("sandbox;")
    assert stage.client.get("/style.css").headers["content-type"].startswith("text/css")


def test_an_alert_leads_to_the_newest_report(stage: Stage) -> None:
    stage.probe("broken")
    (newest, *_) = stage.store.runs("http://broken.example")
    answer = stage.client.get("/report", params={"url": "http://broken.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/report/{newest.number}")
    for url in ("http://other.example", "", "//evil.example", "\0"):
        assert stage.client.get("/report", params={"url": url}).status_code == 404
    assert stage.client.get("/target", params={"url": "\0"}).status_code == 404


def test_a_store_that_fails_is_one_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: object) -> None:
        raise UsageError("store: is gone")

    for method in ("newest", "runs", "report", "newest_whole"):
        monkeypatch.setattr(Store, method, failing)
    for path in ("/", "/target?url=x", "/report/1", "/report?url=x"):
        answer = stage.client.get(path)
        assert (answer.status_code, answer.text) == (500, "store: is gone\n")


class Hostile(Rewriter):
    """Says a text wherever a report can."""

    def __init__(self, text: str) -> None:
        self._text = text

    def string(self, text: str, key: str) -> str:
        """The text behind what stood there; a picture and its like would not be shown with it."""
        return text if text.startswith("data:") or (key == "data" and len(text) > 200) else f"{text}{self._text}"


def hostile(report: Report, text: str) -> Report:
    """A report that says the text in every field, those of btdiag's own vocabulary too."""
    checks = tuple(
        replace(check, id=f"x.{text}", hop=text, family=text)
        for check in Hostile(text).fields(report, skip=frozenset({"verdict"})).checks
    )
    rewritten: Report = Hostile(text).fields(report)
    return replace(rewritten, checks=checks, verdict=Verdict.FAIL, root_cause=f"x.{text}")


CALCULATION = "{{7*7}}"


def is_loose(element: Any) -> bool:
    """Is it something that runs, or that leads to something that does?"""
    scripted = element.tag == "script" or any(name.startswith("on") for name in element.attrib)
    return scripted or any(value.strip().lower().startswith("javascript:") for value in element.attrib.values())


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "\"'><img src=x onerror=alert(1)>",
        "</style></title></textarea><svg onload=alert(1)>",
        "javascript:alert(1)//<b>",
        '" onmouseover=alert(1) x="',
        CALCULATION,
    ],
)
def test_nothing_of_a_report_gets_loose_in_a_page(stage: Stage, text: str) -> None:
    report = load(GOLDEN.read_text())
    assert isinstance(report, Report)
    url = "http://fine.example"
    evil = replace(hostile(report, text), target={"url": url, "host": text})
    good = replace(evil, verdict=Verdict.PASS, checks=(), root_cause=None)
    for day, one in enumerate((good, evil)):
        run = replace(one.run, started_at=f"2099-01-0{day + 1}T00:00:00Z", id=text)
        stage.keeper.take("mine", replace(one, run=run))
    (newest, *_) = stage.store.runs(url, "mine")
    metrics = stage.client.get("/metrics").text
    assert list(families(metrics))
    for path in ("/", f"/target?url={url}", f"/report/{newest.number}"):
        page = stage.client.get(path).text
        assert "alert(1)" in page or text == CALCULATION
        assert (text in page) is (text == CALCULATION)
        loose = [one for one in html5lib.parse(page, namespaceHTMLElements=False).iter() if is_loose(one)]
        assert loose == []


def test_many_targets_are_shown_page_by_page(stage: Stage, tmp_path: Path) -> None:
    urls = tuple(f"http://dp-{number}.example" for number in range(2 * PAGE_ROWS + 1))
    many = replace(stage.modules, targets=urls)
    pages = Pages(Store(tmp_path / "s.sqlite"), many, stage.keeper.known, "mine")
    first, last = pages.overview(Selection()), pages.overview(Selection.of({"page": "3"}))
    assert (first.count("<h2>"), last.count("<h2>")) == (PAGE_ROWS, 1)
    assert 'href="/?page=2" rel="next"' in first
    assert 'href="/?page=2" rel="prev"' in last
    assert pages.target(urls[0]) is not None
    assert "No run has ended yet" in str(pages.target(urls[0]))


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({"verdict": "<script>", "page": "-3"}, Selection()),
        ({"page": "0"}, Selection()),
        ({"page": "٣"}, Selection()),
        ({"page": "9" * 50}, Selection()),
        ({"q": "a&b", "verdict": "fail", "page": "2"}, Selection(text="a&b", verdict="fail", page=2)),
    ],
)
def test_a_query_says_only_what_it_may(query: dict[str, str], asked: Selection) -> None:
    assert Selection.of(query) == asked


def test_links_keep_what_was_asked() -> None:
    assert Selection(text="a&b", verdict="fail", page=2).link(page=3) == "/?q=a%26b&verdict=fail&page=3"
    assert Selection(page=2).link(page=1) == "/"


# --- sweeps and the store ---------------------------------------------------------------------------------------------


def test_a_sweep_looks_at_all_targets(stage: Stage) -> None:
    stage.go.touch()
    before = {host: len(stage.store.runs(f"http://{host}.example", "other")) for host in LISTED}
    sweeper = Sweeper(stage.engine, stage.modules, ("other",), 1000, stage.keeper.known)
    sweeper.start()
    for _ in range(2_000):
        after = {host: len(stage.store.runs(f"http://{host}.example", "other")) for host in LISTED}
        if all(after[host] == before[host] + 1 for host in LISTED):
            break
        threading.Event().wait(0.01)
    sweeper.stop()
    assert after == {host: count + 1 for host, count in before.items()}
    assert stage.keeper.known.swept is not None


def test_a_store_that_takes_nothing_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = load(GOLDEN.read_text())
    assert isinstance(report, Report)
    told: list[str] = []
    store = Store(tmp_path / "s.sqlite")
    keeper = Keeper(Keeping(store, 1e9), (str(report.target["url"]),), told.append)

    def full(report: Report, module: str) -> None:
        raise UsageError("store: database or disk is full")

    monkeypatch.setattr(store, "add", full)
    keeper.take("quick", report)
    assert told == ["store: database or disk is full"]
    assert (keeper.known.runs, keeper.known.not_stored, len(keeper.known.reports)) == (1, 1, 1)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:9115", ("127.0.0.1", 9115)),
        ("[::1]:80", ("::1", 80)),
        ("8080", ("127.0.0.1", 8080)),
        ("btdiag:1", ("btdiag", 1)),
    ],
)
def test_where_to_listen(text: str, place: tuple[str, int]) -> None:
    assert listened(text) == place


@pytest.mark.parametrize("text", ["", "host", "127.0.0.1:", "1.2.3.4:99999", "::1:80", "http://x:80"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        listened(text)


def test_durations_are_said_with_their_option() -> None:
    assert lasting("90d", "--keep") == 90 * 86_400
    with pytest.raises(UsageError, match="--keep never: a duration"):
        lasting("never", "--keep")


def modules_of(tmp_path: Path, text: str, **flags: Any) -> Modules:
    profile = tmp_path / "p.toml"
    profile.write_text(text)
    return modules({"profile": str(profile), "target": ("http://a.example",), **flags}, {}, tmp_path)


def test_modules_never_induce_and_may_replace_the_built_in(tmp_path: Path) -> None:
    found = modules_of(tmp_path, "induce = true\n[modules.quick]\nbudget = '7s'\n[modules.deep]\ndeep = true\n")
    assert list(found.by_name) == ["quick", "standard", "full", "deep"]
    assert not any(one.mode.induce for one in found.by_name.values())
    assert found.by_name["quick"].mode.budget == 7


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[modules.mine]\ntarget = ['http://b.example']", "may not set target"),
        ("[modules.mine]\nformat = 'json'", "may not set format"),
        ("[modules.mine]\nbackend = 'http://b.example'", "may not set backend"),
        ("[modules.mine]\nnonsense = 1", "unknown key"),
        ('[modules."../x"]\nquick = true', "a module's name"),
        ("modules = 3", "write each module as a table"),
        ("[modules]\nmine = 3", "write each module as a table"),
    ],
)
def test_what_no_module_may_say(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        modules_of(tmp_path, text)


def test_labs_are_not_watched(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="serve the lab with btdiag lab"):
        modules_of(tmp_path, "", target=("lab:healthy",))


def test_what_prometheus_needs_names_what_is_served(stage: Stage) -> None:
    served = stage.client.get("/metrics").text + stage.probe("broken").text
    flags = {"target": ('http://a.example/"x',)}
    printed = {what: print_for(what, Serving(), flags, {}, ROOT) for what in PRINTS}
    config = YAML(typ="safe").load(printed["scrape-config"])
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["btdiag-probe"]["metrics_path"] == "/probe"
    assert len(jobs["btdiag-probe"]["static_configs"][0]["targets"]) == 1
    assert "http://btdiag.example:9115/report?url=" in print_for(
        "rules", Serving(names=("btdiag.example",)), flags, {}, ROOT
    )
    rules = YAML(typ="safe").load(printed["rules"])["groups"][0]["rules"]
    expressions = [rule["expr"] for rule in rules]
    expressions += [panel["targets"][0]["expr"] for panel in json.loads(printed["dashboard"])["panels"]]
    for name in {name for text in expressions for name in re.findall(r"btdiag_[a-z_]+", text)}:
        assert f"\n{name}{{" in served, name


def test_a_process_serves_and_ends_when_asked(tmp_path: Path) -> None:
    with watcher(tmp_path, "--target", "http://127.0.0.1:9", "--any-target", "--every", "1h") as serving:
        assert "probe_success 0.0" in serving.text("/probe?target=http://127.0.0.1:9")
        serving.process.send_signal(signal.SIGTERM)
        _, err = serving.process.communicate(timeout=60)
        assert serving.process.returncode == 0, err
        assert "WARNING: --any-target" in serving.said
        assert err == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--target", "http://127.0.0.1:9", "--module", "none"), "--module none: is none of quick, standard, full"),
        (("--target", "http://127.0.0.1:9", "--listen", "192.0.2.1:80"), "--listen 192.0.2.1:80"),
        ((), "no target"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], why: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "btdiag", "serve", "--store", str(tmp_path / "s.sqlite"), *arguments],
        cwd=tmp_path,
        env=CLEAN | {"PYTHONPATH": str(ROOT.parent), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert why in done.stderr
