"""Calls of the modules in Terraform's files: which version, which arguments, and what variables they refer to are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from btdiag.lint import versions
from btdiag.lint.nodes import Document, HclBlock, Node, NotEvaluated, Position
from btdiag.lint.subjects import Call, LintOptions
from btdiag.lint.tables import Module, is_version, newest_module

META = {"source", "version", "providers", "count", "for_each", "depends_on"}
_OURS = {"braintrust_org_name", "brainstore_license_key"}
_DEEP = 6


def calls_of(
    bodies: Sequence[HclBlock], tfvars: Sequence[HclBlock], options: LintOptions, assumed: dict[str, str]
) -> Iterator[Call]:
    """The calls in one folder. A tfvars file alone is taken as arguments of the module that --module names."""
    known = KnownValues(bodies, tfvars)
    for block in (block for body in bodies for block in body.named("module")):
        module = _module(block, options, assumed)
        if module is not None:
            arguments = {name: known.resolved(node) for name, node in block.attributes.items() if name not in META}
            yield Call(
                module=module,
                place=block.place,
                arguments=arguments,
                partial=block.elided,
                before=options.upgrade_from,
            )
    if not bodies:
        for cloud, version in options.modules.items() or (("aws", None),):
            module = Module(cloud=cloud, version=_version(cloud, version, assumed))
            for body in tfvars:
                given = {name: node for name, node in body.attributes.items() if name in module.variables}
                yield Call(module=module, place=body.place, arguments=given, partial=True)


def _module(block: HclBlock, options: LintOptions, assumed: dict[str, str]) -> Module | None:
    source = block.get("source").text or ""
    found = versions.module_source(source)
    if found is None and source.startswith(".") and len(options.modules) == 1 and _OURS & set(block.attributes):
        found = next(iter(options.modules)), None  # a copy beside the files: which one it is, --module says
    if found is None:
        return None
    cloud, version = found
    pinned = block.get("version").text or ""
    named = options.modules.get(cloud)
    said = named or version or (pinned if is_version(pinned) else None)
    return Module(cloud=cloud, version=_version(cloud, said, assumed))


def _version(cloud: str, version: str | None, assumed: dict[str, str]) -> str:
    if version is None:
        version = newest_module(cloud)
        assumed[f"module {cloud}"] = version
    return version


def undeclared(tfvars: Sequence[HclBlock], bodies: Sequence[HclBlock]) -> Iterator[tuple[str, Position]]:
    """The lines of tfvars files that no variable of the root takes; nothing without the root's files."""
    declared = {block.labels[0] for body in bodies for block in body.named("variable") if block.labels}
    for body in tfvars if bodies else ():
        for name, node in body.attributes.items():
            if name not in declared and node.place is not None:
                yield name, node.place


class KnownValues:
    """What variables and locals are, as far as files say it."""

    def __init__(self, bodies: Sequence[HclBlock], tfvars: Sequence[HclBlock]) -> None:
        self._values: dict[str, Node] = {}
        for block in (block for body in bodies for block in body.named("variable")):
            if block.labels and "default" in block.attributes:
                self._values[f"var.{block.labels[0]}"] = block.attributes["default"]
        for body in tfvars:
            self._values |= {f"var.{name}": node for name, node in body.attributes.items()}
        for block in (block for body in bodies for block in body.named("locals")):
            self._values |= {f"local.{name}": node for name, node in block.attributes.items()}

    def resolved(self, node: Node, depth: int = _DEEP) -> Node:
        """The node with what it refers to; it points at the line that holds the value."""
        if isinstance(node.value, NotEvaluated) and node.value.refers in self._values and depth:
            return self.resolved(self._values[node.value.refers], depth - 1)
        if isinstance(node.value, Mapping):
            return replace(node, value={key: self.resolved(one, depth) for key, one in node.value.items()})
        if isinstance(node.value, tuple):
            return replace(node, value=tuple(self.resolved(one, depth) for one in node.value))
        return node


def calls_of_plan(plan: Document, options: LintOptions, assumed: dict[str, str]) -> Iterator[Call]:
    """The calls that `terraform show -json` tells of, with the constants and the root's variables they are given."""
    variables = plan.root.at("variables") or Node(value={})
    for block in (plan.root.at("configuration", "root_module", "module_calls") or Node(value={})).map.values():
        found = versions.module_source(block.text_at("source"))
        if found is None:
            continue
        cloud, version = found
        pinned = block.text_at("version_constraint")
        version = options.modules.get(cloud) or version or (pinned if is_version(pinned) else None)
        arguments = {
            name: _planned(node, variables) for name, node in (block.at("expressions") or Node(value={})).map.items()
        }
        module = Module(cloud=cloud, version=_version(cloud, version, assumed))
        yield Call(
            module=module, place=block.place or plan.root.place or Position(file=plan.file, line=1), arguments=arguments
        )


def _planned(node: Node, variables: Node) -> Node:
    constant = node.at("constant_value")
    if constant is not None:
        return replace(constant, place=node.place)
    references = node.at("references")
    names = [one.text or "" for one in references.items] if references is not None else []
    if len(names) == 1 and names[0].startswith("var."):
        value = variables.at(names[0].removeprefix("var."), "value")
        if value is not None:
            return replace(value, place=node.place)
    return Node(value=NotEvaluated(), place=node.place)
