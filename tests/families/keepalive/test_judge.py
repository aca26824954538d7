"""The statistics, the plan and the verdicts on the keep-alive race, from hand-made volleys."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.chance import fisher_exact
from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.shot import Ending, Shot
from btdiag.core.target import Target
from btdiag.families.keepalive.aim import (
    COARSE_OFFSETS_S,
    COMB_S,
    STREAMED_OFFSETS,
    answered_by,
    is_node,
    keepalive_measured,
    keepalive_of,
    may_stream,
    next_volley,
)
from btdiag.families.keepalive.chance import (
    chance,
    controls_missing,
    hangs_when_idle,
    periods_needed,
    proved,
)
from btdiag.families.keepalive.facts import (
    Aim,
    Answerer,
    BackendIdle,
    Keepalive,
    Period,
    Race,
    Recovery,
    Stop,
    TimeoutSource,
    Volley,
    strip,
)
from btdiag.families.keepalive.judge.contained import race_is_contained
from btdiag.families.keepalive.judge.effective import declared_is_effective
from btdiag.families.keepalive.judge.outlives import backend_outlives
from btdiag.families.keepalive.judge.product import products_in_front
from btdiag.families.keepalive.judge.race import miss_probability, signatures
from btdiag.families.keepalive.order import order_of
from btdiag.families.keepalive.remedy import order_remedy
from tests import factories

SKIPPED = NotMeasured(reason="volleys are opt-in", skipped=True)
GOOD = Shot(method="POST", ending=Ending.ANSWERED, status=404, age_s=3.0, took_s=0.01)
BAD = replace(GOOD, status=502)
MEASURED = Keepalive(candidates=(3.0,), source=TimeoutSource.MEASURED)


def volley(name: str = "A", *, lost: int = 0, sent: int = 200, shot: Shot = BAD, age_s: float | None = 2.995) -> Volley:
    return Volley(name=name, at_s=1.0, age_s=age_s, shots=(shot,) * lost + (GOOD,) * (sent - lost))


def period(lost: int = 0, *, controls: tuple[int, ...] = (0,), shot: Shot = BAD, witness: bool = False) -> Period:
    return Period(
        aim=Aim(keepalive_s=3.0, offset_s=-0.005),
        volley=volley(lost=lost, shot=shot),
        controls=tuple(volley("B", lost=one, age_s=0.2) for one in controls),
        recovery=Recovery(asked=3, failed=0, out_s=0.0, recovered=True) if lost else None,
        witness_closed=witness,
    )


def race(*periods: Period, keepalive: Keepalive = MEASURED, stop: Stop = Stop.ALL_PERIODS, warm_lost: int = 0) -> Race:
    return Race(
        label="127.0.0.2",
        path="/btdiag-1",
        usual=404,
        answerer=Answerer.BACKEND,
        keepalive=keepalive,
        warm_up=(volley("W", age_s=None, lost=warm_lost), volley("C", age_s=0.2)),
        periods=periods,
        stop=stop,
        direct=BackendIdle(label="backend", closings_s=(3.0, 3.001)) if keepalive is MEASURED else None,
    )


def target(balancer: float | None = None, backend: float | None = None) -> Target:
    return Target(
        url="https://api.example",
        scheme="https",
        host="api.example",
        port=443,
        lb_idle_timeout=balancer,
        backend_keepalive=backend,
    )


@given(st.integers(0, 4), st.integers(1, 4), st.integers(0, 4), st.integers(1, 4))
def test_fisher_is_the_share_of_all_ways_to_deal_the_losses(hits: int, sent: int, others: int, controls: int) -> None:
    hits, others = min(hits, sent), min(others, controls)
    deals = list(combinations(range(sent + controls), hits + others))
    extreme = sum(sum(place < sent for place in deal) >= hits for deal in deals)
    assert fisher_exact(hits, sent, others, controls) == pytest.approx(extreme / len(deals))


def test_seven_of_two_hundred_are_the_fewest_that_are_no_chance_against_twice_as_many_controls() -> None:
    assert fisher_exact(7, 200, 0, 400) < 0.001 < fisher_exact(6, 200, 0, 400)


@pytest.mark.parametrize(
    ("shot", "lost", "hung"),
    [
        (BAD, True, False),
        (replace(GOOD, status=503), True, False),
        (replace(GOOD, status=500), True, False),
        (replace(GOOD, status=504), False, True),
        (replace(GOOD, status=501), False, False),
        (replace(GOOD, status=429), False, False),
        (replace(GOOD, ending=Ending.EMPTY, status=None), True, False),
        (replace(GOOD, ending=Ending.RESET, status=None), True, False),
        (replace(GOOD, ending=Ending.CUT), True, False),
        (replace(GOOD, ending=Ending.SILENT, status=None), False, True),
        (replace(GOOD, ending=Ending.UNSENT, status=None), False, False),
    ],
)
def test_what_counts_as_lost_and_what_as_hung(shot: Shot, lost: bool, hung: bool) -> None:
    assert (shot.lost, shot.hung) == (lost, hung)


def test_throttling_is_429_or_an_unusual_403() -> None:
    assert volley(lost=40, shot=replace(GOOD, status=429)).throttled(404)
    assert volley(lost=40, shot=replace(GOOD, status=403)).throttled(404)
    assert not volley(lost=40, shot=replace(GOOD, status=403)).throttled(403)
    assert not volley(lost=40).throttled(404)


@pytest.mark.parametrize(
    ("keepalive", "tested"),
    [
        (keepalive_of(65.0, TimeoutSource.DECLARED), [66.0, 66.0, 65.0, 66.0]),
        (keepalive_of(65.0, TimeoutSource.DECLARED, True), [66.0, 66.0, 66.0, 66.0]),
        (keepalive_of(65.0, TimeoutSource.DECLARED, False), [65.0, 65.0, 65.0, 65.0]),
        (Keepalive(candidates=(3.0, 3.4), source=TimeoutSource.MEASURED, coarse=True), [3.0, 3.4, 3.0, 3.4]),
    ],
)
def test_the_candidates_take_turns(keepalive: Keepalive, tested: list[float]) -> None:
    history: list[Period] = []
    for _ in range(4):
        history.append(replace(period(), aim=next_volley(keepalive, history, 0.010)))
    assert [one.aim.keepalive_s for one in history] == tested
    tries = [one.aim.offset_s for one in history if one.aim.keepalive_s == tested[0]]
    assert tries == sorted(set(tries), key=tries.index), "each with another offset"


def test_a_backend_that_is_no_node_may_look_at_its_timers_late() -> None:
    """One period of four is for that, unless hits have shown where the closings are."""
    keepalive, history = keepalive_of(65.0, TimeoutSource.DECLARED, False), [period(), period()]
    assert next_volley(keepalive, history, 0.010).offset_s == COARSE_OFFSETS_S[0]
    assert next_volley(keepalive, [*history, period()], 0.010).offset_s < 0
    late = replace(period(lost=1), aim=Aim(keepalive_s=65.0, offset_s=COARSE_OFFSETS_S[0]))
    assert next_volley(keepalive, [*history, late], 0.010) == late.aim
    assert next_volley(keepalive, [period(), period(lost=2)], 0.010).offset_s < 0
    assert next_volley(keepalive_of(65.0, TimeoutSource.DECLARED, True), history, 0.010).offset_s < 0


def test_a_volley_that_missed_tells_whether_to_aim_later_or_earlier() -> None:
    keepalive, missed = keepalive_of(65.0, TimeoutSource.DECLARED, False), period()
    first = next_volley(keepalive, [], 0.010).offset_s
    assert next_volley(keepalive, [missed], 0.010, usual=[0.02]).offset_s > first, "its answers were quick: still open"
    assert next_volley(keepalive, [missed], 0.010, usual=[0.001]).offset_s < first, "they were slow: closed before"
    assert next_volley(keepalive, [period(lost=2)], 0.010, usual=[0.02]).offset_s == first, "it did not miss"
    assert next_volley(keepalive, [missed] * 7, 0.010, usual=[0.02]).offset_s == 0, "never beyond K"


def test_one_period_in_four_is_a_comb_where_bodies_may_be_streamed() -> None:
    history: list[Period] = []
    for _ in range(6):
        aim = next_volley(MEASURED, history, 0.010, combs=True)
        history.append(replace(period(), aim=aim))
    assert [one.aim.spread_s for one in history] == [0, COMB_S, 0, 0, 0, COMB_S]
    assert history[1].aim.age_s == 3.0
    assert miss_probability(race(history[1])) == 1, "a comb says nothing of load balancers that read bodies first"


@pytest.mark.parametrize(
    ("server", "streams"), [("nginx/1.22.1", False), ("Apache/2.4", False), ("envoy", True), (None, True)]
)
def test_who_reads_bodies_first_is_told_by_its_name(server: str | None, streams: bool) -> None:
    headers = (("Server", server),) if server else ()
    assert may_stream(replace(exchange(404), headers=headers)) is streams


def test_after_hits_the_same_age_is_tried_again() -> None:
    seen = replace(period(lost=9), aim=Aim(keepalive_s=65.0, offset_s=-0.005))
    assert next_volley(keepalive_of(65.0, TimeoutSource.DECLARED), [seen], 0.01) == seen.aim
    few = replace(period(lost=1), aim=Aim(keepalive_s=65.0, offset_s=-0.005))
    assert next_volley(keepalive_of(65.0, TimeoutSource.DECLARED), [few], 0.01, combs=True) == Aim(
        keepalive_s=65.0, offset_s=0.01 * STREAMED_OFFSETS[1]
    )


def test_a_slow_volley_does_not_move_the_aim_without_limit() -> None:
    assert next_volley(MEASURED, [], 5.0).age_s > 2.98


def test_an_exact_backend_is_told_from_one_that_looks_now_and_then() -> None:
    exact = keepalive_measured([3.0002, 3.0011, 3.0007], [2.9])
    assert (exact.candidates, exact.coarse) == ((3.0007,), False)
    late = keepalive_measured([3.05, 3.69, 3.79, 3.89])
    assert (late.candidates, late.coarse) == ((3.0, 3.05), True)
    assert keepalive_measured([2.998], [3.6]).candidates == (3.0, 2.998)


def test_hits_that_came_when_foretold_prove_in_one_period() -> None:
    assert proved(race(period(lost=20)), None)
    assert not proved(race(period(lost=2)), None)
    assert proved(race(period(lost=3), period(lost=4)), None)


def test_few_hits_in_several_periods_are_worth_more_controls() -> None:
    few = race(period(lost=1), period(lost=3))
    missing = controls_missing(few)
    assert 0 < missing <= 8
    assert not proved(race(period(lost=1), period(lost=3, controls=(0,) * missing)), None)
    assert proved(race(period(lost=1), period(lost=3, controls=(0,) * (missing + 1))), None)
    assert controls_missing(race(period(lost=1), period(lost=1))) == 0, "too few for any number"
    assert controls_missing(race(period(lost=4))) == 0, "one period may have been unlucky"
    assert controls_missing(race(period(lost=9), period(lost=9))) == 0, "proved already"
    assert controls_missing(race(period(lost=1), period(lost=3, controls=(1,)))) == 0


def test_a_volley_that_is_lost_as_a_whole_may_have_met_a_restart() -> None:
    assert not proved(race(period(lost=200)), None)
    assert proved(race(period(lost=200), period(lost=200)), None)
    assert proved(race(period(lost=180)), None)
    assert not proved(race(period(lost=200), keepalive=keepalive_of(65.0, TimeoutSource.DECLARED)), None)


def test_a_guess_or_a_contradiction_needs_two_periods() -> None:
    guessed = keepalive_of(65.0, TimeoutSource.DEFAULT)
    assert not proved(race(period(lost=90), keepalive=guessed), None)
    assert proved(race(period(lost=90), period(lost=90), keepalive=guessed), None)
    assert not proved(race(period(lost=90)), True)
    assert periods_needed(race(keepalive=guessed), False) == 1


@pytest.mark.parametrize("stop", [Stop.THROTTLED, Stop.OVERLOADED, Stop.NO_CONNECTIONS])
def test_volleys_that_tell_nothing_advise_no_timeout(stop: Stop) -> None:
    found = backend_outlives(target(), SKIPPED, race(stop=stop))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.remedy is not None
    assert "--connections 50" in found.remedy.text
    assert "KEEP_ALIVE" not in found.remedy.text


def test_hits_at_the_servers_own_default_are_told_as_its_keep_alive() -> None:
    at_six = replace(period(lost=90), aim=Aim(keepalive_s=6.0, offset_s=-0.005))
    guessed = replace(keepalive_of(65.0, TimeoutSource.DEFAULT), early_s=6.0)
    found = backend_outlives(target(), SKIPPED, race(at_six, at_six, keepalive=guessed))
    assert found.verdict is Verdict.FAIL
    assert "closes idle connections after 6 s" in found.summary
    assert "65" not in found.seen
    assert found.remedy is not None
    assert "idle timeout to 1 s or less" in found.remedy.action


@pytest.mark.parametrize("overloaded", [race(period(20, controls=(1,))), race(period(20), warm_lost=1)])
def test_a_loss_in_a_control_is_no_race(overloaded: Race) -> None:
    assert not proved(overloaded, None)
    assert not proved(overloaded, False)


def test_an_empty_close_with_a_witness_is_the_front_timeout_and_a_502_is_not() -> None:
    empty = replace(GOOD, ending=Ending.EMPTY, status=None)
    assert period(lost=50, shot=empty, witness=True).hits == 0
    assert period(lost=50, shot=empty).hits == 50
    assert period(lost=50, witness=True).hits == 50


def test_volleys_that_missed_the_moment_do_not_speak_for_the_others() -> None:
    assert proved(race(period(5)), None)
    assert proved(race(period(0), period(0), period(5), period(0)), None)
    assert not proved(race(period(0), period(0), period(3), period(0)), None), "the best of four is no single one"


def test_the_chance_of_no_volley_is_one() -> None:
    assert chance(race()) == 1.0


def test_unseen_gets_less_likely_with_each_period_but_not_for_a_guess() -> None:
    assert miss_probability(race(period(), period())) < miss_probability(race(period())) < 1
    assert miss_probability(race(period(), keepalive=keepalive_of(65.0, TimeoutSource.DEFAULT))) == 1
    assert miss_probability(replace(race(period()), answerer=Answerer.UNCLEAR)) == 1
    late = replace(period(), volley=volley(age_s=3.2))
    assert miss_probability(race(late)) == 1


def test_hanging_on_idle_connections_is_told_from_a_few_stragglers() -> None:
    hung = period(190, shot=replace(GOOD, status=504))
    assert hangs_when_idle(race(hung))
    assert not hangs_when_idle(race(period(1, shot=replace(GOOD, status=504))))
    assert not hangs_when_idle(race(period()))


@given(st.lists(st.sampled_from([GOOD, BAD, replace(GOOD, status=504)]), max_size=300))
def test_the_strip_shows_every_loss_in_one_line(shots: list[Shot]) -> None:
    line = strip(replace(volley(), shots=tuple(shots)))
    assert len(line) <= 60
    assert ("X" in line) == (BAD in shots)
    assert set(line) <= set(".X?")


def exchange(status: int | None, body: str = "", kind: str = "application/json") -> Exchange:
    return factories.exchange(
        method="POST",
        url="https://api.example/x",
        label="a",
        status=status,
        headers=(("Content-Type", kind),),
        body=body,
    )


def test_who_answers_is_told_by_the_direct_answer_else_by_the_answer_itself() -> None:
    page = exchange(404, "<html><center>nginx</center></html>", "text/html")
    assert answered_by(exchange(404, "{}"), exchange(404, "{}")) is Answerer.BACKEND
    assert answered_by(page, exchange(404, "{}")) is Answerer.BALANCER
    assert answered_by(page, None) is Answerer.BALANCER
    assert answered_by(exchange(404, "{}"), None) is Answerer.BACKEND
    assert answered_by(exchange(404, "nothing here", "text/plain"), None) is Answerer.UNCLEAR


REFUSED = replace(exchange(400), headers=(("Date", "x"), ("Server", "nginx")))


@pytest.mark.parametrize(
    ("odd", "node"),
    [
        (REFUSED, True),
        (replace(REFUSED, headers=()), None),  # a proxy that is Node itself
        (replace(REFUSED, headers=(("Date", "x"), ("Server", "Caddy"), ("Server", "gunicorn"))), False),
        (exchange(404, "{}"), False),
        (exchange(405, "{}"), None),
        (exchange(400, "Bad Request", "text/plain"), None),  # Envoy itself
        (exchange(400, "Invalid HTTP request received.", "text/plain; charset=utf-8"), False),
        (exchange(403, "<html>", "text/html"), None),
        (exchange(None), None),
    ],
)
def test_node_is_told_by_its_answer_to_a_method_that_nobody_knows(odd: Exchange, node: bool | None) -> None:
    assert is_node(exchange(404, "{}"), odd) is node


VERDICTS = [
    # balancer, backend (declared), race, verdict, words of the summary
    (900.0, 65.0, SKIPPED, Verdict.FAIL, "backend closes first, by 834 s"),
    (60.0, 65.0, SKIPPED, Verdict.PASS, "load balancer closes first, by 6 s"),
    (65.0, 65.0, SKIPPED, Verdict.WARN, "by 1 s"),
    (66.0, 65.0, SKIPPED, Verdict.FAIL, "same moment"),
    (900.0, None, SKIPPED, Verdict.WARN, "the product's default"),
    (None, 65.0, SKIPPED, Verdict.SKIP, "not known"),
    (None, None, SKIPPED, Verdict.SKIP, "--lb-idle-timeout"),
    (None, None, race(period(20)), Verdict.FAIL, "20 of 200 requests at an idle age of 2.995 s were lost (20 x 502)"),
    (900.0, None, race(period(20)), Verdict.FAIL, "against 0 of 600 in the controls"),
    (900.0, None, race(period(0)), Verdict.FAIL, "proxy_next_upstream"),
    (0.5, None, race(period(0)), Verdict.PASS, "0 of 200 requests lost"),
    (0.5, None, race(period(20)), Verdict.INCONCLUSIVE, "seen once"),
    (None, None, race(period(2)), Verdict.INCONCLUSIVE, "seen once"),
    (None, None, race(period(0)), Verdict.INCONCLUSIVE, "not known"),
    (None, None, race(period(0), stop=Stop.NO_TIME), Verdict.INCONCLUSIVE, "--budget 31s holds 4"),
    (0.5, None, race(period(20, controls=(9,)), stop=Stop.OVERLOADED), Verdict.INCONCLUSIVE, "control volley"),
    (0.5, None, race(stop=Stop.THROTTLED), Verdict.INCONCLUSIVE, "throttles"),
    (0.5, None, race(stop=Stop.OVERLOADED, warm_lost=9), Verdict.PASS, "not induced: requests failed"),
    (0.5, None, race(period(3, controls=(4,)), stop=Stop.OVERLOADED), Verdict.PASS, "not induced: requests failed"),
    (None, None, race(stop=Stop.OVERLOADED, warm_lost=9), Verdict.INCONCLUSIVE, "could not be used"),
    (900.0, None, race(stop=Stop.THROTTLED), Verdict.FAIL, "throttles"),
]


@pytest.mark.parametrize(("balancer", "backend", "seen", "verdict", "words"), VERDICTS)
def test_the_table_of_verdicts(
    balancer: float | None, backend: float | None, seen: Race | NotMeasured, verdict: Verdict, words: str
) -> None:
    finding = backend_outlives(target(balancer, backend), SKIPPED, seen)
    assert (finding.verdict, words in finding.summary) == (verdict, True), finding.summary
    if verdict not in {Verdict.PASS, Verdict.SKIP}:
        assert finding.hop == HopName.LOAD_BALANCER
        assert finding.remedy is not None
        unusable = "could not be used" in finding.summary
        assert ("TS_API_KEEP_ALIVE_TIMEOUT_SECONDS" in finding.remedy.text) is not unusable


@pytest.mark.parametrize(
    ("product", "backend", "verdict", "words"),
    [
        ("Caddy", None, Verdict.WARN, "120 s (the product's default in Caddy): the backend closes first, by 54 s"),
        ("Google Cloud load balancer", 65.0, Verdict.WARN, "by 534 s"),
        ("Traefik (or another Go proxy)", None, Verdict.WARN, "by 24 s"),
        ("Azure Front Door", None, Verdict.WARN, "by 24 s"),
        ("Envoy (or Istio)", None, Verdict.WARN, "by 3534 s"),
        ("AWS Application Load Balancer", None, Verdict.SKIP, "by default the load balancer closes first"),
        ("nginx", None, Verdict.SKIP, "by default the load balancer closes first"),
        ("Varnish", None, Verdict.SKIP, "not known"),
    ],
)
def test_a_recognised_load_balancer_has_its_products_default(
    product: str, backend: float | None, verdict: Verdict, words: str
) -> None:
    finding = backend_outlives(target(None, backend), SKIPPED, SKIPPED, {product})
    assert (finding.verdict, words in finding.summary) == (verdict, True), finding.summary
    assert backend_outlives(target(None, backend), SKIPPED, SKIPPED, {product, "Fastly"}).verdict is Verdict.SKIP


def test_the_recognised_load_balancers_snippet_is_the_first_of_them() -> None:
    remedy = backend_outlives(target(None, None), SKIPPED, SKIPPED, {"Traefik (or another Go proxy)"}).remedy
    assert remedy is not None
    products = [one.product for one in remedy.snippets]
    assert products.index("Traefik") == products.index("AWS ALB") - 1


@pytest.mark.parametrize(
    ("usual", "to_nobody", "products"),
    [
        ({"Server": "Caddy"}, None, {"Caddy"}),
        ({}, factories.exchange(status=404, body="404 page not found\n"), {"Traefik (or another Go proxy)"}),
        ({}, factories.exchange(status=404, headers=(("Server", "awselb/2.0"),)), {"AWS Application Load Balancer"}),
        ({}, factories.exchange(status=200, body="{}"), set()),  # the API itself, which knows no hosts
        ({}, None, set()),
    ],
)
def test_what_answers_for_a_host_that_nobody_has_is_the_load_balancer(
    usual: dict[str, str], to_nobody: Exchange | None, products: set[str]
) -> None:
    answers = [factories.exchange(status=200, body="{}", headers=factories.named(usual))]
    assert products_in_front(answers, to_nobody or SKIPPED) == products


def test_a_snippet_names_the_variable_whole() -> None:
    for each in order_remedy(order_of(target(900.0, 65.0), None)).snippets:
        assert "TIMEOUT_SECONDS" in each.code or "TIMEOUT_" not in each.code, each


def test_the_remedy_has_both_numbers_and_every_product() -> None:
    remedy = backend_outlives(target(900.0, 65.0), SKIPPED, SKIPPED).remedy
    assert remedy is not None
    assert "905" in remedy.text
    assert "61 s or less" in remedy.text
    products = " ".join(snippet.product for snippet in remedy.snippets)
    for name in ("ALB", "Google", "nginx", "HAProxy", "Apache", "Envoy", "Istio", "Traefik", "Caddy", "Kubernetes"):
        assert name in products


@pytest.mark.parametrize(("closes_s", "to"), [(0.68, None), (1.0, None), (1.4, 1), (5.9, 1), (66.0, 61)])
def test_the_load_balancer_is_lowered_below_the_backend_or_not_at_all(closes_s: float, to: int | None) -> None:
    order = order_of(target(900.0, 65.0), None)
    remedy = order_remedy(replace(order, backend=replace(order.backend, closes_after_s=closes_s)))
    for told in (remedy.text, remedy.action):
        assert ("lower the load balancer" in told) is (to is not None)
        assert to is None or f"{to} s or less" in told
    assert any(snippet.product == "nginx" for snippet in remedy.snippets) is (to is not None)


def test_the_proof_is_shown_as_strip_table_and_points() -> None:
    finding = backend_outlives(target(), SKIPPED, race(period(20)))
    assert [one.kind for one in finding.evidence] == ["text", "table", "table", "timeline"]
    points = cast(Any, finding.evidence[3].data)["points"]
    assert sum(point["outcome"] == "502" for point in points) == 20


def test_a_backend_that_was_never_seen_to_close_can_still_prove_a_sound_order() -> None:
    watched = BackendIdle(label="backend", closings_s=(), open_until_s=110.0)
    assert backend_outlives(target(60.0), watched, SKIPPED).verdict is Verdict.PASS
    assert backend_outlives(target(900.0), watched, SKIPPED).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("declared", "seen", "verdict"),
    [
        (65.0, 66.0, Verdict.PASS),
        (65.0, 65.0, Verdict.PASS),
        (300.0, 66.0, Verdict.FAIL),
        (5.0, 66.0, Verdict.WARN),
        (None, 66.0, Verdict.SKIP),
    ],
)
def test_a_declared_setting_is_held_against_what_the_backend_does(
    declared: float | None, seen: float, verdict: Verdict
) -> None:
    measured = BackendIdle(label="backend", closings_s=(seen,))
    assert declared_is_effective(target(60.0, declared), measured).verdict is verdict


@pytest.mark.parametrize(
    ("closings", "open_until", "rounds", "verdict", "words"),
    [
        ((3.01, 4.6), None, 1, Verdict.PASS, "closed after"),
        ((4.1, 4.6), None, 1, Verdict.INCONCLUSIVE, "measured once"),
        ((4.1, 4.6), None, 2, Verdict.WARN, "measured twice"),
        ((66.0,), None, 1, Verdict.WARN, "measured once"),
        ((1.0,), None, 2, Verdict.FAIL, "measured twice"),
        ((), 5.0, 2, Verdict.WARN, "had not closed after"),
        ((), 1.0, 1, Verdict.PASS, "had not closed after"),
    ],
)
def test_a_late_closing_of_a_busy_machine_is_no_contradiction(
    closings: tuple[float, ...], open_until: float | None, rounds: int, verdict: Verdict, words: str
) -> None:
    measured = BackendIdle(label="backend", closings_s=closings, open_until_s=open_until, rounds=rounds)
    finding = declared_is_effective(target(60.0, 2.0), measured)
    assert (finding.verdict, words in finding.summary) == (verdict, True), finding.summary
    assert finding.verdict is Verdict.PASS or (finding.evidence and finding.remedy and finding.sources)


@pytest.mark.parametrize(
    ("balancer", "verdict"), [(None, Verdict.SKIP), (900.0, Verdict.FAIL), (60.0, Verdict.PASS), (65.0, Verdict.WARN)]
)
def test_with_a_dead_front_arithmetic_stands_and_the_rest_names_what_failed(
    balancer: float | None, verdict: Verdict
) -> None:
    dead = NotMeasured(reason="no address answers GET /", by="readiness.root-answers")
    finding = backend_outlives(target(balancer, 65.0), SKIPPED, dead)
    assert finding.verdict is verdict
    assert finding.because == ("readiness.root-answers" if verdict is Verdict.SKIP else None)
    assert race_is_contained(target(), dead).because == "readiness.root-answers"


def test_a_race_that_could_not_be_looked_for_is_open_and_one_nobody_asked_for_is_not() -> None:
    assert race_is_contained(target(), NotMeasured(reason="rate limited")).verdict is Verdict.INCONCLUSIVE
    assert race_is_contained(target(), SKIPPED).verdict is Verdict.SKIP


def test_an_outage_after_a_race_is_a_finding_of_its_own() -> None:
    out = replace(period(20), recovery=Recovery(asked=30, failed=20, out_s=10.1, recovered=True))
    finding = race_is_contained(target(), race(out, out, stop=Stop.ENOUGH))
    assert finding.verdict is Verdict.FAIL
    assert "10.1 s" in finding.summary
    assert race_is_contained(target(), race(period(20))).verdict is Verdict.PASS
    assert race_is_contained(target(), race(period(0))).verdict is Verdict.SKIP
    assert race_is_contained(target(), SKIPPED).verdict is Verdict.SKIP


def test_a_backend_that_was_down_just_then_is_not_called_a_race() -> None:
    down = replace(period(200), recovery=Recovery(asked=5, failed=2, out_s=0.3, recovered=True))
    assert not proved(race(down), None)
    assert proved(race(down), False), "the order of timeouts is known to be wrong"
    assert proved(race(down, down), None)
    finding = backend_outlives(target(), SKIPPED, race(down))
    assert (finding.verdict, "seen once" in finding.summary) == (Verdict.INCONCLUSIVE, True)
    contained = race_is_contained(target(), race(down))
    assert (contained.verdict, "down just then" in contained.summary) == (Verdict.INCONCLUSIVE, True)


def test_signatures_count_only_what_was_lost() -> None:
    assert signatures(race(period(3), period(0))) == {"502": 3}
