"""Audit headers that do not arrive, or hold what nobody can read."""

from btdiag.lab.faults.gateway import NarrowBuffer
from btdiag.lab.faults.http import Headers
from btdiag.lab.scenario import Scenario

# base64 of the bare gzip stream of [{"type":"project"}], as older descriptions have it.
FLAT = "H4sIAAAAAAACA4uuViqpLEhVslIqKMrPSk0uUaqNBQCFSBhSFAAAAA=="

AUDIT_DROPPED = Scenario(
    name="audit-dropped",
    summary="The gateway drops all audit headers.",
    faults=(
        Headers(
            drop=(
                "x-bt-audit-user-id",
                "x-bt-audit-user-email",
                "x-bt-audit-normalized-url",
                "x-bt-audit-resources",
            )
        ),
    ),
    fails=("audit.headers-arrive",),
    skips=("audit.resources-decode",),
)

AUDIT_TOO_LONG = Scenario(
    name="audit-too-long",
    summary="The gateway's buffer for response headers is too small for the audit headers of many projects: 502.",
    faults=(NarrowBuffer(),),
    fails=("audit.headers-arrive",),
)

AUDIT_CUT = Scenario(
    name="audit-cut-off",
    summary="The list of resources is cut off on its way.",
    faults=(
        Headers(set=(("x-bt-audit-resources", '{"v":1,"p":"H4sIAAAAAAACA4uuViqpLEhVslIq"}'),), paths=("/v1/project",)),
    ),
    fails=("audit.resources-decode",),
)

AUDIT_FLAT = Scenario(
    name="audit-flat",
    summary="The list of resources comes without its envelope.",
    faults=(Headers(set=(("x-bt-audit-resources", FLAT),), paths=("/v1/project",)),),
    warns=("audit.resources-decode",),
)
