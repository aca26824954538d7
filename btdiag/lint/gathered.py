"""What was read, by kind, before it is known what belongs together."""

from __future__ import annotations

from dataclasses import dataclass, field

from btdiag.lint.nodes import Document, Duplicate, HclBlock, Node
from btdiag.lint.reading import Source
from btdiag.lint.subjects import Variables


@dataclass(slots=True)
class Gathered:
    """The documents by kind; what is kept by folder counts for that folder.

    `maybe` are values of a chart, if its own Chart.yaml says so, `excerpts` annotations of a load balancer without the
    object that they are for, `unread` the folders with a file of Terraform's that could not be read; `is_for_the_chart`
    tells that the one file was said to be values of a version of the chart.
    """

    is_for_the_chart: bool = False
    values: list[tuple[Source, Document]] = field(default_factory=list)
    manifests: list[Node] = field(default_factory=list)
    excerpts: list[Node] = field(default_factory=list)
    variables: list[Variables] = field(default_factory=list)
    roots: dict[str, list[HclBlock]] = field(default_factory=dict)
    tfvars: dict[str, list[HclBlock]] = field(default_factory=dict)
    plans: list[Document] = field(default_factory=list)
    charts: dict[str, Node] = field(default_factory=dict)
    locks: dict[str, Node] = field(default_factory=dict)
    helmfiles: list[tuple[str, Node]] = field(default_factory=list)
    maybe: list[tuple[Source, Document]] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    duplicates: list[Duplicate] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
