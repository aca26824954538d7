"""The commands that read files and ask nobody: parse, call, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from btdiag.commands.options import FORMAT, NO_COLOR
from btdiag.engine import mouth


@click.command()
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


@click.command()
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
