"""What a trust store of this machine says of a certificate chain."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.client_kinds import ClientKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTrial:
    """Whether a trust store of this machine accepts the chain that a host showed: None where that could not be told.

    `source` is where the store comes from; `public` tells that it holds Mozilla's list alone; `users` are the programs
    that take their CAs from it under the variables that are set. `strict` is what VERIFY_X509_STRICT, which Python sets
    from 3.13 on, says against the chain, "" for nothing.
    """

    store: str
    source: str
    accepts: bool | None
    detail: str = ""
    public: bool = False
    users: tuple[ClientKind, ...] = ()
    strict: str = ""

    @property
    def outcome(self) -> str:
        """What it says of the chain, in a word or two."""
        return {True: "accepts", False: "rejects", None: "not told"}[self.accepts]
