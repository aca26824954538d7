"""Are the variables and files sound that decide how clients connect: what each of them does with one that is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from btdiag.core import evidence
from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.proxy_rules import ValueFault
from btdiag.core.target import Target
from btdiag.core.wording import enumerated
from btdiag.families.clients.facts import FileState, NamedFile, Surroundings
from btdiag.families.clients.judge.counting import severity
from btdiag.families.clients.remedy import variables_remedy

SOURCES = (
    "https://requests.readthedocs.io/en/latest/user/advanced/#ca-certificates",
    "https://requests.readthedocs.io/en/latest/user/authentication/#netrc-authentication",
    "https://nodejs.org/api/cli.html#node_extra_ca_certsfile",
    "https://everything.curl.dev/usingcurl/proxies/env.html",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """One thing that is wrong: the variable or file, what is wrong with it, who does not get through for it, and what
    others do."""

    name: str
    fault: str
    stuck: tuple[ClientKind, ...] = ()
    effect: str = ""


def variables_are_sound(here: Surroundings, target: Target) -> Finding:
    """The claim of clients.variables-are-sound."""
    found = [*_files(here, target), *_proxies(here), *_others(here, target)]
    if not found:
        return Finding(verdict=Verdict.PASS, summary=_sound(here))
    worst = [severity(one.stuck, target) if one.stuck else Verdict.WARN for one in found]
    verdict = max(worst, key=lambda each: each.severity)
    first = found[worst.index(verdict)]
    told = "; ".join(f"{one.name}: {one.fault}: {_whom(one)}" for one in found)
    rows = [(one.name, one.fault, enumerated(one.stuck) if one.stuck else "nobody", one.effect) for one in found]
    table = evidence.table(
        "Variables and files that clients read", ("name", "what is wrong", "who fails", "what follows"), rows
    )
    return Finding(
        verdict=verdict,
        summary=told,
        answer=_answer(first),
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="files that exist and hold certificates, proxy URLs as every program reads them, no other login",
        seen="; ".join(f"{one.name}: {one.fault}" for one in found),
        evidence=(table,),
        remedy=variables_remedy([(one.name, one.fault) for one in found]),
        sources=SOURCES,
    )


def _sound(here: Surroundings) -> str:
    read = [f"{file.variable} names a file with certificates" for file in here.files]
    if here.variables:
        read.append(f"{', '.join(here.variables)} can be read by every program")
    return ("; ".join(read) if read else "no variable names a CA file or a proxy") + "; no other login replaces the key"


def _answer(first: Unsound) -> str:
    if first.stuck:
        who = str(first.stuck[0])
        return f"{who[0].upper()}{who[1:]} cannot connect from here, for what {first.name} says"[:90]
    return f"{first.name} is set to what programs cannot use"[:90]


def _whom(one: Unsound) -> str:
    if not one.stuck:
        return one.effect
    verb = "does" if len(one.stuck) == 1 else "do"
    return f"{enumerated(one.stuck)} {verb} not get through" + (f" ({one.effect})" if one.effect else "")


def _files(here: Surroundings, target: Target) -> Iterator[Unsound]:
    if target.scheme == "http":
        return
    named = {file.variable for file in here.files}
    for file in here.files:
        if file.state is FileState.SOUND:
            continue
        stuck, effect = _of_file(file, named)
        words = f"names {file.path}, which is {file.state}"
        yield Unsound(name=file.variable, fault=words, stuck=stuck, effect=effect)


def _of_file(file: NamedFile, named: set[str]) -> tuple[tuple[ClientKind, ...], str]:
    match file.variable:
        case "REQUESTS_CA_BUNDLE":
            return (ClientKind.PYTHON,), "requests raises OSError before it connects"
        case "CURL_CA_BUNDLE":
            also = () if "REQUESTS_CA_BUNDLE" in named else (ClientKind.PYTHON,)
            return (*also, ClientKind.CURL), ""
        case "SSL_CERT_FILE":
            return (ClientKind.HTTPX,), "OpenSSL says nothing and trusts what else it has"
        case "NODE_EXTRA_CA_CERTS":
            return (), "Node.js prints a warning and goes on without it"
        case _:
            return (), "OpenSSL says nothing and trusts what else it has"


_STUCK_BY = {
    ValueFault.QUOTED: (ClientKind.PYTHON, ClientKind.HTTPX, ClientKind.NODE, ClientKind.CURL),
    ValueFault.RETURN: (ClientKind.PYTHON, ClientKind.HTTPX, ClientKind.CURL),
    ValueFault.BLANK: (ClientKind.PYTHON, ClientKind.CURL),
    ValueFault.SCHEMELESS: (ClientKind.NODE,),
    ValueFault.SOCKS: (),
}
_SOCKS = (
    "requests and httpx use one only with PySocks and socksio installed, and fail at once without; btdiag cannot ask "
    "it, and goes directly"
)


def _proxies(here: Surroundings) -> Iterator[Unsound]:
    faults: dict[tuple[str, ValueFault], None] = {}
    for one in here.readings:
        if one.fault is not None:
            faults[one.reading.variable, one.fault] = None
    for name, fault in faults:
        reading = [one.kind for one in here.readings if one.reading.variable == name and one.reading.proxied]
        stuck = tuple(kind for kind in reading if kind in _STUCK_BY[fault])
        if fault is ValueFault.SOCKS:
            yield Unsound(name=name, fault=f"it is {fault}", effect=_SOCKS)
        elif stuck:
            yield Unsound(name=name, fault=f"its value has {fault}", stuck=stuck)


def _others(here: Surroundings, target: Target) -> Iterator[Unsound]:
    if here.netrc:
        yield Unsound(
            name=".netrc",
            fault=f"{here.netrc} holds a login for {target.host}",
            stuck=(ClientKind.PYTHON,),
            effect="requests sends that login in place of the API key",
        )
    if here.unverified and target.scheme == "https":
        effect = "Node.js trusts every certificate, and sends the API key to whoever answers"
        yield Unsound(name="NODE_TLS_REJECT_UNAUTHORIZED", fault="it is 0", effect=effect)
