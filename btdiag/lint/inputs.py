"""From the text of files to what rules judge: which syntax, which kind, which version, what belongs together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from btdiag.lint import balancers, environment, flattext, hcltext, merge, versions, yamltext
from btdiag.lint.house import UsageError
from btdiag.lint.nodes import Document, Duplicate, HclBlock, Node
from btdiag.lint.reading import Source
from btdiag.lint.subjects import Call, Container, DeclaredBalancer, Options, Release, Subjects, Variables
from btdiag.lint.tables import Chart
from btdiag.lint.terraform import Known, calls_of, calls_of_plan, undeclared

_KNOWN = {"objectStorage", "brainstore", "aiGateway", "azureKeyVaultDriver", "azureKeyVaultCSI", "virtualService"}
_KNOWN |= {"skipPgForBrainstoreObjects", "brainstoreWalFooterVersion", "apiHandler", "api", "cloud", "global"}
_OURS = re.compile(
    r"braintrust|brainstore|TS_API_|CONTROL_PLANE_TELEMETRY|SYSADMIN_TELEMETRY|OUTBOUND_RATE_LIMIT|objectStorage"
    r"|orgName|upstream-keepalive-timeout|GATEWAY_TELEMETRY",
    re.IGNORECASE,
)
_PRINTED = ("USER-SUPPLIED VALUES", "COMPUTED VALUES")


@dataclass(slots=True)
class _Gathered:
    values: list[tuple[Source, Document]] = field(default_factory=list)
    manifests: list[Node] = field(default_factory=list)
    variables: list[Variables] = field(default_factory=list)
    roots: dict[str, list[HclBlock]] = field(default_factory=dict)
    tfvars: dict[str, list[HclBlock]] = field(default_factory=dict)
    plans: list[Document] = field(default_factory=list)
    charts: dict[str, Node] = field(default_factory=dict)
    locks: dict[str, Node] = field(default_factory=dict)
    helmfiles: list[Node] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def subjects(sources: Sequence[Source], options: Options) -> Subjects:
    """All that the files say. UsageError for a file that the user named and that is nothing lint knows."""
    found = _Gathered()
    for source in sources:
        if source.named or _OURS.search(source.text):
            _sort(source, found)
    return _assembled(found, options)


def _sort(source: Source, found: _Gathered) -> None:
    base = os.path.basename(source.name)
    known = True
    try:
        if base.endswith(".tf"):
            found.roots.setdefault(source.folder, []).append(hcltext.blocks(source.text, source.name))
        elif base.endswith(".tfvars"):
            found.tfvars.setdefault(source.folder, []).append(hcltext.blocks(source.text, source.name))
        elif base.endswith(".json") or (source.name == "-" and source.text.lstrip()[:1] == "{"):
            known = _document(source, flattext.json_document(source.text, source.name), found)
        elif base.endswith(".env") or base.startswith(".env"):
            _env(source, found)
        elif base.endswith((".yaml", ".yml", ".lock")):
            known = _documents(source, found)
        else:
            known = _guessed(source, found)
    except UsageError:
        if source.named or base.endswith(".tf"):
            raise
        known = False  # a template, or another tool's file, that nobody named
    if known:
        found.files.append(source.name)
    elif source.named:
        raise UsageError(
            f"{source.name}: is nothing that lint knows: it reads Helm values, manifests, Terraform, compose and env"
        )


def _env(source: Source, found: _Gathered) -> None:
    document = flattext.env(source.text, source.name)
    found.variables.append(environment.of_file(document))
    found.duplicates += document.duplicates


def _guessed(source: Source, found: _Gathered) -> bool:
    """A file without a telling name: an env file, or YAML."""
    lines = [line for line in source.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and re.match(r"\s*(?:export\s+)?[A-Za-z_]\w*=", lines[0]):
        _env(source, found)
        return True
    return _documents(source, found)


def _documents(source: Source, found: _Gathered) -> bool:
    """Every document of a YAML file; whether one of them is known."""
    known = [_document(source, one, found) for one in yamltext.documents(source.text, source.name)]
    return any(known)


def _document(source: Source, document: Document, found: _Gathered) -> bool:
    root = document.root
    base = os.path.basename(source.name)
    if not root.map:
        return source.named and root.value is None
    if base in ("Chart.yaml", "requirements.yaml"):
        found.charts[source.folder] = root
    elif base in ("Chart.lock", "requirements.lock"):
        found.locks[source.folder] = root
    elif base.startswith("helmfile") and root.at("releases") is not None:
        found.helmfiles.append(root)
    elif root.at("apiVersion") is not None and root.at("kind") is not None:
        listed = root.at("items")
        found.manifests += listed.items if listed is not None else (root,)
    elif root.at("planned_values") is not None or root.at("configuration", "root_module") is not None:
        found.plans.append(document)
    elif source.named and root.at("values", "root_module") is not None:
        raise UsageError(f"{source.name}: is a state, not a plan: hand over what terraform show -json PLANFILE prints")
    elif _is_compose(root):
        found.variables += environment.of_compose(root)
    elif source.named or _speaks(root):
        if source.named and not _plausible(root):
            return False
        found.values.append((source, document))
    else:
        return False
    found.duplicates += document.duplicates
    return True


def _speaks(root: Node) -> bool:
    """Whether a file that nobody named has values of the chart: a known key with something below it, or `cloud`."""
    members = _unwrapped(root).map
    return any(key in (*_KNOWN, "braintrust") and (node.map or key == "cloud") for key, node in members.items())


def _plausible(root: Node) -> bool:
    """Whether a map can be values of the chart, alone or in an umbrella chart; a misspelt key must not hide it."""
    inner = [node for node in root.map.values() if node.map]
    return bool(_KNOWN & set(_unwrapped(root).map)) or any(_KNOWN & set(node.map) for node in inner)


def _is_compose(root: Node) -> bool:
    services = root.at("services")
    return services is not None and any(
        service.at("image") is not None or service.at("environment") is not None for service in services.map.values()
    )


def _unwrapped(root: Node) -> Node:
    """Without the heading that `helm get values` prints."""
    members = {key: node for key, node in root.map.items() if key not in _PRINTED}
    return Node(value=members, place=root.place)


def _assembled(found: _Gathered, options: Options) -> Subjects:
    assumed: dict[str, str] = {}
    releases = tuple(_releases(found, options, assumed))
    calls = tuple(_calls(found, options, assumed))
    containers = tuple(one for node in found.manifests for one in _containers(node))
    variables = [*found.variables]
    for release in releases:
        variables += environment.of_release(release)
    for call in calls:
        variables += environment.of_call(call)
    variables += [one for container in containers if (one := environment.of_container(container))]
    variables += [
        one
        for node in found.manifests
        if node.text_at("kind") == "ConfigMap" and (one := environment.of_config_map(node))
    ]
    bodies = [body for bodies in found.roots.values() for body in bodies]
    return Subjects(
        files=tuple(found.files),
        assumed=assumed,
        releases=releases,
        manifests=tuple(found.manifests),
        containers=containers,
        variables=tuple(variables),
        calls=calls,
        resources=tuple(block for body in bodies for block in body.blocks),
        balancers=tuple(_balancers(found, releases, calls)),
        undeclared=tuple(
            one for folder, files in found.tfvars.items() for one in undeclared(files, found.roots.get(folder, []))
        ),
        duplicates=tuple(found.duplicates),
        repeated_arguments=tuple(one for body in bodies for one in _repeated(body)),
    )


def _repeated(block: HclBlock) -> Iterator[Duplicate]:
    yield from block.duplicates
    for inner in block.blocks:
        yield from _repeated(inner)


def _releases(found: _Gathered, options: Options, assumed: dict[str, str]) -> Iterator[Release]:
    named = [(source, document) for source, document in found.values if source.named]
    groups = [named] if named else []
    folders: dict[str, list[tuple[Source, Document]]] = {}
    for source, document in found.values:
        if not source.named:
            folders.setdefault(source.folder, []).append((source, document))
    for folder, files in folders.items():
        groups += [
            group for group in _overlays(files) if not (len(group) == 1 and _chart_itself(folder, group[0], found))
        ]
    for group in groups:
        yield _release(group, found, options, assumed)


def _overlays(files: Sequence[tuple[Source, Document]]) -> list[list[tuple[Source, Document]]]:
    """In a folder, values.yaml under each of the others: which of them go together is not known."""
    base = [one for one in files if os.path.splitext(os.path.basename(one[0].name))[0] == "values"]
    others = [one for one in files if one not in base]
    return [[*base, other] for other in others] or [base]


def _chart_itself(folder: str, only: tuple[Source, Document], found: _Gathered) -> bool:
    """Whether these are the defaults in a copy of the chart, which are meant to be overridden."""
    metadata = found.charts.get(folder)
    named = metadata is not None and metadata.text_at("name") == "braintrust"
    return named and os.path.splitext(os.path.basename(only[0].name))[0] == "values"


def _release(
    group: Sequence[tuple[Source, Document]], found: _Gathered, options: Options, assumed: dict[str, str]
) -> Release:
    folder = group[0][0].folder
    roots = [_unwrapped(document.root) for _, document in group]
    metadata, lock = found.charts.get(folder), found.locks.get(folder)
    prefix = versions.dependency(metadata, lock, roots)
    version = versions.chart(options.chart, metadata, lock, found.helmfiles)
    if version is None:
        version = versions.newest_chart()
        assumed["chart"] = version
    chart = Chart(version=version)
    files = [_inner(root, prefix) for root in roots]
    user = merge.files(files)
    before = Chart(version=options.upgrade_from) if options.upgrade_from else None
    return Release(
        chart=chart,
        files=tuple(files),
        user=user,
        values=merge.coalesced(user, chart.defaults),
        prefix=prefix,
        namespace=options.namespace or versions.namespace(found.helmfiles),
        before=before,
    )


def _inner(root: Node, prefix: str) -> Node:
    """The values of the dependency; an umbrella's `global` reaches it too."""
    if not prefix:
        return root
    inner = root.at(prefix) or Node(value={})
    shared = root.at("global")
    if shared is None or not isinstance(shared.value, Mapping):
        return inner
    return merge.files([inner, Node(value={"global": shared}, place=inner.place)])


def _calls(found: _Gathered, options: Options, assumed: dict[str, str]) -> Iterator[Call]:
    for folder in dict.fromkeys([*found.roots, *found.tfvars]):
        yield from calls_of(found.roots.get(folder, []), found.tfvars.get(folder, []), options, assumed)
    for plan in found.plans:
        yield from calls_of_plan(plan, options, assumed)


def _containers(node: Node) -> Iterator[Container]:
    name = node.text_at("metadata", "name")
    spec = node.at("spec", "template", "spec") or (node.at("spec") if node.text_at("kind") == "Pod" else None)
    if spec is None:
        return
    for one in (*(spec.at("containers") or node).items, *(spec.at("initContainers") or node).items):
        role = environment.role_of(one.text_at("image"), name)
        yield Container(workload=name, node=one, role=role)


def _balancers(found: _Gathered, releases: Iterable[Release], calls: Sequence[Call]) -> Iterator[DeclaredBalancer]:
    services = {"braintrust-api"}
    for release in releases:
        name = release.values.text_at("api", "service", "name") or release.values.text_at("api", "name")
        services.add(name or "braintrust-api")
        annotations = release.values.at("api", "annotations", "service")
        if annotations is not None:
            yield from balancers.annotated(annotations, release.key("api", "annotations", "service"))
    for node in found.manifests:
        yield from balancers.of_manifest(node, services)
    yield from balancers.of_gateways(found.manifests, services)
    for call in calls:
        yield from balancers.of_call(call)
    for folder, files in found.roots.items():
        known = Known(files, found.tfvars.get(folder, []))
        for block in (block for body in files for block in body.named("resource")):
            named = (*block.labels[1:], known.resolved(block.get("name")).text or "")
            if any("braintrust" in name.lower() for name in named):
                yield from balancers.of_resource(block, known.resolved)
