"""What is said of a cause, before hop and owner are proved; and who wrote a response, in words."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core import sender
from btdiag.core.finding import HopName, Snippet
from btdiag.families.cors.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`what` is a clause that follows the observation, `text` what to change; `at_api`: the API server itself does it,
    as far as can be told without asking it."""

    what: str
    text: str
    snippets: tuple[Snippet, ...] = ()
    at_api: bool = False


def speaker(problem: Problem) -> str:
    """Who wrote the response."""
    who = sender.sender(problem.trial.exchange)
    server = problem.trial.exchange.header("server")
    if who.confidence is not sender.Confidence.UNKNOWN and who.hop is not HopName.API:
        return who.words
    return f"Server: {server}" if server else who.words
