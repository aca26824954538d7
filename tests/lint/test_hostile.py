"""Files that broke on their way: cut, doubled, mixed with others. One clear line, or a result; never more."""

from __future__ import annotations

import io
import json
import random
import time
from pathlib import Path

import pytest

from btdiag.config.values import UsageError
from btdiag.lint import formats
from btdiag.lint.command import lint_command
from tests.lint.helpers import BASE, judged

CASES = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]
SECRET = "sk-live-0123456789abcdefghijklmnop"
PARTS = (
    "{{ .Values.x }}", "${var.x}", "<<: *a", "&a ", "*a", "!!python/object:os.system ", "---\n", "\t", "\r", "\u2028",
    "{", "}", "[", "]", ":", "- ", '"', "'", "|\n", ">-\n", "0x", "1e999", "-.inf", "~", "null", "=", "#", "<<EOT\n",
    "for x in y : x", "? ", "%YAML 1.2\n", "\ufeff", "\x00", "\x1b[31m", "9" * 400, "a" * 3000, "é", "\U0001f600",
)  # fmt: skip


def _mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randint(0, 12)
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[:at] + chance.choice(PARTS) + text[at:]
        elif kind == 2:
            text = text[:at] + text[max(0, at - length * 9) : at] + text[at:]
        else:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
    return text


def _secretive(name: str, text: str) -> str:
    """The file with a secret where its kind has secrets."""
    if name.endswith(".tf"):
        return text.replace("var.brainstore_license_key", f'"{SECRET}"')
    if name.endswith("values.yaml"):
        return f"{text}secrets:\n  licenseKey: {SECRET}\n"
    return f"{text}BRAINTRUST_API_KEY={SECRET}\n" if name.endswith(".env") else text


@pytest.mark.parametrize("seed", range(10))
def test_mutated_files_give_one_line_or_a_result(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        case = chance.choice(CASES)
        files = {name: _mutated(_secretive(name, text), chance) for name, text in case["files"].items()}
        modules = dict([case["module"]]) if case["module"] else {}
        started = time.process_time()
        try:
            shown = formats.render(judged(files, chart=case["chart"], modules=modules), "text")
        except UsageError as error:
            shown = str(error)
            assert "\n" not in shown
            assert any(name in shown for name in files)
        assert SECRET[8:] not in shown
        assert "\x1b" not in shown
        assert time.process_time() - started < 10, files


CALL = 'module "b" {{\n source = "github.com/braintrustdata/terraform-aws-braintrust-data-plane?ref={}"\n{}\n}}\n'
ODD = {
    "utf16.yaml": BASE.encode("utf-16"),
    "latin.yaml": BASE.replace("globex", "globéx").encode("latin-1"),
    "cr.yaml": BASE.replace("\n", "\r").encode(),
    "nel.yaml": BASE.replace("\n", "\u0085").encode(),
    "number.yaml": b"api: {replicas: " + b"9" * 100_000 + b"}\n",
    "exponent.yaml": b"api: {replicas: 1e999999999, resources: {limits: {memory: 1E10000000000, cpu: -5}}}\n",
    "octal.yaml": b"api: {replicas: 0o777, port: 0777, x: 1_000, y: 190:20:30, z: .nan}\n",
    "date.yaml": b"api: {replicas: 2001-13-44}\n",
    "tag.yaml": b'api: !!python/object/apply:os.system ["exit 1"]\nbrainstore: !!binary "aGk="\n',
    "set.yaml": b"brainstore: !!set {a, b}\napi: !!omap [a: b]\n",
    "merge.yaml": b"brainstore: &a {<<: [{a: b}, {c: d}], <<: {e: f}}\n",
    "merges-itself.yaml": b"brainstore: &a\n  <<: *a\n",
    "keys.yaml": b'? [a, b]\n: c\nbrainstore: {~: b, "": c, true: d, 1: e}\n',
    "list.yaml": b"- brainstore\n- api\n",
    "kinds.yaml": b"global: 5\ncloud: [1]\nobjectStorage: x\napi: [1]\nbrainstore: 5\naiGateway: x\n",
    "inner.yaml": BASE.encode()
    + b"api: {extraEnvVars: [~, 5, {name: 5}, {value: x}, {name: {a: b}}], readinessProbe: x, service: 5, image: x}\n"
    b"brainstore: {reader: x, writer: [1], fastreader: ~, readinessProbe: 5, image: 5, locksBackend: {a: b}}\n"
    b"virtualService: {enabled: true, http: [~, 5, {route: 5}, {route: [{destination: 5}]}]}\n",
    "pods.yaml": b"kind: Deployment\nmetadata: []\nspec: {template: {spec: {containers: [~, 5, {image: brainstore, "
    b"env: [~, 5, {name: ~}], resources: 5, ports: 5, readinessProbe: [1], envFrom: [1, {configMapRef: 5}]}]}}}\n",
    "objects.yaml": b"kind: List\nitems: [~, 5, {kind: 5}]\n---\nkind: Ingress\nspec: 5\n"
    b"---\nkind: Gateway\nspec: [1]\n---\nkind: ConfigMap\ndata: [1]\n"
    b"---\nkind: HTTPRoute\nspec: {rules: 5, parentRefs: 5}\n"
    b"---\nkind: DestinationRule\nspec: {host: [1], trafficPolicy: 5}\n",
    "compose.yaml": b'services:\n  a: ~\n  b: {image: standalone-api, environment: [1, ~, {a: b}, "=x", "A=B=C"]}\n',
    "Chart.yaml": b"dependencies: [~, 5, {name: braintrust, version: [1], alias: {a: b}}]\nname: [1]\nversion: {}\n",
    "helmfile.yaml": b'releases: [~, 5, {chart: [1]}, {chart: a/braintrust, version: "{{ x }}", values: 5}]\n',
    "loop.tf": CALL.format("v6.6.0", "monitoring_telemetry = local.a").encode()
    + b"locals {\n a = local.b\n b = local.a\n}\n",
    "self.tf": CALL.format("main", "monitoring_telemetry = var.a").encode() + b'variable "a" {\n default = var.a\n}\n',
    "for.tf": CALL.format("v9" * 500, 'for_each = toset(["a"])\n braintrust_org_name = each.key').encode(),
    "open.tf": b"locals {\n braintrust = <<EOT\nx\n",
    "strings.tf": b'locals {\n braintrust = "' + b"${" * 2000 + b"a" + b"}" * 2000 + b'"\n}\n',
    "nested.json": b"[" * 100_000 + b"]" * 100_000,
    "half.json": b'{"brainstore": "\\ud800", "cloud": NaN, "api": -Infinity}',
    "plan.json": b'{"planned_values":[],"variables":{"x":null},"configuration":{"root_module":{"module_calls":{"b":'
    b'{"source":"github.com/braintrustdata/terraform-aws-braintrust-data-plane","expressions":{"x":null,"y":[]}}}}}}',
    "host.env": b"BRAINTRUST_APP_URL=http://[::1\nWHITELISTED_ORIGINS=" + b"https://a.example," * 2000 + b"\n",
    "digits.env": "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS=٣٠٠\nOUTBOUND_RATE_LIMIT_MAX_REQUESTS=²\n".encode(),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_give_one_line_or_a_result(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(ODD[name])
    said = name
    try:
        lint_command([name], out=io.StringIO(), format_="json")
    except UsageError as error:
        said = str(error)
    assert "\n" not in said
    assert name in said


def test_links_that_lead_to_themselves_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").symlink_to("b.yaml")
    Path("b.yaml").symlink_to("a.yaml")
    Path("self").symlink_to(".")
    Path("zero.yaml").symlink_to("/dev/zero")
    Path("values.yaml").write_text(BASE)
    assert lint_command(["."], out=io.StringIO()) == 0
    with pytest.raises(UsageError, match="links"):
        lint_command(["a.yaml"], out=io.StringIO())
