"""Table and query for object storage, run in DuckDB, word for word, on a log whose truth is known."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from btdiag.config.values import UsageError
from btdiag.logs import sql
from btdiag.logs.command import logs_command
from tests.logs.cases import read

MACROS = """
CREATE MACRO from_iso8601_timestamp(text) AS text::TIMESTAMP;
CREATE MACRO to_unixtime(stamp) AS epoch(stamp::TIMESTAMP);
CREATE MACRO approx_percentile(x, parts) AS quantile_cont(x, parts);
"""
"""Functions of Trino (and Athena, which is one) that DuckDB has under other names."""

NODE = "x_elasticloadbalancing_r_app.api.1_20261125T0710Z_10.0.0.7_abc.log"
OTHER = NODE.replace("10.0.0.7", "10.0.0.8")


def printed(path: Path, engine: str) -> str:
    out = io.StringIO()
    assert logs_command([str(path)], out=out, sql_engine=engine) == 0
    return out.getvalue()


def regex_of(text: str) -> str:
    """The pattern as the engine sees it: Athena takes backslashes in a string as escapes."""
    found = re.search(r"'(\^.*\$)'", text)
    assert found is not None
    return found[1].replace("\\\\", "\\") if "input.regex" in text else found[1]


def rows(text: str, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """What the printed query says of the files, read by the printed pattern into the printed columns."""
    table, query = text.split("WITH line AS")
    columns = re.findall(r"(\w+) (?:string|varchar)[,)]", table.replace("PARTITIONED BY (day string)", ""))
    pattern = re.compile(regex_of(table))
    base = duckdb.connect()
    base.execute(MACROS)
    text_columns = ", ".join(f"{name} varchar" for name in columns)
    base.execute(f'CREATE TABLE lb_log ({text_columns}, day varchar, "$path" varchar)')
    for name, content in files.items():
        for line in content.decode().splitlines():
            match = pattern.fullmatch(line)
            groups = match.groups() if match else (None,) * len(columns)
            base.execute(f"INSERT INTO lb_log VALUES ({', '.join('?' * (len(columns) + 2))})",
                         [*groups, "2026/11/25", f"s3://bucket/{name}"])  # fmt: skip
    answer = base.execute("WITH line AS" + query)
    names = [one[0] for one in answer.description or ()]
    return {row[0]: dict(zip(names, row, strict=True)) for row in answer.fetchall()}


@pytest.mark.parametrize("engine", ["athena", "trino"])
def test_the_query_finds_what_is_true_of_the_log(case_folder: Path, engine: str) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    truth = next(
        one for one in map(json.loads, (case_folder / "truth.jsonl").read_text("utf-8").splitlines())
        if one["file"] == "ss01/alb-synthetic.log"
    )  # fmt: skip
    found = rows(printed(path, engine), {NODE: path.read_bytes()})
    assert {name: row["n"] for name, row in found.items()} == {
        "closed at once": truth["kinds"]["race"]["count"],
        "good": truth["requests"] - truth["kinds"]["race"]["count"],
    }
    assert found["closed at once"]["idle_s"] == pytest.approx([truth["idle_K_s"]] * 3, abs=0.05)
    assert found["good"]["idle_s"][1] < truth["idle_K_s"] / 2


def test_every_kind_is_classed_as_the_parser_does(case_folder: Path) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    good = path.read_bytes().splitlines()[0]
    before = b" 0.003 0.061 0.000 200 200 "
    assert before in good
    made = {
        "closed while waiting": (b" 0.003 7.500 -1 502 - ", b"POST"),
        "no connection": (b" -1 -1 -1 502 - ", b"POST"),
        "no target, or its limit": (b" -1 -1 -1 503 - ", b"POST"),
        "timeout": (b" 0.003 -1 -1 504 - ", b"GET"),
        "client left": (b" 0.003 -1 -1 460 - ", b"POST"),
        "preflight refused": (b" 0.003 0.061 0.000 403 403 ", b"OPTIONS"),
        "rate limited": (b" 0.003 0.061 0.000 429 429 ", b"POST"),
        "application": (b" 0.003 0.061 0.000 500 500 ", b"POST"),
        "load balancer": (b" -1 -1 -1 561 - ", b"POST"),
    }
    lines = [good.replace(before, numbers).replace(b'"POST ', b'"' + verb + b" ") for numbers, verb in made.values()]
    lines.append(b"https 2026-11-25T07:07:03.7")
    found = rows(printed(path, "trino"), {NODE: b"\n".join(lines)})
    assert {name: row["n"] for name, row in found.items()} == dict.fromkeys([*made, "line not read"], 1)
    assert found["timeout"]["safe_methods"] == 1


def test_nodes_are_pools_of_their_own(case_folder: Path) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    content = path.read_bytes()
    late = content.replace(b"2026-11-25T07:", b"2026-11-25T17:")
    found = rows(printed(path, "athena"), {NODE: content, OTHER: late})
    assert found["closed at once"]["n"] == 50
    assert found["closed at once"]["idle_s"] == pytest.approx([66.0] * 3, abs=0.05)


def test_the_day_is_that_of_the_file_and_the_columns_those_of_the_pattern(case_folder: Path) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    assert "WHERE day = '2026/11/25'" in printed(path, "athena")
    assert "REGION/2026/11/25'" in printed(path, "trino")
    assert re.compile(sql.ALB_REGEX).groups == len(sql.ALB_COLUMNS)
    assert read(path).format in sql.KNOWN


@pytest.mark.parametrize(("case", "engine"), [("ss01", "bigquery"), ("ss04", "bigquery"), ("s031", "athena")])
def test_what_has_no_query_names_what_has_one(case_folder: Path, case: str, engine: str) -> None:
    with pytest.raises(UsageError, match=rf"--sql {engine}: no query for .*There is athena, trino for aws-alb"):
        logs_command([str(case_folder / case)], out=io.StringIO(), sql_engine=engine)
