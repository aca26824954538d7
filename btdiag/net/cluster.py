"""What tells that this process is in a pod of Kubernetes, and what is different there: files and variables alone.

Nothing is asked of the cluster. A mesh is known by the ports that its sidecar listens on, for all containers of a pod
share one network. Sources: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/;
https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/;
https://istio.io/latest/docs/ops/deployment/application-requirements/ (ports used by Istio);
https://linkerd.io/2/reference/proxy-configuration/ (inbound and outbound ports).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from btdiag.core.report import Pod
from btdiag.net.failures import legible

MOST_BYTES = 256 * 1024  # of one file; a pod's sockets are few
_ACCOUNT = Path("var/run/secrets/kubernetes.io/serviceaccount")
_MESHES = (("Istio", frozenset({15001, 15006})), ("Linkerd", frozenset({4140, 4143})))
_LISTENS = "0A"  # TCP_LISTEN in the fourth column of /proc/net/tcp (proc(5))
_LONGEST = 253  # characters of a name
_MOST_NAMES = 32  # glibc takes any number, Kubernetes at most as many (DNS config of a pod)


def pod(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Pod | None:
    """The pod that this process is in; None where nothing tells of one."""
    account = root / _ACCOUNT
    if not environment.get("KUBERNETES_SERVICE_HOST") and not account.is_dir():
        return None
    search, ndots = _resolver(_text(root / "etc/resolv.conf"))
    return Pod(
        namespace=_text(account / "namespace").strip()[:_LONGEST] or _namespace(search),
        service_account=(account / "token").exists(),
        search=search,
        ndots=ndots,
        mesh=_mesh(set(_listening(_text(root / "proc/net/tcp"))) | set(_listening(_text(root / "proc/net/tcp6")))),
    )


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return legible(opened.read(MOST_BYTES))
    except OSError:
        return ""


def _resolver(text: str) -> tuple[tuple[str, ...], int | None]:
    """Search list and ndots of a resolv.conf(5); of several lines the last one counts."""
    search: tuple[str, ...] = ()
    ndots = None
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if keyword in {"search", "domain"}:
            search = tuple(name[:_LONGEST].rstrip(".") for name in values[:_MOST_NAMES])
        for value in values if keyword == "options" else ():
            with suppress(ValueError):
                ndots = int(value.removeprefix("ndots:")) if value.startswith("ndots:") else ndots
    return search, ndots


def _namespace(search: tuple[str, ...]) -> str:
    """A pod's search list begins with NAMESPACE.svc.DOMAIN, unless its DNS policy is another."""
    first = search[0].split(".") if search else []
    return first[0] if len(first) > 2 and first[1] == "svc" else ""


def _listening(table: str) -> Iterator[int]:
    """The ports on which something listens."""
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 3 and columns[3] == _LISTENS:
            with suppress(ValueError):
                yield int(columns[1].rpartition(":")[2], 16)


def _mesh(ports: set[int]) -> str:
    return next((name for name, wanted in _MESHES if wanted <= ports), "")
