"""Who counts: a client that is in use here and cannot get through is a failure, any other one a warning."""

from __future__ import annotations

from collections.abc import Collection

from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Verdict
from btdiag.core.target import Target
from btdiag.families.clients.plan import declared_clients

_SDKS = frozenset({ClientKind.PYTHON, ClientKind.NODE})


def severity(stuck: Collection[ClientKind], target: Target, judged: Collection[ClientKind] = _SDKS) -> Verdict:
    """`fail` where a client is stuck that --sdk names; where --role sdk names none and no SDK among the `judged` gets
    through; and where browsers are stuck, unless --role says that none is used here. Else `warn`."""
    named = declared_clients(target)
    if named.intersection(stuck):
        return Verdict.FAIL
    known = _SDKS & set(judged)
    if target.role == "sdk" and not target.sdks and known and known <= set(stuck):
        return Verdict.FAIL
    if ClientKind.BROWSER in stuck and target.role in {None, "browser"}:
        return Verdict.FAIL
    return Verdict.WARN
