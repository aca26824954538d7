"""Manifests are what Kubernetes takes, and the containers in them have no rights that they do not need."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from btdiag.config import UsageError
from btdiag.engine.manifests import KINDS, Wanted, manifests
from tests.support.cli import btdiag

URL = "https://dp.example"


def made(kind: str, **more: Any) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all(manifests(kind, Wanted(targets=(URL,), **more))))


def pod_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The pod's specification, whatever makes it."""
    for document in documents:
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found: dict[str, Any] = spec["template"]["spec"]
            return found
    raise AssertionError(documents)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["1.29", "1.34"])
def test_kubernetes_takes_them(kind: str, version: str) -> None:
    documents = made(kind, namespace="watch", secret="btdiag-key")
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    assert {document["metadata"]["namespace"] for document in documents} == {"watch"}


def test_a_wrong_manifest_would_be_found() -> None:
    (job,) = made("job")
    job["spec"]["template"]["spec"]["containers"][0]["imge"] = "typo"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.34", strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_container_has_no_rights(kind: str) -> None:
    pod = pod_of(made(kind))
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_comes_from_a_secret_alone(kind: str) -> None:
    with_key, without = made(kind, secret="btdiag-key"), made(kind)
    entry = next(one for one in pod_of(with_key)["containers"][0]["env"] if one["name"] == "BRAINTRUST_API_KEY")
    assert entry["valueFrom"] == {"secretKeyRef": {"name": "btdiag-key", "key": "BRAINTRUST_API_KEY"}}
    assert "BRAINTRUST_API_KEY" not in str(without)
    with pytest.raises(UsageError, match="never from an argument"):
        made(kind, arguments=("--api-key-env=OTHER",))


def test_reports_may_go_elsewhere_by_the_rights_of_an_account() -> None:
    (job,) = made("job", service_account="reports", arguments=("-o", "s3://bucket/btdiag"))
    pod = job["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("reports", False)
    assert "--no-files" not in pod["containers"][0]["args"]
    (job,) = made("job")
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    assert "--no-files" in job["spec"]["template"]["spec"]["containers"][0]["args"]


def test_arguments_stay_arguments() -> None:
    hostile = 'x: {y}"\n- z # $(id)'
    (job,) = made("job", arguments=("--header", hostile))
    assert job["spec"]["template"]["spec"]["containers"][0]["args"][-2:] == ["--header", hostile]


def test_the_exporter_selects_its_own_pods() -> None:
    listed, deployment, service, policy = made("exporter", name="watch")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        policy["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert listed["data"]["targets"] == f"{URL}\n"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"targets": ()}, "needs a target"),
        ({"targets": ("lab:healthy",)}, "a cluster has no lab"),
        ({"targets": ("ftp://x",)}, "--target"),
        ({"name": "Big"}, "--name Big"),
        ({"namespace": "a b"}, "--namespace a b"),
        ({"secret": "a/b"}, "--secret a/b"),
        ({"service_account": "A"}, "--service-account A"),
        ({"image": "a b"}, "--image a b"),
        ({"schedule": "now"}, "--schedule now"),
        ({"schedule": "* * * * *\nkind: Pod"}, "--schedule"),
    ],
)
def test_what_kubernetes_would_refuse_is_said(wanted: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        manifests("cronjob", Wanted(**{"targets": (URL,), **wanted}))


def test_the_command_prints_them() -> None:
    done = btdiag("kubernetes", "cronjob", "--target", URL, "--", "--quick", "--only", "connection")
    assert (done.code, done.err) == (0, "")
    (document,) = YAML(typ="safe").load_all(done.out)
    container = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][-3:] == ["--quick", "--only", "connection"]
