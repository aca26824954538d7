"""Which proxy the environment's variables come to, as they are written: faults of spelling are findings, and no end."""

from __future__ import annotations

from pathlib import Path

import pytest

from btdiag.config.proxies import environment_proxy
from btdiag.config.settings import settings
from btdiag.config.targets import target
from btdiag.config.values import UsageError
from btdiag.core.target import Secret

URL = "https://api.corp.test"


@pytest.mark.parametrize(
    "value", ['"http://me:pw@p.test:3128"', "http://me:pw@p.test:3128\r", " http://me:pw@p.test:3128"]
)
def test_a_value_is_taken_as_it_was_meant(value: str) -> None:
    proxy, note = environment_proxy({"HTTPS_PROXY": value}, URL)
    assert proxy is not None
    assert (proxy.url, proxy.source, proxy.credentials) == ("http://p.test:3128", "HTTPS_PROXY", Secret("me:pw"))
    assert note == ""


def test_a_socks_proxy_is_no_end_of_the_run() -> None:
    proxy, note = environment_proxy({"ALL_PROXY": "socks5h://me:pw@p.test:1080"}, URL)
    assert proxy is None
    assert note == "ALL_PROXY names a SOCKS proxy, which btdiag cannot ask: it goes directly"


def test_an_entry_that_other_programs_read_is_told() -> None:
    proxy, note = environment_proxy({"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": "*.corp.test"}, URL)
    assert proxy is not None
    assert note == "*.corp.test in NO_PROXY exempts it for the JavaScript SDK (Node.js), Go programs alone"


def test_what_is_no_proxy_at_all_is_told_without_it() -> None:
    with pytest.raises(UsageError) as caught:
        environment_proxy({"HTTPS_PROXY": "http://me:Hunter#2secret@p.test:3128"}, URL)
    assert "Hunter" not in str(caught.value)


def test_a_ca_file_of_the_environment_that_is_missing_is_no_end_of_the_run(tmp_path: Path) -> None:
    gone = {"SSL_CERT_FILE": str(tmp_path / "gone.pem")}
    made = settings({"target": (URL,)}, gone, tmp_path)
    assert target(made, made.urls[0]).ca_file is None
    with pytest.raises(UsageError, match="--ca"):
        settings({"target": (URL,), "ca": gone["SSL_CERT_FILE"]}, {}, tmp_path)
