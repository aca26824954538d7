"""Does every client trust the certificate: by which trust stores of this machine accept the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.certificate_names import short_name
from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.stores import StoreTrial
from btdiag.core.target import Target
from btdiag.core.wording import enumerated
from btdiag.families.clients.facts import ChainTrials
from btdiag.families.clients.judge.counting import severity
from btdiag.families.clients.remedy import strict_remedy, trust_remedy
from btdiag.families.connection.judge.diagnosis import top_of_chain

STRICT_SINCE = (3, 13)
SOURCES = (
    "RFC 5280 section 6",
    "https://requests.readthedocs.io/en/latest/user/advanced/#ca-certificates",
    "https://nodejs.org/api/cli.html#node_extra_ca_certsfile",
    "https://docs.python.org/3/library/ssl.html#ssl.create_default_context",
)


def trust_the_certificate(trials: ChainTrials, connections: Mapping[str, Connection], target: Target) -> Finding:
    """The claim of clients.trust-the-certificate."""
    one = connections.get(trials.label)
    issuer = short_name(top_of_chain(one.handshake.chain).issuer) if one and one.handshake else "the issuer"
    told = [trial for trial in trials.stores if trial.accepts is not None and trial.users]
    judged = [kind for trial in told for kind in trial.users]
    refusing = [trial for trial in told if trial.accepts is False]
    if refusing:
        return _refused(trials, refusing, judged, issuer, target)
    strict = [trial for trial in told if trial.strict]
    if strict:
        return _against_the_rules(trials, strict[0], target)
    given = f", given the CAs in {trials.assumed}" if trials.assumed else ""
    unknown = [str(kind) for kind in (ClientKind.PYTHON, ClientKind.NODE) if kind not in judged]
    note = f"; of {' and '.join(unknown)} nothing is known here" if unknown else ""
    return Finding(
        verdict=Verdict.PASS if told else Verdict.SKIP,
        summary=f"{enumerated(judged)} trust{'s' if len(judged) == 1 else ''} the certificate{given}, as does Python "
        f"{STRICT_SINCE[0]}.{STRICT_SINCE[1]} with its stricter rules{note}"
        if told
        else "no trust store of another client is known on this machine",
        evidence=stores_table(trials.stores),
    )


def _refused(
    trials: ChainTrials, refusing: Sequence[StoreTrial], judged: Sequence[ClientKind], issuer: str, target: Target
) -> Finding:
    stuck = [kind for trial in refusing for kind in trial.users]
    where = "; ".join(f"{trial.store} ({trial.source}): {trial.detail}" for trial in refusing)
    well = [kind for kind in judged if kind not in stuck]
    aside = f", {enumerated(well)} {'does' if len(well) == 1 else 'do'}" if well else ""
    return Finding(
        verdict=severity(stuck, target, judged),
        summary=f"{enumerated(stuck)} {'does' if len(stuck) == 1 else 'do'} not trust the certificate, whose chain "
        f"ends at {issuer}{aside} ({where})",
        answer=f"{_first(stuck)} cannot connect from here: the CA is not in its own list",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="every client's own list of CAs accepts the chain",
        seen=where,
        evidence=stores_table(trials.stores),
        remedy=trust_remedy(stuck, issuer),
        sources=SOURCES,
    )


def _first(stuck: Sequence[ClientKind]) -> str:
    words = str(stuck[0])
    return words[0].upper() + words[1:]


def _against_the_rules(trials: ChainTrials, trial: StoreTrial, target: Target) -> Finding:
    """Strict verification is a matter of the Python that runs the SDK: of that here, as far as is known."""
    here = trials.python >= STRICT_SINCE
    stuck = [ClientKind.PYTHON] if here else []
    return Finding(
        verdict=severity(stuck, target) if here else Verdict.WARN,
        summary=f"Python 3.13 and newer refuse the certificate chain ({trial.strict}), older ones and other programs "
        f"do not; this machine runs Python {trials.python[0]}.{trials.python[1]}",
        answer="Python 3.13 and newer refuse the certificate chain, for it breaks RFC 5280",
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES,
        expected="a chain that VERIFY_X509_STRICT accepts, which Python sets from 3.13 on",
        seen=f"OpenSSL says with X509_V_FLAG_X509_STRICT: {trial.strict}",
        evidence=stores_table(trials.stores),
        remedy=strict_remedy(trial.strict),
        sources=(SOURCES[0], SOURCES[-1]),
    )


def stores_table(stores: Sequence[StoreTrial]) -> tuple[Evidence, ...]:
    """Which trust store accepts the chain, and who uses it."""
    rows = [(one.store, one.source, ", ".join(one.users), one.outcome, one.detail or one.strict) for one in stores]
    return (evidence.table("Trust stores of this machine", ("store", "from", "used by", "outcome", "seen"), rows),)
