"""The judgement of the load balancer's logs as SQL, for logs in object storage that are too many to fetch: table and
query for the engine that is there already. Pure text; the class of each line follows `btdiag.logs.products.aws`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from btdiag.logs.event import RACE_S
from btdiag.logs.house import UsageError

ENGINES = ("athena", "bigquery", "trino")

ALB_COLUMNS = (
    "kind", "ended", "lb", "client", "target", "t_in", "t_target", "t_out", "lb_status", "target_status", "bytes_in",
    "bytes_out", "method", "url", "proto", "agent", "cipher", "tls", "target_group", "trace", "sni", "cert", "rule",
    "started", "actions", "redirect", "reason", "rest",
)  # fmt: skip
"""The fields of an Application Load Balancer's access log in their order; `rest` is what later versions append."""

ALB_REGEX = (
    r"^(\S+) (\S+) (\S+) (\S+) (\S+) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (\S+) (\S+) (\d+) (\d+)"
    r' "(\S+) (\S+) (\S+)" "([^"]*)" (\S+) (\S+) (\S+) "([^"]*)" "([^"]*)" "([^"]*)" (\S+) (\S+) "([^"]*)" "([^"]*)"'
    r' "([^"]*)"(.*)$'
)
"""One group for each of ALB_COLUMNS."""

_WHERE = "s3://BUCKET/AWSLogs/ACCOUNT/elasticloadbalancing/REGION/"

_ATHENA_TABLE = """\
CREATE EXTERNAL TABLE lb_log (
  {columns})
PARTITIONED BY (day string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ('input.regex' =
  '{regex}')
LOCATION '{where}'
TBLPROPERTIES (
  'projection.enabled' = 'true', 'projection.day.type' = 'date', 'projection.day.format' = 'yyyy/MM/dd',
  'projection.day.range' = '2020/01/01,NOW', 'storage.location.template' = '{where}${{day}}');
"""

_TRINO_TABLE = """\
CREATE TABLE lb_log (
  {columns})
WITH (format = 'REGEX', external_location = '{where}{day}',
  regex = '{regex}');
"""

_QUERY = """\
WITH line AS (
  SELECT *, try_cast(t_target AS double) waited, from_iso8601_timestamp(started) s, from_iso8601_timestamp(ended) e,
    regexp_extract("$path", '_(\\d+\\.\\d+\\.\\d+\\.\\d+)_', 1) node
  FROM lb_log{condition}),
request AS (
  SELECT *, to_unixtime(s) - to_unixtime(max(e) OVER (
    PARTITION BY node, target ORDER BY s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) idle
  FROM line)
SELECT CASE
    WHEN lb_status IS NULL THEN 'line not read'
    WHEN lb_status = '502' AND target_status = '-' AND waited BETWEEN 0 AND {race_s} THEN 'closed at once'
    WHEN lb_status = '502' AND target_status = '-' AND waited > {race_s} THEN 'closed while waiting'
    WHEN lb_status = '502' AND target_status = '-' THEN 'no connection'
    WHEN lb_status = '503' AND target_status = '-' THEN 'no target, or its limit'
    WHEN lb_status = '504' AND target_status = '-' THEN 'timeout'
    WHEN lb_status = '460' THEN 'client left'
    WHEN method = 'OPTIONS' AND lb_status >= '400' THEN 'preflight refused'
    WHEN lb_status = '429' THEN 'rate limited'
    WHEN lb_status >= '500' AND target_status <> '-' THEN 'application'
    WHEN lb_status >= '500' THEN 'load balancer'
    ELSE 'good' END what,
  count(*) n, count_if(method IN ('GET', 'HEAD')) safe_methods,
  approx_percentile(idle, ARRAY[0.1, 0.5, 0.9]) idle_s, min(started) first_start, max(started) last_start
FROM request GROUP BY 1 ORDER BY 2 DESC;
"""

_READ_SO = """\
-- What {product} logs prove of the keep-alive race, for {engine}. Put in bucket, account and region.
-- The race: 'closed at once' with idle_s (10, 50 and 90 % of the seconds since the target's last request) close to one
-- value, and few of 'good' at that age or beyond. 'line not read' counts what the pattern does not match.
-- idle_s is that of the node and target, not of the one connection: concurrent requests make it smaller.
"""

KNOWN: Mapping[str, tuple[str, ...]] = {"aws-alb": ("athena", "trino")}
"""The formats that have a query, and for which engines."""


def statements(formats: Sequence[str], engine: str, day: float | None = None) -> str:
    """Table and query for the first of the formats that has one in this engine. `day` (seconds since 1970) is when the
    log begins. UsageError where there is none."""
    name = next((one for one in formats if engine in KNOWN.get(one, ())), None)
    if name is None:
        there = "; ".join(f"{', '.join(engines)} for {one}" for one, engines in KNOWN.items())
        raise UsageError(f"--sql {engine}: no query for {', '.join(formats) or 'these files'}. There is {there}")
    stamp = datetime.fromtimestamp(day or 0.0, UTC).strftime("%Y/%m/%d")
    return _READ_SO.format(product=name, engine=engine) + table_statement(engine, stamp) + query(engine, stamp)


def table_statement(engine: str, day: str) -> str:
    """The statement that makes `lb_log` out of the files. Athena reads backslashes in a string as escapes, Trino does
    not; both want columns of text for a regular expression, which is cast in the query."""
    athena = engine == "athena"
    kind = "string" if athena else "varchar"
    lines = [", ".join(f"{name} {kind}" for name in ALB_COLUMNS[at : at + 7]) for at in range(0, len(ALB_COLUMNS), 7)]
    regex = ALB_REGEX.replace("\\", "\\\\") if athena else ALB_REGEX
    pattern = _ATHENA_TABLE if athena else _TRINO_TABLE
    return pattern.format(columns=",\n  ".join(lines), regex=regex, where=_WHERE, day=day)


def query(engine: str, day: str) -> str:
    """The statement that counts what became of the requests of one day."""
    condition = f" WHERE day = '{day}'" if engine == "athena" else ""
    return _QUERY.format(condition=condition, race_s=RACE_S)
