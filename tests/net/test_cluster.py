"""What a pod shows of itself, from fakes of its files and variables; and that a laptop is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from btdiag.core.report import Pod
from btdiag.net.cluster import pod

IN_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"


def files(root: Path, **contents: str) -> Path:
    """A root file system with these files, their names without slashes."""
    for name, text in contents.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def sockets(*ports: int, state: str = "0A") -> str:
    """A table of /proc/net/tcp."""
    return HEAD + "".join(f"   {n}: 00000000:{port:04X} 00000000:0000 {state} 0\n" for n, port in enumerate(ports))


def test_a_laptop_is_no_pod(tmp_path: Path) -> None:
    assert pod(files(tmp_path, proc__net__tcp=sockets(15001, 15006)), {}) is None


def test_a_pod_without_a_token_knows_its_namespace_from_the_search_list(tmp_path: Path) -> None:
    resolv = "nameserver 10.96.0.10\nsearch braintrust.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
    root = files(tmp_path, etc__resolv_conf="", **{"etc__resolv.conf": resolv + "options ndots:5 timeout:x\n"})
    assert pod(root, IN_POD) == Pod(
        namespace="braintrust",
        service_account=False,
        search=("braintrust.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"),
        ndots=5,
        mesh="",
    )


def test_an_account_that_is_mounted_is_seen(tmp_path: Path) -> None:
    account = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount"
    account.mkdir(parents=True)
    assert pod(tmp_path, {}) == Pod()
    (account / "namespace").write_text("observed\n")
    (account / "token").write_text("eyJ-canary")
    assert pod(tmp_path, {}) == Pod(namespace="observed", service_account=True)


@pytest.mark.parametrize(
    ("table", "mesh"),
    [
        (sockets(15001, 15006, 15021), "Istio"),
        (sockets(4140, 4143, 4191), "Linkerd"),
        (sockets(15001), ""),
        (sockets(15001, 15006, state="01"), ""),
        (HEAD + "nonsense\n\x00 a b\n 1: x:zz y 0A", ""),
        ("", ""),
    ],
)
def test_a_mesh_is_known_by_what_listens(table: str, mesh: str, tmp_path: Path) -> None:
    found = pod(files(tmp_path, proc__net__tcp6=table), IN_POD)
    assert found is not None
    assert found.mesh == mesh


def test_hostile_files_stay_small_and_legible(tmp_path: Path) -> None:
    resolv = "search " + " ".join(["a" * 4000 + "\x1b[31m"] * 100) + "\noptions ndots:99999999999999999999x ndots:-\n"
    found = pod(files(tmp_path, **{"etc__resolv.conf": resolv}), IN_POD)
    assert found is not None
    assert len(found.search) <= 32
    assert all(len(name) <= 253 and name.isprintable() for name in found.search)
    assert (found.ndots, found.namespace) == (None, "")
