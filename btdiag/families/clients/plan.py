"""Which clients are known to be in use, by what --sdk says."""

from __future__ import annotations

from btdiag.core.client_kinds import ClientKind
from btdiag.core.target import Target


def declared_clients(target: Target) -> frozenset[ClientKind]:
    """The clients that the SDKs named with --sdk connect by."""
    languages = {language.lower() for language, _ in target.sdks}
    return frozenset(kind for kind in ClientKind if kind.languages & languages)
