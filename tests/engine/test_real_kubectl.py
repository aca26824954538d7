"""kubectl itself reads our manifests: its client-side dry run, with a server that tells which kinds there are."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from btdiag.engine.manifests import KINDS, Wanted, manifests
from tests.support.tools import lacking

pytestmark = pytest.mark.real

_KUBECTL = Path(os.environ.get("BTDIAG_SDKS") or Path.home() / ".cache" / "btdiag-sdks") / "helm-3.17.3" / "kubectl"
_GROUPS = {
    "": {"configmaps": "ConfigMap", "services": "Service"},
    "apps": {"deployments": "Deployment"},
    "batch": {"jobs": "Job", "cronjobs": "CronJob"},
    "networking.k8s.io": {"networkpolicies": "NetworkPolicy"},
}
_MEDIA_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def _discovered(groups: list[str]) -> bytes:
    """What an API server says of these groups (APIGroupDiscoveryList, apidiscovery.k8s.io/v2)."""
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": plural,
                            "responseKind": {"group": group, "version": "v1", "kind": kind},
                            "scope": "Namespaced",
                            "singularResource": kind.lower(),
                            "verbs": ["create", "get"],
                        }
                        for plural, kind in _GROUPS[group].items()
                    ],
                }
            ],
        }
        for group in groups
    ]
    found = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    return json.dumps(found).encode()


class _Discovery(BaseHTTPRequestHandler):
    """Names the kinds, and has nothing else: a dry run of the client must ask for no more."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        groups = {"/api": [""], "/apis": [group for group in _GROUPS if group]}.get(path)
        body = _discovered(groups) if groups else b"{}"
        self.send_response(200 if groups else 404)
        self.send_header("Content-Type", _MEDIA_TYPE if groups else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told: object) -> None:
        """Quietly."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Discovery) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def dry_run(text: str, server: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """`kubectl create --dry-run=client` of manifests."""
    if not _KUBECTL.exists():
        lacking(f"{_KUBECTL} is not there: sh tests/sdks.sh fetches it")
    command = [str(_KUBECTL), "create", "--dry-run=client", "--validate=false", "-o", "name", "-f", "-"]
    return subprocess.run(
        [*command, "--server", server, "--cache-dir", str(cache)],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(cache), "KUBECONFIG": "/dev/null"},
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_takes_them(kind: str, server: str, tmp_path: Path) -> None:
    text = manifests(kind, Wanted(targets=("https://dp.example",), namespace="watch", secret="btdiag-key"))
    done = dry_run(text, server, tmp_path)
    assert done.returncode == 0, done.stderr
    made = {
        "job": ["job.batch/btdiag"],
        "cronjob": ["cronjob.batch/btdiag"],
        "exporter": [
            "configmap/btdiag",
            "deployment.apps/btdiag",
            "service/btdiag",
            "networkpolicy.networking.k8s.io/btdiag",
        ],
    }
    assert done.stdout.split() == made[kind]


def test_kubectl_would_refuse_another_kind(server: str, tmp_path: Path) -> None:
    text = manifests("job", Wanted(targets=("https://dp.example",))).replace("kind: Job", "kind: Jop")
    done = dry_run(text, server, tmp_path)
    assert done.returncode != 0
    assert "Jop" in done.stderr
