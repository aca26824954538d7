"""The page of `btdiag logs` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from btdiag.logs.claims import CLAIMS, claims_table, explain_claim
from btdiag.logs.event import KINDS, RACE_S

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no documents beside an installed package")
def test_the_page_has_all_checks_and_kinds() -> None:
    page = (ROOT / "docs" / "logs.md").read_text("utf-8")
    assert page.endswith(claims_table())
    assert all(f"`{kind}`" in page for kind in KINDS)
    assert f"{RACE_S * 1000:.0f} ms" in page


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no documents beside an installed package")
def test_the_readme_leads_to_checks_that_exist() -> None:
    named = set(re.findall(r"`(logs\.[a-z-]+)`", (ROOT / "README.md").read_text("utf-8")))
    assert named
    assert named <= {claim.id for claim in CLAIMS}


def test_each_check_is_explained() -> None:
    for claim in CLAIMS:
        text = explain_claim(claim.id) or ""
        assert claim.title in text
        assert all(kind in text for kind in claim.kinds)
        assert len(claim.answer) <= 90
        assert len(claim.action) <= 140
    assert explain_claim("dns.resolves") is None
