"""Where to aim a volley: at which idle age K the backend lets go of connections, and how far before or after it.

A backend closes an idle connection after K seconds. A request that a load balancer writes on a pooled connection while
that close is under way is lost (RFC 9112 section 9.5): the client sees a 502, 503 or nothing. Every constant says on
what it was observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from statistics import median

from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName
from btdiag.core.sender import Confidence, sender
from btdiag.families.keepalive.facts import NODE_EXTRA_S, Aim, Answerer, Keepalive, Period, TimeoutSource
from btdiag.families.keepalive.latency import OPEN, slower

OFFSETS = (-0.6, -0.5, -0.65, -0.4)
"""Where to aim, relative to K, as parts of the time that a volley takes: its requests must reach the backend while that
is busy with the first of them, and the timers of the others run out. Observed on loopback with 200 connections (9 to 16
ms a volley), nginx 1.22, periods with hits: before Node 20 at -0.5 and -0.6 in 18 of 24, at -0.7 in 8 of 13; before
uvicorn at -0.5 in 8 of 15, at -0.6 and -0.7 in 16 of 21, at -0.8 in 8 of 15, at -0.95 in 6 of 21. Spreading the ages of
the pool over 30 ms was worse: it is the connections that run out together that are caught together. The last one
is for servers that are met later (LATER)."""

STREAMED_OFFSETS = (-0.5, -0.3, -0.4)
"""The same where a comb may take turns with the volleys: HAProxy before uvicorn was hit in 5 of 11 periods at -0.5 and
in 11 of 11 at -0.35 to -0.2; Caddy, the other way round, in 8 of 11 at -0.5 and in 9 of 17 at -0.3."""

LATER, EARLIER = 0.15, -0.1
"""By how much to move the aim at a server that is no Node.js after a volley without hits: later when its answers came
as from an open pool, else earlier. hypercorn behind nginx was hit at -0.6 and -0.5 in 5 of 24 periods, at -0.4 to -0.25
in 8 of 15."""

VOLLEY_LIMIT_S = 0.012  # no volley is taken for longer when aiming: a slow machine must not move the aim far ahead

COARSE_OFFSETS_S = (0.030, 0.010, 0.060, 0.100)
"""The same for a backend that looks at its timers only now and then (gunicorn's threads: once a second): connections
are overdue, and still open, for a while after K; what makes it look is the volley itself. Observed with a K of 2 s
behind nginx, periods with hits: 30 ms late in 4 of 5, 10 ms in 3 of 6, 6 ms early in 3 of 10."""

COARSE_AT = 2  # which period tries that where the backend is no Node.js and its timers are not known

COARSE_SPREAD_S = (
    0.05  # closings that differ by more come from such a backend; Node's and uvicorn's differ by 1 to 3 ms
)

MANY = 7  # hits in one volley of 200 that can be no chance against two controls

PERIODS = 4
"""A period finds the race on loopback in two of three tries, four of them in 99 of 100. With K (2 s) only declared and
three stands side by side on two processors, so many of ten runs proved it: Apache 2.4, Caddy 2.6 over TLS, Envoy 1.40,
Traefik 3.7, Traffic Server 9.2, nginx 1.22 over HTTP/2 and nginx before nginx 10; nginx over HTTP/2 before uvicorn,
nginx before Node over TLS and HAProxy 2.6 over HTTP/2 9; HAProxy before nginx and nginx over HTTP/2 before nginx 8;
nginx before hypercorn 7."""

TURNS = (0, 0, 1, 0)  # which candidate for K each of them tests

SERVERS_OWN_S = 5.0  # Node's and uvicorn's own keep-alive, where the setting never reached them

EARLY_TRIES = 2  # periods at that age: hits in both prove it, and one of them finds it on loopback in two of three

EARLY_MORE = 5  # where one of them was hit: a second hit is the proof, and one more costs 7 s

COMB_AT = 1  # which of them is the comb

COMB_S = 0.1  # its spread; observed with 200 requests: 3 to 11 lost a period, in 83 to 100 % of periods

UVICORN_REFUSES = "Invalid HTTP request received."  # uvicorn with httptools, by its source

NOT_NODE = ("uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "waitress", "werkzeug", "python", "tornado")

READ_FIRST = ("nginx", "apache", "openresty")  # they read a body before they pass on any of it: no comb there


def is_node(usual: Exchange, odd: Exchange) -> bool | None:
    """Is the server behind the load balancer Node.js? Told by its answer to a method that nobody knows (`odd`) beside
    the ordinary answer of the same path (`usual`).

    Node's parser refuses such a method by itself: 400 with neither body nor type. Other servers hand it to the
    application, which answers as usual, or name themselves. None where a hop in front refused it, or may have.
    Observed with Node 20, uvicorn (h11) and gunicorn behind nginx, Apache, Caddy, Varnish and HAProxy; Envoy
    refuses it itself.
    """
    servers = [value.lower() for name, value in (*usual.headers, *odd.headers) if name.lower() == "server"]
    as_usual = (odd.status, odd.header("content-type")) == (usual.status, usual.header("content-type"))
    if any(server.startswith(NOT_NODE) for server in servers) or as_usual or UVICORN_REFUSES in odd.body:
        return False
    empty = odd.status == 400 and not odd.body and odd.header("content-type") is None
    return True if empty and odd.header("date") else None  # Node sends no Date with it: a hop behind us added one


def keepalive_of(setting_s: float, source: TimeoutSource, node: bool | None = None) -> Keepalive:
    """K of a setting: Node closes a second later, others at the bare value; both where nobody knows which it is, the
    likelier one first, for the API server is Node."""
    candidates = {True: (setting_s + NODE_EXTRA_S,), False: (setting_s,), None: (setting_s + NODE_EXTRA_S, setting_s)}
    return Keepalive(candidates=candidates[node], source=source, coarse=None if node is False else False)


def server_default(node: bool | None) -> float:
    """The age at which a server closes that nobody has told a keep-alive: Node.js 5 s and its second
    (https://nodejs.org/api/http.html#serverkeepalivetimeout), uvicorn 5 s (https://www.uvicorn.org/settings/)."""
    return SERVERS_OWN_S if node is False else SERVERS_OWN_S + NODE_EXTRA_S


def keepalive_measured(closings_s: Sequence[float], open_s: Sequence[float] = ()) -> Keepalive:
    """K from direct connections: the ages at which some were closed, and those that others have reached unclosed.

    A backend with exact timers closes all at the same age. One that looks at them now and then is late by a part of its
    round: its setting is the whole second before, most likely, or else the earliest closing.
    """
    first = min(closings_s)
    if max((*closings_s, *open_s)) - first <= COARSE_SPREAD_S:
        return Keepalive(candidates=(median(closings_s),), source=TimeoutSource.MEASURED)
    whole = float(floor(first + COARSE_SPREAD_S / 4))
    return Keepalive(candidates=(whole, first) if whole else (first,), source=TimeoutSource.MEASURED, coarse=True)


def answered_by(front: Exchange, direct: Exchange | None) -> Answerer:
    """Who answers the probe path: the backend, if it gives the same answer when asked directly; without a direct path
    what the answer itself tells (core/sender.py)."""
    if direct is not None and direct.status is not None:
        same = (front.status, front.header("content-type")) == (direct.status, direct.header("content-type"))
        return Answerer.BACKEND if same else Answerer.BALANCER
    who = sender(front)
    if who.confidence is Confidence.UNKNOWN:
        return Answerer.UNCLEAR
    return Answerer.BACKEND if who.hop is HopName.API else Answerer.BALANCER


def may_stream(front: Exchange) -> bool:
    """Could this load balancer pass on a body while it arrives? Not if it calls itself one that reads it first (nginx's
    default proxy_request_buffering, Apache)."""
    return not (front.header("server") or "").lower().startswith(READ_FIRST)


def next_volley(
    keepalive: Keepalive,
    history: Sequence[Period],
    volley_s: float,
    *,
    combs: bool = False,
    usual: Sequence[float] = (),
) -> Aim:
    """Where to aim in the next period; `volley_s` is what a volley takes behind the load balancer, `combs` allows one
    for each four periods, `usual` is what answers in the controls took (sorted).

    After many hits, or any with a comb or past K: the same again; after a few: the next offset. Else the candidates
    for K take turns, the likelier one three times in four, each with its next offset. Where timers are not known, and
    there are no combs, one period is for such as are looked at late, and the others are steered by what was seen.
    """
    last = history[-1] if history else None
    if (early := _early(keepalive, history, volley_s)) is not None:
        return early
    if last and not last.hits:
        history = [period for period in history if period.aim.keepalive_s != keepalive.early_s]
    if last and (last.hits >= MANY or (last.hits and (last.aim.spread_s or last.aim.offset_s > 0))):
        return last.aim
    number = len(history) % PERIODS
    turn = number % 2 if keepalive.coarse else TURNS[number]
    candidate = last.aim.keepalive_s if last and last.hits else keepalive.candidates[turn % len(keepalive.candidates)]
    tried = sum(period.aim.keepalive_s == candidate and not period.aim.spread_s for period in history)
    if keepalive.coarse:
        return Aim(keepalive_s=candidate, offset_s=COARSE_OFFSETS_S[tried % len(COARSE_OFFSETS_S)])
    if keepalive.coarse is None and not combs:
        if number == COARSE_AT and not (last and last.hits):
            return Aim(keepalive_s=candidate, offset_s=COARSE_OFFSETS_S[0])
        return Aim(keepalive_s=candidate, offset_s=_steered(history, usual) * min(volley_s, VOLLEY_LIMIT_S))
    if combs and number == COMB_AT and not (last and last.hits):
        return Aim(keepalive_s=candidate, offset_s=0.0, spread_s=COMB_S)
    offsets = STREAMED_OFFSETS if combs else OFFSETS
    return Aim(keepalive_s=candidate, offset_s=offsets[tried % len(offsets)] * min(volley_s, VOLLEY_LIMIT_S))


def _early(keepalive: Keepalive, history: Sequence[Period], volley_s: float) -> Aim | None:
    """An aim at the server's own default, as long as nothing else was tried: twice, and more often once it was hit."""
    early = keepalive.early_s
    hit = any(period.hits for period in history)
    if early is None or len(history) >= (EARLY_MORE if hit else EARLY_TRIES):
        return None
    if any(period.aim.keepalive_s != early for period in history):
        return None
    if hit and history[-1].hits >= MANY:
        return history[-1].aim
    return Aim(keepalive_s=early, offset_s=OFFSETS[len(history) % len(OFFSETS)] * min(volley_s, VOLLEY_LIMIT_S))


def _steered(history: Sequence[Period], usual: Sequence[float]) -> float:
    """The offset for a server whose timers are not known, moved by what each volley without hits showed."""
    part = OFFSETS[0]
    for period in history:
        if not period.hits and period.aim.offset_s < 0:
            part += LATER if not usual or slower(period.volley, usual) < OPEN else EARLIER
    return min(part, 0.0)
