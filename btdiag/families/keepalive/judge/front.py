"""Idle connections between clients and the load balancer: long enough, visibly closed, and as announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.keepalive.chance import hangs_when_idle
from btdiag.families.keepalive.facts import Fate, FrontIdle, Race
from btdiag.families.keepalive.judge.shown import strips

POOL_IDLE_S = 5.0
"""Clients that pool connections reuse them for about this long without a hint: Node's fetch (undici) for 4 s, httpx for
5 s; requests and urllib3 for as long as they are open."""
SAME_AGE_S = 0.5  # connections that end within so much of each other do so by the same timer
HINT_TOLERANCE_S = 0.5  # a hint has whole seconds, and timers are looked at now and then
SOURCES = (
    "RFC 9112 section 9.5 (an idle connection may be closed at any time)",
    "https://undici.nodejs.org/#/docs/api/Client (keepAliveTimeout, 4 s)",
    "https://www.python-httpx.org/advanced/resource-limits/ (keepalive_expiry, 5 s)",
)
_FRONT_REMEDY = Remedy(
    text=f"Raise the load balancer's idle timeout towards clients above {POOL_IDLE_S:g} s; 60 s is common.",
    snippets=(
        Snippet(product="nginx", code="keepalive_timeout 75s;\nkeepalive_requests 1000;"),
        Snippet(product="HAProxy", code="timeout http-keep-alive 60s"),
        Snippet(
            product="AWS ALB",
            code="aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
            "  --attributes Key=client_keep_alive.seconds,Value=3600",
        ),
    ),
)
_PROXY_REMEDY = Remedy(
    text=f"Raise the proxy's idle timeout for tunnels (CONNECT) above {POOL_IDLE_S:g} s; 60 s is common. Where it "
    "cannot be raised, let clients keep idle connections for less time.",
    snippets=(
        Snippet(product="tinyproxy", code="Timeout 600"),
        Snippet(product="HAProxy", code="timeout tunnel 600s"),
    ),
)
_DROP_REMEDY = Remedy(
    text="Let what forgets the connections (NAT gateway, firewall, cloud load balancer) send RST, or raise its idle "
    "timeout; until then let the load balancer close idle connections earlier, and have clients send TCP keep-alives.",
    snippets=(
        Snippet(product="Linux client or server", code="sysctl -w net.ipv4.tcp_keepalive_time=60"),
        Snippet(product="nginx", code="listen 443 ssl so_keepalive=60s:10s:3;"),
        Snippet(
            product="Azure load balancer",
            code="az network lb rule update --enable-tcp-reset true --idle-timeout 15 ...",
        ),
    ),
)


def front_idle_suffices(fronts: Mapping[str, FrontIdle]) -> Finding:
    """Do idle connections live as long as clients keep them, and do they end so that clients see it? Worst address."""
    return max((_front(one) for one in fronts.values()), key=lambda finding: finding.verdict.severity)


def _front(front: FrontIdle) -> Finding:
    if not front.keeps_alive and not front.announced:
        return _bad(
            Verdict.FAIL,
            front,
            f"{front.label} closes the connection after an answer without announcing it (no Connection: close), so a "
            "client that reuses it loses its next request",
            "The load balancer closes connections unannounced: clients lose their next request",
        )
    if not front.keeps_alive:
        return _bad(
            Verdict.WARN,
            front,
            f"{front.label} closes the connection after every answer, so each request pays for a new one",
            "The load balancer closes every connection after one answer: each request pays for a new one",
        )
    return _held_open(front)


def _held_open(front: FrontIdle) -> Finding:
    """Of a load balancer that keeps connections open at all: how they end."""
    dead, resets, closings = front.ages(Fate.DEAD), front.ages(Fate.RST), front.ages(Fate.FIN)
    if dead and dead[-1] - dead[0] <= SAME_AGE_S:  # a request that met the very moment of an ordinary close
        dead, closings = (), tuple(sorted((*closings, *dead)))
    if dead and not closings:
        return _bad(
            Verdict.FAIL,
            front,
            f"{front.label} ends idle connections only when they are used: {len(dead)} of {len(front.held)} requests "
            f"at an idle age of {_ages(dead)} were answered by a close",
            "Requests on idle connections get lost: the load balancer closes them only when used",
        )
    if resets:
        return _bad(
            Verdict.WARN,
            front,
            f"{front.label} resets idle connections after {_ages(resets)} instead of closing",
            "The load balancer resets idle connections instead of closing them",
        )
    if closings and closings[0] < POOL_IDLE_S:
        return _bad(
            Verdict.WARN,
            front,
            f"{front.label} closes idle connections after {closings[0]:.2f} s, while clients reuse them for up to "
            f"{POOL_IDLE_S:g} s",
            "The load balancer closes idle connections sooner than clients expect",
        )
    return Finding(verdict=Verdict.PASS, summary=_lives(front), sources=SOURCES)


def _lives(front: FrontIdle) -> str:
    closings, usable = front.ages(Fate.FIN, Fate.DEAD), front.ages(Fate.ANSWERED)
    if closings:
        return f"{front.label} closes idle connections cleanly after {_ages(closings)}"
    until = f"{usable[-1]:.1f} s" if usable else f"{front.waited_s:.1f} s"
    return f"{front.label} still answers on connections that were idle for {until} ({len(usable)} of {len(front.held)})"


def _ages(ages: Sequence[float]) -> str:
    low, high = min(ages), max(ages)
    return f"{low:.2f} s" if high - low < 0.1 else f"{low:.2f} to {high:.2f} s"


def cut_by_proxy(front: FrontIdle) -> bool:
    """Whether it is the proxy that ends idle tunnels: they end without close_notify, by which the load balancer ends
    TLS on the same way (RFC 8446 section 6.1)."""
    ended = [one for one in front.held if one.fate in {Fate.FIN, Fate.RST}]
    return front.says_goodbye is True and bool(ended) and all(one.goodbye is False for one in ended)


def _bad(verdict: Verdict, front: FrontIdle, summary: str, answer: str) -> Finding:
    proxy = cut_by_proxy(front)
    if proxy:
        summary += ": it is the proxy that does, for TLS is not ended first, as it is where the load balancer closes"
        answer = answer.replace("The load balancer", "The proxy")
    return Finding(
        verdict=verdict,
        summary=summary,
        answer=answer,
        hop=HopName.PROXY if proxy else HopName.LOAD_BALANCER,
        owner=Owner.PROXY if proxy else Owner.LOAD_BALANCER,
        expected=f"idle connections stay open for more than {POOL_IDLE_S:g} s and end with FIN",
        seen=", ".join(f"{one.fate.value} at {one.age_s:.2f} s" for one in front.held) or "closed at once",
        evidence=(_held(front),),
        remedy=_PROXY_REMEDY if proxy else _FRONT_REMEDY,
        sources=SOURCES,
    )


def _held(front: FrontIdle) -> Evidence:
    rows = [[f"{one.age_s:.2f}", one.fate.value, _unacknowledged(one.unacknowledged)] for one in front.held]
    return evidence.table(
        f"Idle connections to {front.label}", ["idle s", "then", "request acknowledged"], sorted(rows)
    )


def _unacknowledged(state: bool | None) -> str:
    return {True: "no", False: "yes", None: ""}[state]


def no_silent_drop(fronts: Mapping[str, FrontIdle], race: Race | NotMeasured) -> Finding:
    """Does anything on the way forget idle connections without telling: requests on old ones hang, new ones pass?"""
    hung = [front for front in fronts.values() if front.ages(Fate.HUNG)]
    if hung:
        return _dropped(hung)
    if isinstance(race, Race) and (behind := _hung_behind(race)):
        return behind
    ages = [one.age_s for front in fronts.values() for one in front.held]
    number = sum(len(front.held) for front in fronts.values())
    closed = sum(len(front.ages(Fate.FIN, Fate.RST)) for front in fronts.values())
    if not any(front.keeps_alive for front in fronts.values()):
        return Finding(verdict=Verdict.SKIP, summary="no connection stays open after an answer, so none can be dropped")
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{number} idle connections, up to {max(ages):.1f} s old, answered or were closed visibly ({closed})",
    )


def _dropped(fronts: Sequence[FrontIdle]) -> Finding:
    front = fronts[0]
    first = front.ages(Fate.HUNG)[0]
    good = [age for age in front.ages(Fate.ANSWERED) if age < first]
    number = len(front.ages(Fate.HUNG))
    after = f"after {max(good):.1f} s they still answered" if good else "no younger one was tried"
    lost = any(one.unacknowledged for one in front.held if one.fate is Fate.HUNG)
    how = "; the request was never acknowledged, so the packets are lost on the way" if lost else ""
    if not front.fresh_answered:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{number} idle connections to {front.label} gave no answer, but neither did a new one",
            hop=HopName.NETWORK,
            owner=Owner.NETWORK,
            evidence=(_held(front),),
        )
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{number} of {len(front.held)} connections to {front.label} were dropped silently: idle for "
        f"{first:.1f} s they gave no answer, {after}, and a new connection answers at once{how}",
        answer="Requests on idle connections hang: something on the way forgets them silently",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an idle connection answers, or is closed with FIN or RST",
        seen=f"no answer, no FIN, no RST at an idle age of {_ages(front.ages(Fate.HUNG))}",
        evidence=(_held(front),),
        remedy=_DROP_REMEDY,
        sources=("RFC 5382 section 5 (a NAT may forget an idle TCP connection after 2 h 4 min at the earliest)",),
    )


def _hung_behind(race: Race) -> Finding | None:
    """Requests that hang, or get 504, on aged connections of the pool only: the drop is behind the load balancer."""
    aged = [period.volley for period in race.periods]
    hung, sent = sum(volley.hung for volley in aged), sum(volley.sent for volley in aged)
    if not hangs_when_idle(race):
        return None
    ages = [volley.age_s or 0.0 for volley in aged if volley.hung]
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{hung} of {sent} requests hung or got 504 when the load balancer's connections to the API were idle "
        f"for {_ages(ages)}, {sum(one.hung for one in race.controls)} of {sum(one.sent for one in race.controls)} in "
        "the controls: something "
        "between them forgets idle connections",
        answer="Requests hang: something between load balancer and API forgets idle connections",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an idle connection answers, or is closed with FIN or RST",
        seen=f"no answer or 504 at an idle age of {_ages(ages)}",
        evidence=(strips(race),),
        remedy=_DROP_REMEDY,
        sources=("RFC 5382 section 5",),
    )


def hint_is_true(fronts: Mapping[str, FrontIdle]) -> Finding:
    """Is the `Keep-Alive: timeout=` that clients are told no longer than connections really live? Worst address."""
    return max((_hint(one) for one in fronts.values()), key=lambda finding: finding.verdict.severity)


def _hint(front: FrontIdle) -> Finding:
    closings = front.ages(Fate.FIN, Fate.RST, Fate.DEAD)
    if front.hint_s is None:
        return Finding(verdict=Verdict.SKIP, summary=f"{front.label} sends no Keep-Alive: timeout=")
    told = f"{front.label} announces Keep-Alive: timeout={front.hint_s:g}"
    if closings and closings[0] < front.hint_s - HINT_TOLERANCE_S:
        return Finding(
            verdict=Verdict.FAIL,
            summary=f"{told}, but ends idle connections after {_ages(closings)}: clients that trust it lose requests",
            answer="The Keep-Alive header promises more than the load balancer keeps: requests get lost",
            hop=HopName.LOAD_BALANCER,
            owner=Owner.LOAD_BALANCER,
            expected=f"idle connections stay open for {front.hint_s:g} s",
            seen=f"they end after {_ages(closings)}",
            evidence=(_held(front),),
            remedy=Remedy(
                text="Remove the Keep-Alive header at the load balancer (it is the API server's own), or raise the "
                f"load balancer's idle timeout towards clients above {front.hint_s:g} s.",
                snippets=(
                    Snippet(product="HAProxy", code="http-response del-header Keep-Alive"),
                    Snippet(product="nginx", code="proxy_hide_header Keep-Alive;"),
                ),
            ),
            sources=("RFC 9110 section 7.6.1 (Keep-Alive belongs to one connection and must not be forwarded)",),
        )
    if closings:
        return Finding(verdict=Verdict.PASS, summary=f"{told}, and ends idle connections after {_ages(closings)}")
    if front.waited_s >= front.hint_s - HINT_TOLERANCE_S:
        return Finding(
            verdict=Verdict.PASS, summary=f"{told}, and connections idle for {front.waited_s:.1f} s still live"
        )
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{told}; connections were watched for {front.waited_s:.1f} s only and lived: a longer --budget tells",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
    )
