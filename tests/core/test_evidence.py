"""The curl command of an exchange goes the way that the request went."""

from __future__ import annotations

import pytest

from btdiag.core.evidence import curl
from tests import factories


@pytest.mark.parametrize(
    ("url", "label", "address", "way"),
    [
        ("https://api.example/x", "10.0.0.1", "10.0.0.1", "--resolve api.example:443:10.0.0.1 "),
        ("http://api.example:8000/", "::1", "::1", "--resolve 'api.example:8000:[::1]' "),
        ("http://[::1]:8000/", "::1", "::1", ""),
        ("http://127.0.0.1/", "127.0.0.1", "127.0.0.1", ""),
        ("https://api.example/", "proxy proxy.example:3128", "10.9.9.9", "-x http://proxy.example:3128 "),
        ("https://api.example/", "api.example:443", None, ""),
    ],
)
def test_the_way(url: str, label: str, address: str | None, way: str) -> None:
    seen = factories.exchange(
        url=url, label=label, started_at="", request_headers=(("Host", "h"), ("A", "b")), address=address
    )
    quoted = f"'{url}'" if "[" in url else url
    assert curl(seen).data == f"curl -sv -o /dev/null -X GET {way}-H 'A: b' {quoted}"
