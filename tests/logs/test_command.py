"""The command: formats, exit codes, packed and piped input, time ranges, redaction, and what a user gets wrong."""

from __future__ import annotations

import gzip
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import zstandard

from btdiag.config.values import UsageError
from btdiag.logs import advice, configuration
from btdiag.logs.claims import RACE
from btdiag.logs.command import logs_command
from btdiag.logs.event import KINDS
from btdiag.logs.recognition import Reader

FORMATS = ["text", "json", "markdown", "junit", "html", "sarif", "openmetrics"]


def run(*paths: Path | str, **options: object) -> tuple[int, str]:
    out = io.StringIO()
    return logs_command([str(path) for path in paths], out=out, **options), out.getvalue()  # type: ignore[arg-type]


def report(*paths: Path | str, **options: object) -> dict[str, object]:
    return json.loads(run(*paths, format_="json", **options)[1])  # type: ignore[no-any-return]


def check(found: dict[str, object], name: str) -> dict[str, str]:
    checks = found["checks"]
    assert isinstance(checks, list)
    return next(one for one in checks if one["id"] == name)


def test_json_is_the_contract(case_folder: Path) -> None:
    found = report(case_folder / "s031")
    assert {"kind": "logs", "verdict": "fail", "schema_version": 1}.items() <= found.items()
    files, kinds = found["files"], found["kinds"]
    assert isinstance(files, list)
    assert isinstance(kinds, list)
    assert {"path", "product", "format", "lines", "requests", "malformed", "from", "to"} <= set(files[0])
    assert {"kind", "count", "of", "sure", "fits", "file", "first_line", "lines", "upstreams", "methods", "since",
            "until", "idle_age_s", "k_s"} == set(kinds[0])  # fmt: skip
    assert (kinds[0]["kind"], kinds[0]["sure"], kinds[0]["k_s"]) == ("race", True, pytest.approx(3.0, abs=0.03))
    assert all(set(row["fits"]) <= set(KINDS) for row in kinds)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_of_the_race_and_exits_alike(case_folder: Path, name: str) -> None:
    code, text = run(case_folder / "ss01", format_=name)
    assert code == 1
    assert RACE in text
    assert run(case_folder / "ss02", format_=name)[0] == 0


def test_the_answer_comes_first_with_cause_effect_and_both_numbers(case_folder: Path) -> None:
    text = run(case_folder / "ss01", lb_idle_timeout="900s")[1]
    first = text.splitlines()[0]
    assert first.startswith("FAIL  25 requests were lost on connections that the backend closed after 66 s idle. ")
    assert "Set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS to 905 or more" in first
    assert "the ALB keeps them for 900 s" in text


def test_a_cloud_whose_timeout_is_fixed_needs_no_option(case_folder: Path) -> None:
    race = check(report(case_folder / "ss04"), RACE)
    assert "Google's load balancer keeps them for 600 s" in race["summary"]


def test_a_sound_log_says_what_it_rests_on(case_folder: Path) -> None:
    sound = case_folder / "ss02"
    race = check(report(sound, backend_keepalive="65"), RACE)
    assert race["verdict"] == "pass"
    assert re.search(r"[1-9]\d* of them came 58.5 to 68.25 s after the one before", race["summary"])
    beyond = check(report(sound, lb_idle_timeout="5000"), RACE)
    assert beyond["verdict"] == "inconclusive"
    assert "too few" in beyond["summary"]


def test_both_timeouts_decide_where_nothing_was_lost_yet(case_folder: Path) -> None:
    sound = case_folder / "ss02"
    assert check(report(sound, lb_idle_timeout="33", backend_keepalive="65"), RACE)["verdict"] == "pass"
    wrong = check(report(sound, lb_idle_timeout="900", backend_keepalive="65"), RACE)
    assert wrong["verdict"] == "warn"
    assert "905" in str(wrong["remedy"])


def test_a_clean_haproxy_log_proves_nothing(case_folder: Path) -> None:
    found = report(case_folder / "s029")
    assert check(found, RACE)["verdict"] == "inconclusive"
    assert "no line" in check(found, RACE)["summary"]


def test_what_a_log_leaves_open_is_named_with_what_settles_it(case_folder: Path) -> None:
    found = report(case_folder / "s037" / "access-combined.log")
    assert found["verdict"] == "inconclusive"
    text = run(case_folder / "s037" / "access-combined.log")[1]
    assert "log_format upstream" in text
    settled = report(case_folder / "s037")
    assert check(settled, "logs.backend-takes-connections")["verdict"] == "fail"


def test_what_a_format_cannot_show_is_not_passed(case_folder: Path) -> None:
    found = report(case_folder / "s001" / "access-combined.log", case_folder / "s001" / "access-rich.log")
    assert check(found, "logs.clients-wait-for-answers")["verdict"] == "skip"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_packed_files_are_read(case_folder: Path, tmp_path: Path, pack: object) -> None:
    content = (case_folder / "ss01" / "alb-synthetic.log").read_bytes()
    (tmp_path / "packed").write_bytes(pack(content))  # type: ignore[operator]
    assert run(tmp_path / "packed")[0] == 1
    (tmp_path / "cut").write_bytes(pack(content)[:15_000])  # type: ignore[operator]
    assert run(tmp_path / "cut", fail_on="never")[0] == 0


def test_stdin_and_rotated_sets(case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (case_folder / "ss01" / "alb-synthetic.log").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("-")[0] == 1
    lines = content.splitlines(keepends=True)
    (tmp_path / "lb.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:100])))
    (tmp_path / "lb.log.1").write_bytes(b"".join(lines[100:200]))
    (tmp_path / "lb.log").write_bytes(b"".join(lines[200:]))
    found = report(tmp_path)
    assert [Path(one["path"]).name for one in found["files"]] == ["lb.log.2.gz", "lb.log.1", "lb.log"]  # type: ignore[attr-defined]
    assert check(found, RACE)["verdict"] == "fail"


def test_since_and_until(case_folder: Path) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    whole = report(path)["files"]
    part = report(path, since="2026-11-25T07:10:00Z", until="2026-11-25 07:15")["files"]
    assert 0 < part[0]["requests"] < whole[0]["requests"]  # type: ignore[index]


def test_secrets_and_query_strings_are_in_no_output(tmp_path: Path) -> None:
    line = (
        '203.0.113.9 - - [26/Nov/2026:08:41:42 +0000] "POST /k/sk-abcdefghijklmnop1234567890?token='
        'sk-zyxwvutsrqponmlk0987654321 HTTP/1.1" 502 157 "https://x/?sig=SECRETSIG" "a Cookie: session=COOKIEVALUE"\n'
    )
    (tmp_path / "access.log").write_text(line)
    for name in FORMATS:
        text = run(tmp_path / "access.log", format_=name, anonymize=True)[1]
        assert "sk-abcdef" not in text
        assert "sk-zyxw" not in text
        assert "SECRETSIG" not in text
        assert "COOKIEVALUE" not in text
        assert "203.0.113.9" not in text
    assert "203.0.113.9" in run(tmp_path / "access.log")[1]


def test_fail_on(case_folder: Path) -> None:
    path = case_folder / "s037" / "access-combined.log"
    assert run(path)[0] == 0
    assert run(path, fail_on="inconclusive")[0] == 1
    assert run(case_folder / "ss01", fail_on="never")[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "yesterday"}, "--since yesterday: is no time"),
        ({"backend_keepalive": "-3"}, "--backend-keepalive -3"),
        ({"log_format": "nothing here"}, "names no field"),
        ({"log_format": "$remote_addr $request"}, "holds no status"),
        ({"config": "missing.conf"}, "missing.conf: No such file"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(case_folder: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        run(case_folder / "ss01", **options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_no_log_at_all_is_a_wrong_command(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    with pytest.raises(UsageError, match="no log in a known format"):
        run(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        run(tmp_path / "missing.log")


def test_junit_has_a_case_for_each_check_and_sarif_a_line(case_folder: Path) -> None:
    suite = ElementTree.fromstring(run(case_folder / "ss01", format_="junit")[1]).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), len(suite.findall("testcase"))) == ("1", 13)
    result = json.loads(run(case_folder / "ss01", format_="sarif")[1])["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_the_page_draws_time_ages_and_both_timeouts_without_script(case_folder: Path) -> None:
    page = run(case_folder / "ss01", format_="html", lb_idle_timeout="900")[1]
    assert page.count("<svg") == 2
    assert "backend closes: 66 s" in page
    assert "idle timeout: 900 s" in page
    assert "<script" not in page


NGINX_CONF = """
http {
  # log_format old '$status';
  log_format main '$remote_addr [$time_iso8601] "$request" $status $request_time '
                  'up="$upstream_addr" $upstream_status $upstream_connect_time $upstream_header_time '
                  '$upstream_response_time $msec';
  upstream api { server api:8000; keepalive 64; keepalive_timeout 75s; }
  access_log /var/log/nginx/access.log main;
}
"""


def test_an_nginx_configuration_gives_format_and_timeout(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX_CONF)
    lines = []
    for number in range(1, 13):
        start = 1795682467.0 + number * 70
        head = '1.2.3.4 [2026-11-26T08:41:07+00:00] "POST /logs3 HTTP/1.1"'
        good = f'{head} 200 0.010 up="10.0.0.1:8000" 200 0.000 0.009 0.010 {start:.3f}\n'
        lost = f'{head} 502 0.001 up="10.0.0.1:8000" 502 0.000 - 0.001 {start + 66.001:.3f}\n'
        lines += [good, *([lost] if number % 2 else [])]
    (tmp_path / "odd.log").write_text("".join(lines))
    found = report(tmp_path / "odd.log", config=str(tmp_path / "nginx.conf"))
    race = check(found, RACE)
    assert race["verdict"] == "fail"
    assert "nginx keeps them for 75 s" in race["summary"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('%h %l %u %t "%r" %>s %b %D', '1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "GET /a HTTP/1.1" 503 10 1234'),
        (
            "[%START_TIME%] %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %DURATION%",
            "[2026-11-26T08:41:40.000Z] GET /a 503 UC 3",
        ),
        ("$time_iso8601|$request_method|$request_uri|$status|$upstream_addr", "2026-11-26T08:41:40Z|GET|/a|503|-"),
    ],
)
def test_format_strings_as_people_have_them(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "own.log").write_text(f"{line}\n" * 3)
    found = report(tmp_path / "own.log", log_format=text)
    assert found["files"][0]["requests"] == 3  # type: ignore[index]
    assert found["kinds"][0]["count"] == 3  # type: ignore[index]


def test_a_sampled_log_speaks_of_shares(case_folder: Path) -> None:
    found = check(report(case_folder / "ss11"), "logs.backend-name-is-found")
    assert "may be a sample" in found["summary"]


def test_the_formats_that_are_advised_are_read_with_all_their_fields() -> None:
    stated = configuration.stated_in(advice.SETTLES["nginx"].code)
    assert stated.pattern is not None
    line = (
        '1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "POST /btql HTTP/1.1" 502 157 "-" "x" msec=1795682500.333 rt=0.001'
        ' uct=0.000 uht=- urt=0.001 ua="10.0.0.1:8000" us="502" ubr="0" c=7 compl=OK'
    )
    for event in (stated.pattern.parse(line.encode()), Reader().parse(line.encode())):
        assert event is not None
        assert (event.fits[0], event.took, event.upstream) == ("race", 0.001, b"10.0.0.1:8000")


@pytest.mark.parametrize("wrap", ["[\n%s\n]\n", '{"records": [%s]}'])
@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_of_records_are_read_as_gcloud_and_azure_write_them(
    case_folder: Path, tmp_path: Path, wrap: str, indent: int | None
) -> None:
    lines = (case_folder / "ss04" / "gcp-lb-synthetic.jsonl").read_text("utf-8").splitlines()
    text = wrap % ",\n".join(json.dumps(json.loads(line), indent=indent) for line in lines)
    (tmp_path / "array.json").write_text(text)
    found = report(tmp_path / "array.json")
    assert check(found, RACE)["verdict"] == "fail"
    assert found["files"][0]["requests"] == len(lines)  # type: ignore[index]
    first = found["kinds"][0]["first_line"]  # type: ignore[index]
    assert '"status": 502' in "".join(text.splitlines()[first - 1 : first + 12])
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    assert 0 < report(tmp_path / "cut.json")["files"][0]["requests"] < len(lines)  # type: ignore[index]


def test_what_a_controller_writes_between_is_no_broken_line(tmp_path: Path) -> None:
    line = '1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "GET / HTTP/1.1" 200 1 "-" "x"\n'
    klog = "I1126 08:41:40.123456       7 controller.go:190] Configuration changes detected, backend reload required\n"
    (tmp_path / "ingress.log").write_text("-" * 79 + "\n" + klog + line * 3)
    assert report(tmp_path / "ingress.log")["files"][0]["malformed"] == 0  # type: ignore[index]


def test_more_failures_than_are_kept_are_counted_all_the_same(
    case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = case_folder / "s037"
    whole = report(path)
    monkeypatch.setattr("btdiag.logs.account.MOST_FAILURES", 5)
    part = report(path)
    for found in (whole, part):
        kinds = found["kinds"]
        assert isinstance(kinds, list)
        assert sum(row["count"] for row in kinds if row["file"].endswith("access-rich.log")) == 33
    assert "33 of 188 requests" in check(part, "logs.backend-takes-connections")["summary"]
    assert check(part, "logs.backend-takes-connections")["summary"].count("08:42:13Z") == 1
