"""What browsers keep of an answer for themselves, and for whom. Pure.

Source: RFC 9111 sections 3 and 5.2.2: `private` forbids shared caches alone, only `no-store` forbids the browser's.
"""

from __future__ import annotations

import re

from btdiag.core.exchange import Exchange


def varies_by_origin(seen: Exchange) -> bool:
    """Does the answer say that it depends on Origin (RFC 9110 section 12.5.5)?"""
    names = {name.strip().lower() for name in (seen.header("vary") or "").split(",")}
    return bool(names & {"origin", "*"})


def only_browsers_keep(seen: Exchange) -> bool:
    """May a browser use the answer again without asking, while shared caches may not keep it?"""
    control = (seen.header("cache-control") or "").lower()
    if re.search(r"no-store|no-cache|max-age=0\b", control) or "private" not in control:
        return False
    return re.search(r"max-age=[1-9]", control) is not None
