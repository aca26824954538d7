"""Audit headers: who asked for what, as the API tells server-side clients that ask for it."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured
from btdiag.families.audit import judge as judged
from btdiag.families.audit.facts import Audit


def check_headers_arrive(audit: Audit, backend_audit: Audit | NotMeasured) -> Finding:
    """Audit headers arrive when they are asked for.

    A proxy that logs who did what reads them from the answers. A hop that drops them, or has too small a buffer for
    answers with long headers, leaves the log empty.

    Measured: one read (GET /v1/project?limit=1) with the API key and x-bt-enable-audit: true, and one of up to 100
    projects, whose list is longer; one that is lost is sent again without asking for the headers. Only the names of the
    headers are kept, never their values.

    Remedy: let every hop pass x-bt-enable-audit and x-bt-audit-* on, with response header buffers of 32 KiB.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting; https://github.com/kubernetes/ingress-nginx/issues/7946
    """
    return conclude(judged.headers_arrive(audit, backend_audit))


def check_resources_decode(audit: Audit) -> Finding:
    """The list of resources in the audit headers can be decoded.

    The header holds a JSON object with a version and a compressed list. Whoever decodes it as bare base64, or gets it
    cut off, fails on every request.

    Measured: the header is decoded strictly and within bounds: JSON, version 1, base64, gzip, a list of resources with
    a type. The older form without the envelope is a warning, for parse_audit_resources does not read it.

    Remedy: decode it with braintrust.parse_audit_resources; enlarge the header buffer of the hop that cuts it.

    Sources: https://pypi.org/project/braintrust/ (braintrust.audit); RFC 1952
    """
    return conclude(judged.resources_decode(audit))
