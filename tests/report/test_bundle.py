"""A bundle holds what its manifest says, no secret, and with pseudonyms no name of the network it came from."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import pytest

from btdiag.core.finding import Evidence, Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.core.target import Secret
from btdiag.report.anonymize import anonymize
from btdiag.report.bundle import LONGEST_BODY, MOST_EXCHANGES, bundled_files, exchanges, pack, preview

EXCHANGE: dict[str, Any] = {
    "method": "GET",
    "url": "https://h",
    "request_headers": [],
    "started_at": "t",
    "body": "x" * 10_000,
}


def with_evidence(report: Report, *evidence: Evidence) -> Report:
    return replace(report, checks=(replace(report.checks[0], evidence=evidence),))


def test_the_manifest_tells_every_file(failing: Report) -> None:
    entries = bundled_files(failing, environment={"python": "3.11"})
    archive = zipfile.ZipFile(io.BytesIO(pack(entries)))
    manifest = json.loads(archive.read("manifest.json"))
    assert archive.namelist() == ["manifest.json", *(file["name"] for file in manifest["files"])]
    for file in manifest["files"]:
        content = archive.read(file["name"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
    assert manifest["redactions"] == dict(failing.redactions)
    assert (manifest["anonymized"], manifest["pseudonyms"]) == (False, {})
    archive.close()


def test_the_preview_lists_what_is_written_and_nothing_else(failing: Report) -> None:
    entries = bundled_files(failing)
    assert [line.split()[0] for line in preview(entries).splitlines()[2:]] == [entry.name for entry in entries]
    assert "environment.json" not in preview(entries)


def test_the_same_report_gives_the_same_bytes(failing: Report) -> None:
    assert pack(bundled_files(failing)) == pack(bundled_files(failing))


def test_no_secret_is_in_any_file(failing: Report) -> None:
    report = replace(failing, headline="key canary-key-1234 at https://u:canary@h/")
    for entry in bundled_files(report, secrets=[Secret("canary-key-1234")]):
        assert b"canary" not in entry.content


def test_exchanges_are_found_in_evidence_and_facts_and_cut(failing: Report) -> None:
    nested = replace(failing.measurements[0], fact={"by": [{"exchange": EXCHANGE}], "n": 1})
    report = replace(
        with_evidence(failing, Evidence(kind="exchange", title="t", data=EXCHANGE)), measurements=(nested,)
    )
    found = json.loads(json.dumps(exchanges(report)))
    assert [each["from"] for each in found] == ["check dns.resolves", "measurement resolution"]
    assert {len(each["exchange"]["body"]) for each in found} == {LONGEST_BODY}


def test_exchanges_without_a_body_and_too_many_are_bounded(failing: Report) -> None:
    bare = {name: value for name, value in EXCHANGE.items() if name != "body"}
    report = with_evidence(failing, Evidence(kind="facts", title="t", data=[bare] * (MOST_EXCHANGES + 1)))
    assert len(exchanges(report)) == MOST_EXCHANGES


HOSTILE_NAMES = [
    "braintrust.example.com",
    "laptop-7",
    "proxy:3128",
    "10.0.3.17",
    "10.0.4.22",
    "internal-alb-1.eu-west-1.elb.amazonaws.com",
    "ns1.example.com",
    "fd00:1234::17",
    "8.8.4.4",
]


def named(failing: Report) -> Report:
    text = "fd00:1234::17 and 8.8.4.4 by CNAME internal-alb-1.eu-west-1.elb.amazonaws.com asked NS1.example.com"
    check = CheckResult(
        id="dns.x", family="dns", title="t", verdict=Verdict.FAIL, summary=text, sources=failing.checks[1].sources
    )
    return replace(failing, checks=(*failing.checks, check))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_or_address_survives_pseudonyms(name: str, failing: Report) -> None:
    for entry in bundled_files(named(failing), anonymize=True):
        assert name.lower() not in entry.content.decode().lower(), entry.name


def test_pseudonyms_are_stable_keep_their_kind_and_leave_the_rest(failing: Report) -> None:
    report, numbers = anonymize(named(failing))
    assert report.checks[-1].summary == (
        "private-ipv6-address-1 and public-ipv4-address-1 by CNAME host-4.invalid asked host-5.invalid"
    )
    assert report.target["url"] == "https://host-3.invalid"
    assert report.run.vantage.hostname == "host-1.invalid"
    assert report.checks[1].sources == failing.checks[1].sources
    assert [check.id for check in report.checks] == [check.id for check in named(failing).checks]
    assert numbers == {"hosts": 5, "addresses": 4}
    assert anonymize(report)[0] == report


@pytest.mark.parametrize(
    "text",
    [
        "www.braintrust.dev and https://api.braintrust.dev stay",
        "127.0.0.1, ::1, 0.0.0.0 and localhost stay",
        "at 09:00:58 version 1.2.3.4.5, 300.1.1.1, std::move",
        "the API server at the api",
    ],
)
def test_what_everybody_knows_stays(text: str, failing: Report) -> None:
    vantage = replace(failing.run.vantage, hostname="api")
    target = {"url": "https://api", "host": "api"}
    report = replace(failing, headline=text, target=target, run=replace(failing.run, vantage=vantage))
    assert anonymize(report)[0].headline == text
    assert anonymize(report)[0].run.vantage.hostname != "api"


@pytest.mark.parametrize("address", ["169.254.1.1", "fe80::1"])
def test_link_local_addresses_are_named_so(address: str, failing: Report) -> None:
    assert "link-local-ipv" in anonymize(replace(failing, headline=f"on {address} here"))[0].headline


def test_urls_of_addresses_become_addresses(failing: Report) -> None:
    report = replace(failing, headline="see http://10.1.1.1:8080/x")
    assert anonymize(report)[0].headline.startswith("see http://private-ipv4-address-")


def test_a_set_is_anonymized_as_one(several: ReportSet) -> None:
    anonymous, numbers = anonymize(several)
    assert anonymous.reports[0].run.vantage.hostname == anonymous.reports[1].run.vantage.hostname
    assert numbers["hosts"] >= 3
    assert json.loads(bundled_files(several, anonymize=True)[0].content)["anonymized"] is True
