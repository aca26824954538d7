"""Kubernetes manifests that run btdiag in the cluster of a data plane: a Job, a CronJob, or the exporter. Pure.

The container has no more rights than it needs: no root, a root file system that is read only, no capabilities, no
service account token, bounded memory. Sources: https://kubernetes.io/docs/concepts/security/pod-security-standards/
(restricted); https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from btdiag import __version__
from btdiag.config import UsageError
from btdiag.config.values import printable, target_name

KINDS = ("job", "cronjob", "exporter")
USER = 65_532  # nobody's number in the image, and in distroless ones
PORT = 9115
MOST_SECONDS = 600  # a run has a budget of 120 s; a Job that hangs ends
KEPT_SECONDS = 86_400  # a finished Job and its logs
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")
_SCHEDULE = re.compile(r"@(hourly|daily|weekly|monthly)|([0-9A-Za-z*/,-]{1,40} ){4}[0-9A-Za-z*/,-]{1,40}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")
_FLAG = re.compile(r"--?[a-z][a-z-]*(=.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to run where. `secret` is the name of a Secret whose key BRAINTRUST_API_KEY holds the API key, "" without
    one; `service_account` is whose rights in a cloud the pod has, never a token of the cluster's API; `arguments` are
    further options of btdiag."""

    targets: tuple[str, ...]
    name: str = "btdiag"
    namespace: str = ""
    image: str = f"btdiag:{__version__}"
    schedule: str = "*/30 * * * *"
    secret: str = ""
    service_account: str = ""
    arguments: tuple[str, ...] = ()


def manifests(kind: str, wanted: Wanted) -> str:
    """The manifests as YAML, ready for `kubectl apply -f -`; UsageError for what Kubernetes would refuse."""
    checked = _checked(kind, wanted)
    documents = {"job": _job, "cronjob": _cronjob, "exporter": _exporter}[kind](checked)
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump_all(documents, text)
    return text.getvalue()


def _checked(kind: str, wanted: Wanted) -> Wanted:
    fields: tuple[tuple[str, str, re.Pattern[str], str], ...] = (
        ("--name", wanted.name, _NAME, "is made of small letters, digits and -"),
        ("--namespace", wanted.namespace or "default", _NAME, "is made of small letters, digits and -"),
        ("--secret", wanted.secret or "none", _NAME, "is made of small letters, digits and -"),
        ("--service-account", wanted.service_account or "none", _NAME, "is made of small letters, digits and -"),
        ("--image", wanted.image, _IMAGE, "is a name of an image, as in registry.example/btdiag:1.0"),
        ("--schedule", wanted.schedule, _SCHEDULE, 'has five fields, as in "*/30 * * * *"'),
    )
    for option, value, pattern, why in fields:
        if pattern.fullmatch(value) is None:
            raise UsageError(f"{option} {printable(value)}: {why}")
    if not wanted.targets:
        raise UsageError(f"btdiag kubernetes {kind} needs a target: give --target https://your-data-plane")
    for target in wanted.targets:
        if target_name(target, "--target").startswith("lab:"):
            raise UsageError(f"--target {target}: a cluster has no lab: name a URL")
    if any("api-key" in argument for argument in wanted.arguments if _FLAG.fullmatch(argument)):
        raise UsageError("the API key comes from --secret, never from an argument, which all who see the pod can read")
    return wanted


def _job(wanted: Wanted) -> list[dict[str, Any]]:
    return [{"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(wanted), "spec": _job_spec(wanted)}]


def _cronjob(wanted: Wanted) -> list[dict[str, Any]]:
    spec = {
        "schedule": wanted.schedule,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": _labels(wanted)}, "spec": _job_spec(wanted)},
    }
    return [{"apiVersion": "batch/v1", "kind": "CronJob", "metadata": _metadata(wanted), "spec": spec}]


def _job_spec(wanted: Wanted) -> dict[str, Any]:
    """One try: what a run finds is its result, not a reason to try again. The report goes to the log, whole."""
    targets = [word for target in wanted.targets for word in ("--target", target)]
    files = [] if any(word.startswith(("-o", "--output")) for word in wanted.arguments) else ["--no-files"]
    arguments = ["run", *targets, "--browser", "none", "--format", "ndjson", *files, *wanted.arguments]
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": MOST_SECONDS,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": _pod(wanted, _container(wanted, arguments), restart="Never"),
    }


def _exporter(wanted: Wanted) -> list[dict[str, Any]]:
    listed = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(wanted),
        "data": {"targets": "".join(f"{target}\n" for target in wanted.targets)},
    }
    pod = _pod(wanted, _serving(wanted), restart="Always")
    pod["spec"]["volumes"] += [
        {"name": "targets", "configMap": {"name": wanted.name}},
        {"name": "history", "emptyDir": {"sizeLimit": "2Gi"}},
    ]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(wanted),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _selector(wanted)},
            "template": pod,
        },
    }
    return [listed, deployment, _service(wanted), _network_policy(wanted)]


def _serving(wanted: Wanted) -> dict[str, Any]:
    """The container of `btdiag serve`."""
    service_name = wanted.name + (f".{wanted.namespace}" if wanted.namespace else "")
    arguments = [
        *("serve", "--targets", "/etc/btdiag/targets", "--listen", f"0.0.0.0:{PORT}", "--every", "15m"),
        *("--store", "/var/lib/btdiag/history.sqlite"),
        *("--allow-host", wanted.name, "--allow-host", service_name, "--allow-host", f"{service_name}.svc"),
        *wanted.arguments,
    ]
    container = _container(wanted, arguments) | {
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": _probe("/-/healthy"),
        "readinessProbe": _probe("/-/ready"),
    }
    container["volumeMounts"] = [
        *container["volumeMounts"],
        {"name": "targets", "mountPath": "/etc/btdiag", "readOnly": True},
        {"name": "history", "mountPath": "/var/lib/btdiag"},
    ]
    return container


def _probe(path: str) -> dict[str, Any]:
    header = {"name": "Host", "value": "localhost"}
    return {"httpGet": {"path": path, "port": PORT, "httpHeaders": [header]}, "periodSeconds": 30, "timeoutSeconds": 5}


def _service(wanted: Wanted) -> dict[str, Any]:
    ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(wanted),
        "spec": {"selector": _selector(wanted), "ports": ports},
    }


def _network_policy(wanted: Wanted) -> dict[str, Any]:
    """Nobody but the pods of this namespace reaches the exporter; what it may reach is left to the cluster."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(wanted),
        "spec": {
            "podSelector": {"matchLabels": _selector(wanted)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }


def _pod(wanted: Wanted, container: Mapping[str, Any], *, restart: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": _labels(wanted)},
        "spec": {
            "restartPolicy": restart,
            **({"serviceAccountName": wanted.service_account} if wanted.service_account else {}),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
        },
    }


def _container(wanted: Wanted, arguments: Sequence[str]) -> dict[str, Any]:
    """The image's entry point is btdiag itself."""
    container: dict[str, Any] = {
        "name": "btdiag",
        "image": wanted.image,
        "args": list(arguments),
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "3Gi"},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    if wanted.secret:
        reference = {"secretKeyRef": {"name": wanted.secret, "key": "BRAINTRUST_API_KEY"}}
        container["env"].append({"name": "BRAINTRUST_API_KEY", "valueFrom": reference})
    return container


def _metadata(wanted: Wanted) -> dict[str, Any]:
    place = {"namespace": wanted.namespace} if wanted.namespace else {}
    return {"name": wanted.name, **place, "labels": _labels(wanted)}


def _selector(wanted: Wanted) -> dict[str, str]:
    return {"app.kubernetes.io/name": "btdiag", "app.kubernetes.io/instance": wanted.name}


def _labels(wanted: Wanted) -> dict[str, str]:
    return {**_selector(wanted), "app.kubernetes.io/version": __version__}
