"""--config: what Helm values, manifests, Terraform, plans and env files declare, and what is no answer."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.config import UsageError, lab_target, settings, target
from btdiag.config.declared import KEEPALIVE, LB_IDLE, MAX_REQUESTS, WINDOW_MINUTES, found, in_effect
from btdiag.config.files import MAX_BYTES, leaves
from btdiag.core.finding import Verdict
from btdiag.core.target import Target
from btdiag.engine.shown import shown_target
from btdiag.families.keepalive.order import order_of

HELM = """
    api:
      extraEnvVars:
        - name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS
          value: "300"
        - {name: PG_PASSWORD, value: hunter2}
    brainstore:
      reader:
        extraEnvVars:
          - name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS
            value: "7"
"""
TERRAFORM = """
    variable "requests" { default = 500 }
    locals { keep = "910" }
    module "data_plane" {
      source         = "braintrustdata/braintrust-data-plane/aws"
      enable_ecs_api = true
      outbound_rate_limit_max_requests = var.requests
      service_extra_env_vars = { APIHandler = { TS_API_KEEP_ALIVE_TIMEOUT_SECONDS = "1" } }
      braintrust_api_extra_env_vars = {
        TS_API_KEEP_ALIVE_TIMEOUT_SECONDS = local.keep
        OTHER = jsonencode(["a", "b"])
      }
    }
"""
PLAN = {
    "prior_state": {"values": {"root_module": {"resources": [{"type": "aws_lb", "values": {"idle_timeout": 60}}]}}},
    "planned_values": {
        "root_module": {
            "child_modules": [
                {
                    "resources": [
                        {"type": "aws_lb", "name": "api", "values": {"idle_timeout": 900}},
                        {"type": "aws_lb_target_group", "values": {"idle_timeout": 3}},
                        {
                            "type": "aws_ecs_task_definition",
                            "values": {
                                "container_definitions": json.dumps(
                                    [{"name": "api", "environment": [{"name": KEEPALIVE, "value": "910"}]}]
                                )
                            },
                        },
                    ]
                }
            ]
        }
    },
}


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(dedent(text), "utf-8")
    return path


def declared(*paths: Path, given: tuple[str, ...] = ()) -> dict[str, str]:
    effect = in_effect([found(leaves(path)) for path in paths], given)
    return {name: setting.value for name, setting in effect.items()}


def the_target(folder: Path, *paths: Path, **flags: object) -> Target:
    made = settings({"target": ("https://api.example",), "config": tuple(map(str, paths)), **flags}, {}, folder)
    return target(made, made.urls[0])


# --- what each kind of file says --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("values.yaml", HELM, {KEEPALIVE: "300"}),
        ("values.yaml", "braintrust:\n  api:\n    extraEnvVars: [{name: OUTBOUND_RATE_LIMIT_WINDOW_MINUTES, value: 2}]",
         {WINDOW_MINUTES: "2"}),
        ("compose.yml", "services: {api: {environment: {TS_API_KEEP_ALIVE_TIMEOUT_SECONDS: 70}}}", {KEEPALIVE: "70"}),
        ("compose.yml", "services: {api: {environment: ['TS_API_KEEP_ALIVE_TIMEOUT_SECONDS=70', 'A=b']}}",
         {KEEPALIVE: "70"}),
        ("compose.yml", "x-c: &c {TS_API_KEEP_ALIVE_TIMEOUT_SECONDS: 71}\ns: {environment: {<<: *c, A: b}}",
         {KEEPALIVE: "71"}),
        ("all.yaml", "kind: Service\n---\nkind: ConfigMap\ndata: {TS_API_KEEP_ALIVE_TIMEOUT_SECONDS: '72'}\n---\n",
         {KEEPALIVE: "72"}),
        ("pod.yaml", "env: [{name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: '5'}, "
         "{name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: '6'}]", {KEEPALIVE: "6"}),
        ("pod.yaml", "env: [{name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, valueFrom: {secretKeyRef: {name: a}}}]", {}),
        ("ingress.yaml", "metadata: {annotations: {alb.ingress.kubernetes.io/load-balancer-attributes: "
         "'a.b=c,idle_timeout.timeout_seconds=600'}}", {LB_IDLE: "600"}),
        ("service.yaml", "annotations: {service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout: '120'}",
         {LB_IDLE: "120"}),
        ("nginx.yaml", "controller: {config: {upstream-keepalive-timeout: 50}}", {LB_IDLE: "50"}),
        ("main.tf", TERRAFORM, {KEEPALIVE: "910", LB_IDLE: "900", MAX_REQUESTS: "500"}),
        ("main.tf", 'resource "aws_lb" "api" {\n idle_timeout = 75\n}\nresource "aws_lb_x" "y" {\n idle_timeout = 1\n}',
         {LB_IDLE: "75"}),
        ("main.tf", 'module "m" {\n enable_ecs_api = false\n}\n', {}),
        ("a.tfvars", "outbound_rate_limit_window_minutes = 3", {WINDOW_MINUTES: "3"}),
        ("plan.json", json.dumps(PLAN), {KEEPALIVE: "910", LB_IDLE: "900"}),
        ("task.json", json.dumps({"environment": [{"name": KEEPALIVE, "value": "80"}]}), {KEEPALIVE: "80"}),
        (".env", "# x\nexport TS_API_KEEP_ALIVE_TIMEOUT_SECONDS='90' # y\nnot a line\n", {KEEPALIVE: "90"}),
        ("api.env", 'OUTBOUND_RATE_LIMIT_MAX_REQUESTS=0 # off\nA="b # c"\n', {MAX_REQUESTS: "0"}),
        ("environment", "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS = 91\n", {KEEPALIVE: "91"}),
        ("empty.yaml", "", {}),
        ("empty.tf", "", {}),
    ],
)  # fmt: skip
def test_what_a_file_declares(tmp_path: Path, name: str, text: str, expected: dict[str, str]) -> None:
    assert declared(write(tmp_path, name, text)) == expected


def test_a_folder_is_read_as_one_and_variables_are_looked_up_in_all_of_it(tmp_path: Path) -> None:
    write(tmp_path, "main.tf", 'resource "aws_lb" "api" {\n idle_timeout = tonumber(var.idle)\n}\n')
    write(tmp_path, "variables.tf", 'variable "idle" {\n default = 60\n}\n')
    assert declared(tmp_path) == {LB_IDLE: "60"}
    write(tmp_path, "prod.tfvars", "idle = 4000\n")
    write(tmp_path, "deployment.yaml", "{{- if .Values.x }}\nvalue: 1\n")
    write(tmp_path, "tsconfig.json", "{ // a comment\n}")
    assert declared(tmp_path) == {LB_IDLE: "4000"}


def test_of_several_paths_the_last_one_counts(tmp_path: Path) -> None:
    base = write(tmp_path, "values.yaml", HELM)
    env = write(tmp_path, "prod.env", f"{KEEPALIVE}=310\n{MAX_REQUESTS}=7")
    assert declared(base, env) == {KEEPALIVE: "310", MAX_REQUESTS: "7"}
    assert declared(env, base) == {KEEPALIVE: "300", MAX_REQUESTS: "7"}


# --- what is asked back instead of guessed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a: {{{KEEPALIVE}: 65}}\nb: {{{KEEPALIVE}: 300}}", "65 in values.yaml line 1 and 300 in values.yaml line 2"),
        (f"{KEEPALIVE}: '${{var.secret}}'", "which only Terraform can evaluate"),
        (f"{KEEPALIVE}: 65s", "no number of seconds above zero"),
        (f"{KEEPALIVE}: 0", "no number of seconds above zero"),
        (f"{KEEPALIVE}: inf", "no number of seconds above zero"),
        (f'{KEEPALIVE}: "\\e[31m"', "no number of seconds above zero"),
    ],
)
def test_what_is_not_clear_is_a_question_unless_an_option_answers_it(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path, "values.yaml", text)
    with pytest.raises(UsageError, match=words) as raised:
        declared(path)
    assert "--backend-keepalive" in str(raised.value)
    assert str(raised.value).isprintable()
    assert declared(path, given=("backend_keepalive",)) == {}


def test_two_load_balancers_are_a_question_too(tmp_path: Path) -> None:
    text = 'resource "aws_lb" "a" {\n idle_timeout = 60\n}\nresource "aws_lb" "b" {\n idle_timeout = 900\n}\n'
    with pytest.raises(
        UsageError, match=r"60 in main.tf at resource.aws_lb.a.idle_timeout and 900 .*--lb-idle-timeout"
    ):
        declared(write(tmp_path, "main.tf", text))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("values.yaml", b"{{- if .x }}\na: b", r"not YAML in line \d.*helm template"),
        ("values.yaml", b"a: [1", r"not YAML in line \d"),
        ("values.yaml", b"a: *nothing", "not YAML"),
        ("values.yaml", b"\x00\x01", "not YAML"),
        ("values.yaml", b"\xff\xfe", "not UTF-8"),
        ("values.yaml", b"a: " + b"[" * 5000, "nested more deeply|not YAML"),
        ("main.tf", b'resource "a" {', "not Terraform's language"),
        ("plan.json", b"{", "is not JSON"),
        ("plan.json", b"[" * 50_000, "nested more deeply"),
        ("README.md", b"words", "is neither .yaml"),
        ("huge.yaml", b"#" * (MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as raised:
        leaves(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_aliases_that_multiply_are_given_up(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UsageError, match="more than 150,000 values"):
        leaves(write(tmp_path, "values.yaml", "\n".join(lines)))


def test_an_endless_value_is_cut(tmp_path: Path) -> None:
    assert len(declared(write(tmp_path, "a.env", f"{MAX_REQUESTS}={'9' * 100_000}"))[MAX_REQUESTS]) == 200


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directly in this folder"):
        leaves(tmp_path)


@given(st.text(max_size=80), st.sampled_from(["a.yaml", "a.json", "a.tf", "a.env", "a.txt"]))
def test_no_text_makes_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_text(text, "utf-8", errors="replace")
    with suppress(UsageError):
        found(leaves(path))


# --- what becomes of it -----------------------------------------------------------------------------------------------


def test_the_files_declare_what_no_option_does_and_the_report_says_where(tmp_path: Path) -> None:
    values = write(tmp_path, "values.yaml", HELM)
    plan = write(tmp_path, "plan.json", json.dumps(PLAN["planned_values"]))
    seen = the_target(tmp_path, plan, values)
    assert (seen.backend_keepalive, seen.lb_idle_timeout) == (300, 900)
    order = order_of(seen, None)
    assert order.verdict is Verdict.FAIL
    assert str(order.backend) == "300 s (declared in values.yaml line 4)"
    assert shown_target(seen)["config"] == [str(setting) for setting in seen.settings]
    assert "hunter2" not in repr(seen)
    flagged = the_target(tmp_path, plan, values, backend_keepalive=905)
    assert (flagged.backend_keepalive, flagged.lb_idle_timeout) == (905, 900)
    assert str(order_of(flagged, None).backend) == "905 s (declared)"


def test_named_files_outweigh_what_a_lab_says_of_itself(tmp_path: Path) -> None:
    made = settings({"target": ("lab:x",), "config": (str(write(tmp_path, "a.env", f"{KEEPALIVE}=9")),)}, {}, tmp_path)
    lab = {"url": "https://api.lab.example", "backend_keepalive": 2.0, "lb_idle_timeout": 1.0}
    seen = lab_target(made, "x", lab)
    assert (seen.backend_keepalive, seen.lb_idle_timeout) == (9, 1)
