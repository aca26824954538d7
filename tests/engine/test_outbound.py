"""Reports that go elsewhere at the end of a run: to a real S3 server on this machine, and to nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.cli import Done, btdiag

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYcanary00"
ASKED = ("--target", "http://127.0.0.1:9", "--only", "connection", "--quick")


class Bucket:
    """A bucket of an S3 server, and how a run finds it."""

    def __init__(self, url: str) -> None:
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7CANARY0",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="AKIAIOSFODNN7CANARY0",
            aws_secret_access_key=SECRET,
        )
        self._client.create_bucket(Bucket="reports")

    def keys(self, prefix: str) -> list[str]:
        """What is in it."""
        found = self._client.list_objects_v2(Bucket="reports", Prefix=prefix).get("Contents", [])
        return [str(one["Key"]) for one in found]

    def text(self, key: str) -> str:
        """One object."""
        return str(self._client.get_object(Bucket="reports", Key=key)["Body"].read().decode())

    def media_type(self, key: str) -> str:
        """What a browser takes it for."""
        return str(self._client.head_object(Bucket="reports", Key=key)["ContentType"])


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with redirect_stdout(StringIO()):
        server.start()
    host, port = server.get_host_and_port()
    yield Bucket(f"http://{host}:{port}")
    server.stop()


def run(*arguments: str, cwd: Path, env: Mapping[str, str]) -> Done:
    """A quick look at a port that nobody listens on, without a canary in what it says."""
    done = btdiag("run", *ASKED, *arguments, cwd=cwd, env=env)
    assert SECRET not in done.out + done.err
    assert "AKIAIOSFODNN7CANARY0" not in done.out + done.err
    return done


def test_a_run_goes_to_s3(bucket: Bucket, tmp_path: Path) -> None:
    done = run("-o", "s3://reports/one", "--format", "json", cwd=tmp_path, env=bucket.environment)
    assert done.code == 1, done.err
    keys = bucket.keys("one/")
    assert sorted(key.rpartition("/")[2] for key in keys) == ["report.html", "report.json", "report.md", "report.xml"]
    place = keys[0].rpartition("/")[0]
    assert place.endswith("Z-127.0.0.1")
    stored = bucket.text(f"{place}/report.json")
    assert json.loads(stored) == done.report
    assert SECRET not in stored
    assert bucket.media_type(f"{place}/report.html") == "text/html"
    assert all(f"s3://reports/{key}" in done.err for key in keys)
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_not_written_over(bucket: Bucket, tmp_path: Path) -> None:
    arguments = ("--no-files", "--report", "junit=s3://reports/two/latest.xml")
    first = run(*arguments, cwd=tmp_path, env=bucket.environment)
    before = bucket.text("two/latest.xml")
    again = run(*arguments, cwd=tmp_path, env=bucket.environment)
    assert (first.code, again.code, again.out) == (1, 2, "")
    assert again.err == "btdiag: --report junit=s3://reports/two/latest.xml: exists already: name another place\n"
    assert bucket.text("two/latest.xml") == before


def test_many_targets_go_to_s3(bucket: Bucket, tmp_path: Path) -> None:
    listed = tmp_path / "targets"
    listed.write_text("".join(f"http://127.0.0.1:{port}\n" for port in range(9, 61)))
    lines = "s3://reports/many/lines.ndjson"
    done = run(
        *("--targets", str(listed), "-o", "s3://reports/many", "--report", f"ndjson={lines}"),
        cwd=tmp_path,
        env=bucket.environment,
    )
    assert done.code == 1, done.err
    keys = bucket.keys("many/")
    whole = next(key for key in keys if key.endswith("/reports.ndjson"))
    assert sum("/targets/" in key for key in keys) == 52
    assert len(bucket.text(whole).splitlines()) == 52
    assert bucket.text("many/lines.ndjson") == bucket.text(whole)


def test_what_cannot_be_sent_is_shown_and_kept(bucket: Bucket, tmp_path: Path) -> None:
    done = run("-o", "s3://no-such-bucket/x", cwd=tmp_path, env=bucket.environment | {"TMPDIR": str(tmp_path)})
    assert done.code == 2
    assert "FAIL" in done.out
    (line,) = [line for line in done.err.splitlines() if "cannot write" in line]
    kept = Path(line.partition("the files are in ")[2])
    assert "no-such-bucket" in line
    assert (kept / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-o", "nosuch://bucket"), "--output nosuch://bucket: "),
        (("-o", "https://host/reports"), "nothing can be written to https://"),
        (("-o", f"ftp://me:{SECRET}@host/x"), "--output: a URL for reports has no password"),
        (("--report", f"json=s3://b/x?key={SECRET}"), "--report json=: a URL for reports has no password"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_sent(arguments: tuple[str, ...], why: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path, env={})
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("btdiag: ")
    assert why in done.err
    assert done.err.count("\n") == 1
