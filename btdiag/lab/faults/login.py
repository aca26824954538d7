"""Faults in what the control plane tells SDKs at their login."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from btdiag.lab.http import Request, Response
from btdiag.lab.plan import LabHop
from btdiag.lab.rules import Rule, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribesOrganisation(Rule):
    """Login describes the organisation otherwise: `key` has `value`."""

    hop: LabHop = LabHop.CONTROL_PLANE
    paths: tuple[str, ...] = ("/api/apikey/login",)
    key: str
    value: str | None

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The answer with that in it."""
        if response.status != 200:
            return response
        told = json.loads(response.body)
        told["org_info"] = [{**one, self.key: self.value} for one in told["org_info"]]
        return replace(response, body=json.dumps(told).encode())
