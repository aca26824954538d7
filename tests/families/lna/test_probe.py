"""Local Network Access without a browser: what is skipped and why, what the lab tells of its users."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from pathlib import Path

import trustme

from btdiag.core.target import Target, Way
from btdiag.families.lna.probe.profile import stored_decision
from btdiag.families.lna.probe.trust import verified_keys
from btdiag.lab.browser_profile import write_profile
from btdiag.lab.scenario import find
from btdiag.net.wire import Wire
from tests.support.cli import btdiag, run_json
from tests.support.serving import route_to, saying, serving

WEB_APP = "https://www.braintrust.dev"


def test_no_browser_is_no_failure() -> None:
    done = run_json("lab:private", "--only", "lna", "--browser", "none")
    assert done.code == 3
    assert set(done.verdicts.values()) == {"skip"}
    assert {check["summary"] for check in done.report["checks"]} == {
        "--browser none: what the web app's page meets in a browser was not tried"
    }


def test_a_machine_without_browser_is_told_how_to_get_one(tmp_path: Path) -> None:
    done = run_json("lab:private", "--only", "lna", env={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert set(done.verdicts.values()) == {"skip"}
    assert "apt-get install chromium" in done.report["checks"][0]["summary"]


def test_a_public_target_is_left_out_in_one_line() -> None:
    done = run_json("lab:healthy", "--only", "lna")
    assert set(done.verdicts.values()) == {"skip"}
    assert {check["summary"] for check in done.report["checks"]} == {
        "api.lab.example has public addresses only, and browsers ask no permission for those"
    }


def test_what_cannot_be_reached_names_its_cause() -> None:
    for scenario, cause in (("dns-nxdomain", "dns.resolves"), ("tcp-refused", "connection.tcp-connects")):
        done = run_json(f"lab:{scenario}", "--only", "lna")
        assert {check["because"] for check in done.report["checks"] if check["family"] == "lna"} == {cause}


def test_a_profile_that_is_none_leaves_it_undecided(tmp_path: Path) -> None:
    done = run_json("lab:private", "--only", "lna", "--browser-profile", str(tmp_path))
    assert set(done.verdicts.values()) == {"inconclusive"}
    assert "no Preferences file" in done.report["checks"][0]["summary"]


def test_a_dry_run_tells_what_the_browser_would_ask_for() -> None:
    done = btdiag("run", "--target", "https://api.corp.example", "--only", "lna", "--dry-run")
    assert "GET, OPTIONS and POST (an unknown path) https://api.corp.example/version from" in done.out
    assert "pages of https://www.braintrust.dev in a browser" in done.out


def test_the_labs_profile_reads_as_a_real_one(tmp_path: Path) -> None:
    assert stored_decision(write_profile(tmp_path / "a", "block"), WEB_APP).local == "block"
    assert stored_decision(write_profile(tmp_path / "b", "allow"), WEB_APP).local == "allow"


def test_every_outcome_has_a_scenario() -> None:
    listed = {entry["name"]: entry for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)}
    assert find("private") is not None
    assert listed["private"]["warns"] == ["lna.no-prompt-needed"]
    assert listed["private-block-stored"]["fails"] == ["lna.web-app-reaches-target"]
    assert set(listed["healthy"]["skips"]) >= {"lna.web-app-reaches-target", "lna.no-prompt-needed"}


def test_only_keys_of_certificates_that_verify_are_let_through(tmp_path: Path) -> None:
    own, stranger = trustme.CA(), trustme.CA()
    own.cert_pem.write_to_path(tmp_path / "ca.pem")

    def context(authority: trustme.CA) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(made)
        return made

    async def keys(authority: trustme.CA, verify: bool = True) -> tuple[str, ...]:
        async with serving(saying(b""), context=context(authority)) as port:
            url = f"https://127.0.0.1:{port}"
            target = Target(url=url, scheme="https", host="127.0.0.1", port=port, ca_file=tmp_path / "ca.pem")
            return await verified_keys([Way(route=route_to(port), verify=verify)], Wire(target, user_agent="x"))

    (key,) = asyncio.run(keys(own))
    assert len(base64.b64decode(key)) == 32
    assert asyncio.run(keys(stranger)) == ()
    assert asyncio.run(keys(own, verify=False)) == ()
