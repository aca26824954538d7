"""Servers that break every bound a client should have: each must be seen to misbehave, within the budget."""

from btdiag.lab.faults.hostile import Hostile, Kind
from btdiag.lab.scenario import BEYOND_CONNECTION, PAST_FRONT, Scenario


def _hostile(kind: Kind, summary: str) -> Scenario:
    return Scenario(
        name=f"hostile-{kind}",
        summary=summary,
        faults=(Hostile(kind=kind),),
        fails=("readiness.root-answers",),
        skips=("connection.clocks-agree", *BEYOND_CONNECTION),  # no answer, no Date
        passes=PAST_FRONT,
    )


SILENT = _hostile("silent", "The request is read and never answered.")
ENDLESS_HEADER = _hostile("endless-header", "The response's header never ends.")
ENDLESS_BODY = _hostile("endless-body", "The response's body never ends.")
DRIP = _hostile("drip", "The response comes a byte at a time.")
GZIP_BOMB = _hostile("gzip-bomb", "A megabyte of gzip unpacks to a gigabyte.")
ESCAPES = _hostile("escapes", "Terminal escapes in the reason phrase, in header values and in the body.")
BINARY = _hostile("binary", "Random bytes instead of HTTP.")
RESET = _hostile("reset", "The connection is reset after the request.")
CUT_OFF = _hostile("cut-off", "The body ends long before its Content-Length.")
