"""The container image, built from a base that is made on this machine, and a run in it: `pytest -m slow`.

It takes minutes, root, and Debian's buildah and mmdebstrap: no part of the ordinary tests."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import CLEAN
from tests.support.tools import lacking, need

ROOT = Path(__file__).parents[2]
# No daemon and no namespaces of users: what a machine in CI has.
BUILDAH = CLEAN | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
MOST_ADDED_MB = 150  # by the image to its base
# So that pip reaches the index that it reaches here, through whatever stands between.
_BORROWED = [file for file in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt") if Path(file).exists()]
_UNREAD = [f"path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]

pytestmark = pytest.mark.slow


def call(*command: str, timeout: float = 900) -> str:
    """The output of a program that has to succeed."""
    done = subprocess.run(command, cwd=ROOT, env=BUILDAH, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.strip()


def size_mb(image: str) -> float:
    """All layers of an image."""
    container = call("buildah", "from", image)
    try:
        place = call("buildah", "mount", container)
        return int(call("du", "-sxm", place).split()[0])
    finally:
        call("buildah", "rm", container)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The names of the base image and of ours."""
    if os.geteuid() != 0:
        lacking("only root can make a base image")
    need("buildah")
    base, ours = (f"localhost/btdiag-{name}-{uuid.uuid4().hex[:8]}" for name in ("base", "test"))
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    options = ["--variant=minbase", "--include=python3,python3-venv,ca-certificates"]
    options += [f"--dpkgopt={line}" for line in _UNREAD]
    call(need("mmdebstrap"), *options, "bookworm", str(archive), "http://deb.debian.org/debian")
    container = call("buildah", "from", "scratch")
    call("buildah", "add", "-q", container, str(archive), "/")
    call("buildah", "commit", "-q", "--rm", container, base)
    flags = " ".join(f"--volume {file}:{file}:ro" for file in _BORROWED)
    call("make", "image", "BUILDER=buildah", f"BASE={base}", f"IMAGE={ours}", f"BUILD_FLAGS={flags}")
    yield base, ours
    call("buildah", "rmi", "-f", ours, base)


@pytest.fixture
def container(images: tuple[str, str]) -> Iterator[str]:
    name = call("buildah", "from", images[1])
    yield name
    call("buildah", "rm", name)


def test_the_lab_is_healthy_in_it(container: str) -> None:
    shown = call(
        *("buildah", "run", container, "--", "btdiag", "run", "--target", "lab:healthy", "--quick"),
        *("--no-files", "--format", "json"),
    )
    report = json.loads(shown)
    assert report["verdict"] == "pass"
    assert report["counts"]["pass"] > 50


def test_it_runs_as_nobody_and_writes_only_what_is_temporary(container: str) -> None:
    assert (
        call("buildah", "run", container, "--", "sh", "-c", "id -u; test -w /opt || test -w / || echo no")
        == "65532\nno"
    )
    configured = json.loads(call("buildah", "inspect", "--type", "container", container))["OCIv1"]["config"]
    assert (configured["User"], configured["Entrypoint"]) == ("65532:65532", ["btdiag"])


def test_it_is_small_and_says_what_is_in_it(images: tuple[str, str], container: str) -> None:
    base, ours = map(size_mb, images)
    print(f"image {ours} MB on a base of {base} MB")
    assert ours - base <= MOST_ADDED_MB
    listed = json.loads(call("buildah", "run", container, "--", "cat", "/opt/btdiag/sbom.cdx.json"))
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "btdiag"
    assert {"httpx", "cryptography", "s3fs", "starlette"} <= {one["name"] for one in listed["components"]}
