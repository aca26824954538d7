"""From the text of files to what rules judge: which syntax, which kind, which version, what belongs together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from btdiag.lint import balancers, environment, flattext, hcltext, versions, yamltext
from btdiag.lint.gathered import Gathered
from btdiag.lint.house import UsageError
from btdiag.lint.nodes import Document, Duplicate, HclBlock, Node
from btdiag.lint.reading import Source
from btdiag.lint.releases import releases_of, unwrapped
from btdiag.lint.subjects import Call, Container, DeclaredBalancer, LintOptions, Release, Subjects
from btdiag.lint.terraform import KnownValues, calls_of, calls_of_plan, undeclared

_KNOWN = {"objectStorage", "brainstore", "aiGateway", "azureKeyVaultDriver", "azureKeyVaultCSI", "virtualService"}
_KNOWN |= {"skipPgForBrainstoreObjects", "brainstoreWalFooterVersion", "apiHandler", "api", "cloud", "global"}
_OURS = re.compile(
    r"braintrust|brainstore|TS_API_|CONTROL_PLANE_TELEMETRY|SYSADMIN_TELEMETRY|OUTBOUND_RATE_LIMIT|objectStorage"
    r"|orgName|upstream-keepalive-timeout|GATEWAY_TELEMETRY",
    re.IGNORECASE,
)


def subjects(sources: Sequence[Source], options: LintOptions) -> Subjects:
    """All that the files say. UsageError for a file that the user named and that is nothing lint knows."""
    found = Gathered()
    ours = {source.name for source in sources if _OURS.search(source.text)}
    roots = {source.folder for source in sources if _is_terraform(source) and (source.named or source.name in ours)}
    for source in sources:
        if source.named or source.name in ours or (_is_terraform(source) and source.folder in roots):
            _sort(source, found, ours=source.name in ours)
    for source, document in found.maybe:
        _umbrella(source, document, found)
    return _assembled(found, options)


def _is_terraform(source: Source) -> bool:
    """Terraform reads a folder as a whole: what one file of it asks for, another one declares."""
    return source.name.endswith((".tf", ".tfvars"))


def _umbrella(source: Source, document: Document, found: Gathered) -> None:
    """Takes a file of a folder whose chart has ours as a dependency under a name that only it knows."""
    key = versions.dependency(found.charts.get(source.folder), found.locks.get(source.folder), ())
    if key and document.root.at(key) is not None:
        found.values.append((source, document))
        found.duplicates += document.duplicates
        found.files.append(source.name)


def _sort(source: Source, found: Gathered, *, ours: bool) -> None:
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
        if source.named or (base.endswith(".tf") and ours):
            raise
        known = False  # a template, or another tool's file, that nobody named
        found.unread.add(source.folder)
    if known:
        found.files.append(source.name)
    elif source.named:
        raise UsageError(
            f"{source.name}: is nothing that lint knows: it reads Helm values, manifests, Terraform, compose and env"
        )


def _env(source: Source, found: Gathered) -> None:
    document = flattext.env(source.text, source.name)
    found.variables.append(environment.of_file(document))
    found.duplicates += document.duplicates


def _guessed(source: Source, found: Gathered) -> bool:
    """A file without a telling name: an env file, or YAML."""
    lines = [line for line in source.text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and re.match(r"\s*(?:export\s+)?[A-Za-z_]\w*=", lines[0]):
        _env(source, found)
        return True
    return _documents(source, found)


def _documents(source: Source, found: Gathered) -> bool:
    """Every document of a YAML file; whether one of them is known."""
    known = [_document(source, one, found) for one in yamltext.documents(source.text, source.name)]
    return any(known)


def _document(source: Source, document: Document, found: Gathered) -> bool:
    root = document.root
    base = os.path.basename(source.name)
    if not root.map:
        return source.named and root.value is None
    if base in ("Chart.yaml", "requirements.yaml"):
        found.charts[source.folder] = root
    elif base in ("Chart.lock", "requirements.lock"):
        found.locks[source.folder] = root
    elif base.startswith("helmfile") and root.at("releases") is not None:
        found.helmfiles.append((source.folder, root))
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
        found.maybe += [] if source.named else [(source, document)]
        return False
    found.duplicates += document.duplicates
    return True


def _speaks(root: Node) -> bool:
    """Whether a file that nobody named has values of the chart: a known key with something below it, or `cloud`."""
    members = unwrapped(root).map
    return any(key in (*_KNOWN, "braintrust") and (node.map or key == "cloud") for key, node in members.items())


def _plausible(root: Node) -> bool:
    """Whether a map can be values of the chart, alone or in an umbrella chart; a misspelt key must not hide it."""
    inner = [node for node in root.map.values() if node.map]
    return bool(_KNOWN & set(unwrapped(root).map)) or any(_KNOWN & set(node.map) for node in inner)


def _is_compose(root: Node) -> bool:
    services = root.at("services")
    return services is not None and any(
        service.at("image") is not None or service.at("environment") is not None for service in services.map.values()
    )


def _assembled(found: Gathered, options: LintOptions) -> Subjects:
    assumed: dict[str, str] = {}
    releases = tuple(releases_of(found, options, assumed))
    calls = tuple(_calls(found, options, assumed))
    containers = tuple(one for node in found.manifests for one in _containers(node))
    variables = [*found.variables]
    for release in releases:
        variables += environment.of_release(release)
    for call in calls:
        variables += environment.variables_of_call(call)
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
            one
            for folder, files in found.tfvars.items()
            if folder not in found.unread
            for one in undeclared(files, found.roots.get(folder, []))
        ),
        duplicates=tuple(found.duplicates),
        repeated_arguments=tuple(one for body in bodies for one in _repeated(body)),
    )


def _repeated(block: HclBlock) -> Iterator[Duplicate]:
    yield from block.duplicates
    for inner in block.blocks:
        yield from _repeated(inner)


def _calls(found: Gathered, options: LintOptions, assumed: dict[str, str]) -> Iterator[Call]:
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


def _balancers(found: Gathered, releases: Iterable[Release], calls: Sequence[Call]) -> Iterator[DeclaredBalancer]:
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
        yield from balancers.balancers_of_call(call)
    for folder, files in found.roots.items():
        known = KnownValues(files, found.tfvars.get(folder, []))
        for block in (block for body in files for block in body.named("resource")):
            named = (*block.labels[1:], known.resolved(block.get("name")).text or "")
            if any("braintrust" in name.lower() for name in named):
                yield from balancers.of_resource(block, known.resolved)
