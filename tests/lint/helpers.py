"""Texts of files judged as the command does it, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.lint import inputs, judging
from btdiag.lint.reading import Source
from btdiag.lint.subjects import LintOptions

BASE = """global:
  orgName: globex
cloud: aws
objectStorage:
  aws:
    brainstoreBucket: globex-index
    responseBucket: globex-responses
    codeBundleBucket: globex-bundles
"""
"""Sound values, eight lines long."""


def judged(files: Mapping[str, str], fail_on: str = "fail", **options: Any) -> judging.LintResult:
    """The result for files that were named one by one."""
    sources = [Source(name=name, folder="", text=text, named=True) for name, text in files.items()]
    return judging.judge_files(inputs.subjects(sources, LintOptions(**options)), fail_on=fail_on)


def found(files: Mapping[str, str], **options: Any) -> list[tuple[str, str, int]]:
    """(verdict, id, line) of each finding."""
    return [(one.verdict.value, one.id, one.line) for one in judged(files, **options).findings]


def values(more: str = "", chart: str = "6.11.0", base: str = BASE, **options: Any) -> list[tuple[str, str, int]]:
    """The findings for sound values with more below them."""
    return found({"values.yaml": base + more}, chart=chart, **options)


def module(arguments: str, version: str = "v6.6.0", **options: Any) -> list[tuple[str, str, int]]:
    """The findings for a call of the AWS module; the arguments begin in line 5."""
    source = f"github.com/braintrustdata/terraform-aws-braintrust-data-plane?ref={version}"
    text = f'module "braintrust" {{\n  source = "{source}"\n  braintrust_org_name = "globex"\n\n{arguments}\n}}\n'
    return found({"main.tf": text}, **options)
