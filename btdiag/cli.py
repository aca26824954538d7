"""The commands: parse, call, print. What they do lives in engine, report and lab."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from btdiag import __version__
from btdiag.config.options import FORMAT_NAMES, OPTIONS, Option, ValueKind
from btdiag.engine import mouth

EXIT_CODES = """\b
Exit codes, the same for every format:
  0    nothing at or above --fail-on
  1    findings
  2    the command or its configuration is wrong
  3    nothing is known: btdiag crashed, or no check could be decided
  130  interrupted; the partial report was written"""


class Grouped(click.Command):
    """A command whose options are listed by group, as the table of options has them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        of = {option.key: option.group for option in OPTIONS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(of.get(parameter.name or "", "Other"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def _decorator(option: Option) -> Callable[[Any], Any]:
    """The click option for one row of the table; click checks nothing but the form, config.py the values."""
    names = [f"-{option.short}"] if option.short else []
    names.append(f"--{option.name}/--no-{option.name}" if option.kind is ValueKind.SWITCH else f"--{option.name}")
    hint = f" [{option.env}]" if option.env else ""
    more: dict[str, Any] = {"help": option.help + hint, "default": None}
    if option.kind is ValueKind.FLAG:
        more |= {"is_flag": True, "flag_value": True}
    elif option.kind is not ValueKind.SWITCH:
        more |= {"metavar": option.metavar or "|".join(option.choices) or "VALUE", "multiple": option.repeatable}
        more |= {"shell_complete": lambda ctx, parameter, incomplete: _completing().values_of(option, incomplete)}
    return click.option(*names, option.key, **more)


def _completing() -> Any:
    from btdiag.engine import completing  # only a shell that completes waits for it

    return completing


def run_options(function: Any) -> Any:
    """Give a command all options of `run`."""
    for option in reversed(OPTIONS):
        function = _decorator(option)(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="btdiag", message="%(prog)s %(version)s")
def cli() -> None:
    """Finds out why a self-hosted Braintrust data plane cannot be reached, proves it, and says what to change."""


@cli.command(cls=Grouped, epilog=EXIT_CODES)
@run_options
def run(**flags: Any) -> int:
    """Measure, judge and report on one data plane or several."""
    given = {key: value for key, value in flags.items() if value is not None and value != ()}
    from btdiag.engine.command import run_command
    from btdiag.engine.interrupt import INTERRUPT

    code: int = run_command(given, os.environ, Path.cwd(), sys.stdout, sys.stderr, INTERRUPT)
    return code


@cli.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="text or json")
@click.option("--checks", "folders", metavar="DIR", multiple=True, help="your own checks as well")
def checks(format_: str, folders: Sequence[str]) -> int:
    """List every check: id, claim, and how long it needs to wait."""
    from btdiag.engine.catalogue import list_checks

    click.echo(list_checks(format_, _folders(folders)))
    return 0


@cli.command()
@click.argument(
    "words",
    metavar="ID|WORDS...",
    nargs=-1,
    required=True,
    shell_complete=lambda ctx, parameter, incomplete: _completing().rules_and_checks(incomplete),
)
@click.option("--checks", "folders", metavar="DIR", multiple=True, help="your own checks as well")
def explain(words: Sequence[str], folders: Sequence[str]) -> int:
    """Say why a check matters, how it is measured, what to do, and how to see it fail in the lab; or, of the words of a
    symptom ("Failed to fetch", 502, hang), which command and checks lead to its cause."""
    from btdiag.engine.catalogue import explain_check
    from btdiag.lint.catalogue import explain_rule
    from btdiag.logs.claims import explain_claim

    asked = " ".join(words)
    click.echo(explain_rule(asked) or explain_claim(asked) or explain_check(asked, _folders(folders)))
    return 0


def _folders(names: Sequence[str]) -> tuple[Path, ...]:
    from btdiag.config import UsageError

    for name in names:
        if not Path(name).is_dir():
            raise UsageError(f"--checks {name}: is no folder")
    return tuple(map(Path, names))


@cli.command()
@click.argument(
    "scenario",
    required=False,
    shell_complete=lambda ctx, parameter, incomplete: _completing().scenario_names(incomplete),
)
@click.option("--list", "list_", is_flag=True, help="all scenarios, with the checks they make fail")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="for --list")
@click.option("--port", type=click.IntRange(1, 65535), default=None, metavar="N", help="the load balancer's port")
def lab(scenario: str | None, list_: bool, format_: str, port: int | None) -> int:
    """Serve a scenario of the embedded lab until Ctrl-C."""
    from btdiag.engine.labcommand import list_scenarios, serve_lab

    if list_ or scenario is None:
        click.echo(list_scenarios(format_))
        return 0
    return serve_lab(scenario.removeprefix("lab:"), port, sys.stdout)


@cli.command()
def doctor() -> int:
    """Say what this machine lacks for a full run, and what this platform cannot see."""
    from btdiag.engine.doctor import examine, render

    click.echo(render(examine()))
    return 0


FORMAT = click.option("--format", "format_", type=click.Choice(FORMAT_NAMES), default="text", help="what to print")
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="passes and skips too, with evidence")
NO_COLOR = click.option("--no-color", is_flag=True, help="no colours", envvar="NO_COLOR")


def _context(verbose: bool, no_color: bool) -> Any:
    from btdiag.engine.delivery import color_fits, width_of
    from btdiag.report.documents import Context

    color = not no_color and color_fits(sys.stdout, os.environ)
    return Context(color=color, width=width_of(sys.stdout), verbose=2 if verbose else 0)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@FORMAT
@VERBOSE
@NO_COLOR
def show(file: Path, format_: str, verbose: bool, no_color: bool) -> int:
    """Render a stored report.json in any format; exits as the run did."""
    from btdiag.engine import stored

    return stored.print_report(file, format_, _context(verbose, no_color), sys.stdout)


STORE = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("reports/history.sqlite"),
    envvar="BTDIAG_STORE",
    metavar="FILE",
    help="what btdiag run --store and btdiag serve write (default reports/history.sqlite)",
)


@cli.command()
@click.argument("target")
@STORE
@click.option("--module", default=None, metavar="NAME", help="only the runs of this module of btdiag serve")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="what to print")
def history(target: str, store: Path, module: str | None, format_: str) -> int:
    """Say what became of a target over time: its verdicts, when a check turned, and which do not settle."""
    from btdiag.engine.past import show_history

    return show_history(store, target, module, format_, sys.stdout)


@cli.command()
@click.argument("old")
@click.argument("new")
@STORE
@click.option(
    "--format", "format_", type=click.Choice(["text", "json", "markdown"]), default="text", help="what to print"
)
def compare(old: str, new: str, store: Path, format_: str) -> int:
    """Say what changed between two report.json files, or stored runs: TARGET@last-pass TARGET@now; 1 when something got
    worse. Of a stored target also @previous, @first, a time, or the id of a run."""
    from btdiag.engine import stored
    from btdiag.engine.delivery import width_of

    return stored.print_comparison(old, new, store, format_, width_of(sys.stdout), sys.stdout)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@FORMAT
@VERBOSE
@NO_COLOR
def merge(files: Sequence[Path], format_: str, verbose: bool, no_color: bool) -> int:
    """Put reports of the same target from several places into one: where the path breaks."""
    from btdiag.engine import stored

    return stored.print_merged(files, format_, _context(verbose, no_color), sys.stdout)


SERVED = (
    *("target", "targets", "profile", "parallel", "checks", "api_key_env", "key_over_http", "header", "ca"),
    *("client_cert", "client_key", "proxy", "no_proxy", "nameserver", "app_url"),
)
"""The options of `run` that say which targets are watched, and as whom; modules say how."""


PRINTS = ("scrape-config", "rules", "dashboard")


def served_options(function: Any) -> Any:
    """Give a command those options of `run` that `serve` takes."""
    for option in reversed([option for option in OPTIONS if option.key in SERVED]):
        function = _decorator(option)(function)
    return function


@cli.command()
@served_options
@click.option("--listen", default="127.0.0.1:9115", metavar="ADDRESS:PORT", help="default 127.0.0.1:9115")
@click.option("--module", default="quick", metavar="NAME", help="set of options of scheduled runs (default quick)")
@click.option("--every", default=None, metavar="DURATION", help="run the module on all targets at this interval")
@STORE
@click.option("--keep", default="90d", metavar="DURATION", help="how long runs are kept (default 90d)")
@click.option("--any-target", is_flag=True, help="probe what no list names, without a key; whoever asks decides")
@click.option("--allow-host", "names", multiple=True, metavar="NAME", help="answer under this host name too")
@click.option(
    "--print",
    "what",
    type=click.Choice(["scrape-config", "rules", "dashboard"]),
    default=None,
    help="and serve nothing",
)
def serve(
    listen: str,
    module: str,
    every: str | None,
    store: Path,
    keep: str,
    any_target: bool,
    names: Sequence[str],
    what: str | None,
    **flags: Any,
) -> int:
    """Watch many targets: a Prometheus exporter (/probe, /metrics), scheduled runs, and a page of all of them."""
    from btdiag.engine.interrupt import INTERRUPT
    from btdiag.serve.command import Serving, lasting, listened, print_for, serve_targets

    given = {key: value for key, value in flags.items() if value is not None and value != ()}
    host, port = listened(listen)
    serving = Serving(
        host=host,
        port=port,
        module=module,
        every_s=lasting(every, "--every") if every else None,
        store=store,
        keep_s=lasting(keep, "--keep"),
        any_target=any_target,
        names=tuple(names),
    )
    if what is not None:
        click.echo(print_for(what, serving, given, os.environ, Path.cwd()), nl=False)
        return 0
    return serve_targets(serving, given, os.environ, Path.cwd(), sys.stderr, INTERRUPT)


@cli.command()
@click.argument("kind", type=click.Choice(["job", "cronjob", "exporter"]))
@click.option("--target", "targets", multiple=True, metavar="URL", envvar="BRAINTRUST_API_URL", help="repeatable")
@click.option("--name", default="btdiag", metavar="NAME", help="of everything that is made (default btdiag)")
@click.option("--namespace", default="", metavar="NAME", help="default: that of kubectl")
@click.option("--image", default=f"btdiag:{__version__}", metavar="IMAGE", help="as make image built it")
@click.option("--schedule", default="*/30 * * * *", metavar="CRON", help="of a cronjob (default: every half hour)")
@click.option("--secret", default="", metavar="NAME", help="a Secret whose BRAINTRUST_API_KEY is the API key")
@click.argument("arguments", nargs=-1, metavar="[-- OPTIONS]")
def kubernetes(kind: str, **wanted: Any) -> int:
    """Print manifests that run btdiag in a cluster: kubectl apply -f -. Options after -- go to btdiag itself."""
    from btdiag.engine.manifests import Wanted, manifests

    click.echo(manifests(kind, Wanted(**wanted)), nl=False)
    return 0


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--anonymize", is_flag=True, help="pseudonyms for hosts and addresses")
@click.option("--yes", "sure", is_flag=True, help="write without asking")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, metavar="FILE", help="default: DIR.zip")
def bundle(folder: Path, anonymize: bool, sure: bool, output: Path | None) -> int:
    """Pack a report folder into one zip for a ticket, after showing what goes in."""
    from btdiag.engine import stored

    return stored.write_bundle(folder, output, anonymize=anonymize, sure=sure, stdout=sys.stdout, stderr=sys.stderr)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@FORMAT
@click.option("--chart", metavar="VERSION", default=None, help="the Helm chart's version")
@click.option("--module", "modules", metavar="CLOUD=VERSION", multiple=True, help="a Terraform module's version")
@click.option("--namespace", metavar="NAME", default=None, help="the namespace that is installed into")
@click.option("--upgrade-from", metavar="VERSION", default=None, help="the chart's version that runs now")
@click.option("--baseline", metavar="REPORT", default=None, help="a JSON report: only what is new counts")
@click.option("--profile", metavar="FILE", default=None, help="settings file with accepted findings")
@click.option("--fail-on", type=click.Choice(["fail", "inconclusive", "warn", "never"]), default="fail")
@click.option("--fix", is_flag=True, help="print a diff of safe corrections; nothing is written")
@NO_COLOR
def lint(paths: Sequence[str], format_: str, no_color: bool, **options: Any) -> int:
    """Check Helm values, manifests, Terraform, compose and env files; no network. - is stdin."""
    from btdiag.engine.delivery import color_fits
    from btdiag.lint.command import lint_command

    color = not no_color and color_fits(sys.stdout, os.environ)
    out = mouth.painted(sys.stdout) if color else sys.stdout
    return lint_command(paths, out=out, format_=format_, color=color, **options)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@FORMAT
@click.option("--since", metavar="TIME", default=None, help="only what ended after it: 2026-11-26T08:00:00Z")
@click.option("--until", metavar="TIME", default=None, help="only what began before it")
@click.option("--backend-keepalive", metavar="DURATION", default=None, help="how long the backend keeps idle ones")
@click.option("--lb-idle-timeout", metavar="DURATION", default=None, help="how long the load balancer does")
@click.option("--log-format", metavar="FORMAT", default=None, help="a format string of nginx, Apache or Envoy")
@click.option("--config", metavar="FILE", default=None, help="nginx.conf: its log_format and keepalive_timeout")
@click.option("--anonymize", is_flag=True, help="pseudonyms for addresses")
@click.option("--follow", is_flag=True, help="read on as the file grows, until Ctrl-C; say each kind when it is sure")
@click.option("--with", "with_report", metavar="REPORT", default=None, help="find this run's requests in the logs")
@click.option("--sql", "sql_engine", type=click.Choice(["athena", "bigquery", "trino"]), help="print table and query")
@click.option("--all-lines", is_flag=True, help="JSON: every line number, not the first 1,000 of a kind")
@click.option("--fail-on", type=click.Choice(["fail", "inconclusive", "warn", "never"]), default="fail")
@NO_COLOR
def logs(paths: Sequence[str], format_: str, no_color: bool, **options: Any) -> int:
    """Say what a load balancer's own logs prove, the keep-alive race first; no network. - is stdin."""
    from btdiag.engine.delivery import color_fits
    from btdiag.logs.command import logs_command

    color = not no_color and color_fits(sys.stdout, os.environ)
    out = mouth.painted(sys.stdout) if color else sys.stdout
    return logs_command(paths, out=out, format_=format_, color=color, **options)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script for a shell: source <(btdiag completion bash)."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    if shell == "bash":  # else a colon, as in lab:healthy, ends a word
        click.echo('COMP_WORDBREAKS="${COMP_WORDBREAKS//:/}"')
    click.echo(script(cli, {}, "btdiag", "_BTDIAG_COMPLETE").source())
    return 0
