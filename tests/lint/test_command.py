"""The command: formats, exit codes, waivers, baseline, corrections, and input that is broken or hostile."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from btdiag.config.values import UsageError
from btdiag.lint.catalogue import RULES, explain_rule
from btdiag.lint.command import lint_command
from tests.lint.helpers import BASE

FAULTY = BASE.replace("cloud: aws", "cloud: AWS") + "api:\n  extraEnvVars:\n    - name: A\n      value: 1\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*paths: str, **options: object) -> tuple[int, str]:
    out = io.StringIO()
    return lint_command(paths, out=out, **options), out.getvalue()  # type: ignore[arg-type]


def test_json_is_the_contract(folder: Path) -> None:
    (folder / "values.yaml").write_text(FAULTY)
    code, text = run("values.yaml", format_="json")
    report = json.loads(text)
    assert code == 1
    assert {"kind": "lint", "verdict": "fail", "assumed": {"chart": "6.11.0"}, "files": ["values.yaml"]}.items() <= (
        report.items()
    )
    first = report["findings"][0]
    assert set(first) == {
        "id", "verdict", "file", "line", "column", "key", "summary", "expected", "seen", "remedy", "sources",
    }  # fmt: skip
    assert (first["file"], first["line"], first["column"], first["key"]) == ("values.yaml", 3, 1, "cloud")


@pytest.mark.parametrize("name", ["text", "json", "markdown", "junit", "html", "sarif", "openmetrics"])
def test_every_format_tells_of_the_finding_and_exits_alike(folder: Path, name: str) -> None:
    (folder / "values.yaml").write_text(FAULTY)
    code, text = run("values.yaml", format_=name)
    assert code == 1
    assert "config.cloud-is-known" in text
    (folder / "values.yaml").write_text(BASE)
    assert run("values.yaml", format_=name)[0] == 0


def test_sarif_has_regions_and_junit_a_case_for_each_rule(folder: Path) -> None:
    (folder / "values.yaml").write_text(FAULTY)
    result = json.loads(run("values.yaml", format_="sarif")[1])["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "values.yaml"},
        "region": {"startLine": 3, "startColumn": 1},
    }
    suite = ElementTree.fromstring(run("values.yaml", format_="junit")[1]).find("testsuite")
    assert suite is not None
    assert len(suite.findall("testcase")) == len(RULES)
    assert suite.get("failures") == "2"


def test_fix_prints_a_diff_writes_nothing_and_what_it_corrects_is_silent(folder: Path) -> None:
    (folder / "values.yaml").write_text(FAULTY)
    code, text = run("values.yaml", fix=True)
    assert code == 1
    assert (folder / "values.yaml").read_text() == FAULTY
    assert text.splitlines() == [
        "--- values.yaml",
        "+++ values.yaml",
        "@@ -3 +3 @@",
        "-cloud: AWS",
        "+cloud: aws",
        "@@ -12 +12 @@",
        "-      value: 1",
        '+      value: "1"',
    ]
    corrected = FAULTY.replace("cloud: AWS", "cloud: aws").replace("value: 1", 'value: "1"')
    (folder / "values.yaml").write_text(corrected)
    assert run("values.yaml")[0] == 0


def test_waivers_and_baseline_show_and_do_not_count(folder: Path) -> None:
    (folder / "values.yaml").write_text(BASE.replace("cloud: aws", "cloud: AWS"))
    report = run("values.yaml", format_="json")[1]
    (folder / "old.json").write_text(report)
    assert run("values.yaml", baseline="old.json")[0] == 0
    profile = '[[waive]]\nid = "config.cloud-is-known"\nuntil = {}\nreason = "known"\n'
    (folder / "own.toml").write_text(profile.format("2999-01-01"))
    code, text = run("values.yaml", profile="own.toml")
    assert code == 0
    assert "accepted: known" in text
    (folder / "own.toml").write_text(profile.format("2001-01-01"))
    assert run("values.yaml", profile="own.toml")[0] == 1


def test_fail_on(folder: Path) -> None:
    (folder / "values.yaml").write_text(BASE + "ingress: {}\n")
    assert run("values.yaml")[0] == 0
    assert run("values.yaml", fail_on="warn")[0] == 1
    (folder / "values.yaml").write_text(FAULTY)
    assert run("values.yaml", fail_on="never")[0] == 0


def test_stdin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(f"USER-SUPPLIED VALUES:\n{FAULTY}".encode()))
    monkeypatch.setattr("sys.stdin", given)
    assert run("-")[0] == 1


LIST = """apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: braintrust-api, managedFields: [{fieldsV1: {"f:spec": {}}}]}
  spec:
    template:
      spec:
        containers:
        - image: public.ecr.aws/braintrust/standalone-api:v2.9.0
          readinessProbe:
            httpGet: {path: /status, port: 8001}
"""
MODULE = "github.com/braintrustdata/terraform-aws-braintrust-data-plane?ref=v6.6.0"
PLAN = {
    "planned_values": {},
    "variables": {"telemetry": {"value": "Status"}},
    "configuration": {
        "root_module": {
            "module_calls": {
                "braintrust": {
                    "source": MODULE,
                    "expressions": {
                        "braintrust_org_name": {"constant_value": "globex"},
                        "monitoring_telemetry": {"references": ["var.telemetry"]},
                    },
                }
            }
        }
    },
}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"COMPUTED VALUES:\n{FAULTY}", ["config.cloud-is-known", "config.variables-are-text"]),
        (LIST, ["brainstore.readiness-recovers"]),
        (LIST.replace("/status, port: 8001", "/, port: 8000"), []),
        (json.dumps(PLAN), ["telemetry.types-are-known"]),
        (json.dumps(PLAN).replace("Status", "status"), []),
    ],
)
def test_what_other_tools_print_is_taken_on_stdin(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, ids: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [one["id"] for one in json.loads(run("-", format_="json")[1])["findings"]] == ids


def test_explain_knows_every_rule() -> None:
    assert all(explain_rule(name) for name in RULES)
    assert explain_rule("dns.resolves") is None


def test_secrets_are_never_quoted(folder: Path) -> None:
    secret = "sk-abcdefghijklmnopqrstuvwxyz012345"
    (folder / "values.yaml").write_text(
        FAULTY
        + f"    - name: BRAINTRUST_API_KEY\n      value: {secret}\n  password: {secret}\n  licenseKey: {secret}\n"
    )
    (folder / "main.env").write_text(f"PG_URL=postgres://u:{secret}@h/d\nBRAINTRUST_APP_URL=https://u:{secret}@x\n")
    for name in ("text", "json", "markdown", "junit", "html", "sarif", "openmetrics"):
        assert secret not in run("values.yaml", "main.env", format_=name)[1]
    assert secret not in run("values.yaml", "main.env", fix=True)[1]


HOSTILE = {
    "broken.yaml": ("a: [1", "broken.yaml:"),
    "template.yaml": ("a:\n  {{ .Values.x }}: {{- if .y }}\n", "template.yaml:2"),
    "tabs.yaml": ("a:\n\tb: 1\n", "tabs.yaml:2:1"),
    "deep.yaml": ("[" * 5000, "nested"),
    "deep-blocks.yaml": ("".join(f"{' ' * n}k:\n" for n in range(300)), "nested"),
    "bomb.yaml": (
        "brainstore:\n  a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"  a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
        "more than",
    ),
    "loop.yaml": ("brainstore: &a\n  b: *a\n", "holds itself"),
    "unknown.yaml": ("hello: world\n", "nothing that lint knows"),
    "odd.tf": ('module "x" {\n  a = \n}\n', "odd.tf:"),
    "deep.tf": ("a = " + "[" * 5000, "nested"),
    "x.env": ("A=1\nno assignment here\n", "x.env:2"),
    "x.json": ('{"a": }', "x.json:1"),
    "deep.json": ("[" * 5000, "nested"),
    "state.json": ('{"values": {"root_module": {"resources": []}}}', "a state, not a plan"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_broken_and_hostile_files_get_one_line(folder: Path, name: str) -> None:
    text, said = HOSTILE[name]
    (folder / name).write_text(text)
    with pytest.raises(UsageError) as error:
        run(name)
    assert said in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_none(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "binary.yaml").write_bytes(b"a: b\n\xff\xfe\x00")
    (folder / "nul.yaml").write_bytes(b"a: b\nc: \x00\n")
    (folder / "large.yaml").write_text("a: b\n" * 300_000)
    for name, said in [
        ("pipe.yaml", "no regular file"),
        ("binary.yaml", "binary.yaml:2"),
        ("nul.yaml", "nul.yaml:2"),
        ("large.yaml", "larger than 1,024 KiB"),
        ("missing.yaml", "No such file"),
    ]:
        with pytest.raises(UsageError, match=said):
            run(name)


def test_a_folder_reads_what_may_matter_and_follows_no_links(folder: Path) -> None:
    (folder / "deploy").mkdir()
    (folder / "deploy" / "values.yaml").write_text(FAULTY)
    (folder / "deploy" / "template.yaml").write_text("braintrust: {{ .Values.x }}\n")
    (folder / "deploy" / "up").symlink_to("..")
    (folder / ".terraform").mkdir()
    (folder / ".terraform" / "main.tf").write_text("broken {")
    os.mkfifo(folder / "deploy" / "pipe.yaml")
    code, text = run("deploy", format_="json")
    assert code == 1
    assert json.loads(text)["files"] == ["deploy/values.yaml"]


def test_a_copy_of_the_chart_and_files_that_only_share_a_word_are_no_values(folder: Path) -> None:
    chart = folder / "charts" / "braintrust"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: braintrust\nversion: 6.11.0\n")
    (chart / "values.yaml").write_text(FAULTY)
    (folder / "VERSIONS.json").write_text('{"brainstore": "v2.12.0"}')
    code, text = run(".", format_="json")
    assert (code, json.loads(text)["findings"]) == (0, [])
    (chart / "values-prod.yaml").write_text(FAULTY)
    assert run(".")[0] == 1


def test_a_folder_of_many_files_costs_little_more_than_to_walk_it(folder: Path) -> None:
    many = folder / "many"
    for number in range(100):
        (many / str(number)).mkdir(parents=True)
        for other in range(100):
            (many / str(number) / f"{other}.txt").write_text("braintrust")
    (many / "values.yaml").write_text(BASE)
    started = time.perf_counter()
    assert run("many")[0] == 0
    assert time.perf_counter() - started < 20


def test_options_that_make_no_sense(folder: Path) -> None:
    (folder / "values.yaml").write_text(BASE)
    for options in ({"chart": "newest"}, {"chart": "0.9.5"}, {"modules": ["aws"]}, {"modules": ["ibm=v1.0.0"]}):
        with pytest.raises(UsageError):
            run("values.yaml", **options)
    (folder / "old.json").write_text("{}")
    with pytest.raises(UsageError, match="no report"):
        run("values.yaml", baseline="old.json")


UMBRELLA = """apiVersion: v2
name: platform
version: 1.0.0
dependencies: [{name: braintrust, version: ">=5.0.0", repository: oci://x, alias: bt}]
"""


def test_an_umbrella_chart_in_a_folder_and_by_its_values_alone(folder: Path) -> None:
    (folder / "Chart.yaml").write_text(UMBRELLA)
    (folder / "Chart.lock").write_text("dependencies: [{name: braintrust, version: 4.1.0, repository: oci://x}]\n")
    (folder / "values.yaml").write_text("bt:\n" + "".join(f"  {line}\n" for line in FAULTY.splitlines()))
    for path in (".", "values.yaml"):
        report = json.loads(run(path, format_="json")[1])
        assert report["assumed"] == {}
        assert [(one["id"], one["line"]) for one in report["findings"]] == [
            ("config.cloud-is-known", 4),
            ("config.variables-are-text", 13),
            ("brainstore.readiness-recovers", 1),
        ]


def test_a_helmfile_counts_for_the_values_that_it_names(folder: Path) -> None:
    release = "releases: [{name: bt, namespace: prod, chart: x/braintrust, version: 6.2.0, values: [a.yaml]}]\n"
    (folder / "helmfile.yaml").write_text(release)
    (folder / "a.yaml").write_text(BASE)
    (folder / "b.yaml").write_text(BASE)
    told = json.loads(run(".", format_="json")[1])["findings"]
    assert [(one["id"], one["file"]) for one in told] == [("config.namespace-matches", "a.yaml")]
    assert run("b.yaml", "helmfile.yaml")[0] == 0


def test_a_folder_of_terraform_is_read_as_a_whole(folder: Path) -> None:
    (folder / "main.tf").write_text(
        f'module "braintrust" {{\n  source = "{MODULE}"\n  deployment_name = "globex"\n'
        "  braintrust_org_name = var.org\n  brainstore_license_key = var.key\n  monitoring_telemetry = var.sent\n}\n"
    )
    (folder / "variables.tf").write_text(
        'variable "org" {}\nvariable "key" {}\nvariable "sent" { default = "Status" }\n'
    )
    (folder / "prod.tfvars").write_text('org = "*"\nkey = "k"\n')
    expected = {("telemetry.types-are-known", "variables.tf"), ("retention.primary-organisation-is-set", "prod.tfvars")}
    for paths in ((".",), ("main.tf", "prod.tfvars")):
        told = json.loads(run(*paths, format_="json")[1])["findings"]
        assert {(one["id"], one["file"]) for one in told} == expected
    (folder / "broken.tf").write_text("resource {")
    assert run(".")[0] == 1
