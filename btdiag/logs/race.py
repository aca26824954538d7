"""The check of the keep-alive race: proved by idle ages, likely, open, or how far the log speaks for its absence."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.logs import advice, results
from btdiag.logs.ages import BINS_PER_S
from btdiag.logs.claims import CLAIM_OF, Claim, ToldTimeouts
from btdiag.logs.clusters import RELATIVE, Cluster
from btdiag.logs.groups import BalancerGroup, also, kinds_in_words
from btdiag.logs.house import CheckResult, Evidence, Verdict, evidence
from btdiag.logs.judging import JudgedFile
from btdiag.logs.quoting import Quoter
from btdiag.logs.rows import KindRow, quantiles
from btdiag.logs.times import shown

_NEAR, _BEYOND = 0.9, 1.05  # of the idle timeout; Node closes a second after its setting
_ENOUGH = 3  # reuses near the timeout without a failure; fewer say nothing
_PRODUCTS = {
    "nginx": "nginx", "apache": "Apache httpd", "haproxy": "HAProxy", "envoy": "Envoy", "traefik": "Traefik",
    "caddy": "Caddy", "varnish": "Varnish", "aws-alb": "the ALB", "aws-cloudfront": "CloudFront",
    "aws-api-gateway": "API Gateway", "gcp-lb": "Google's load balancer", "azure-front-door": "Front Door",
    "azure-app-gateway": "Application Gateway", "cloudflare": "Cloudflare",
}  # fmt: skip


def race_result(groups: Sequence[BalancerGroup], claim: Claim, told: ToldTimeouts, quoter: Quoter) -> CheckResult:
    """The result, from the strongest evidence down."""
    proved = [(group, judged) for group in groups if (judged := _proof(group)) is not None]
    if proved:
        group, judged = max(proved, key=lambda pair: _cluster(pair[1]).hits)
        return _proved(groups, claim, told, quoter, group, judged)
    rows = [row for group in groups for row in group.rows if row.fits[0] in claim.kinds]
    masked = [row for row in rows if row.fits == ("race_retried",)]
    rows = [row for row in rows if row not in masked]
    if rows:
        return _open(groups, claim, told, quoter, rows)
    open_rows = also(groups, claim.kinds)
    if open_rows:
        return _elsewhere(claim, open_rows)
    if masked:
        return _masked(groups, claim, told, quoter, masked)
    return _sound(groups, claim, told)


def _proof(group: BalancerGroup) -> JudgedFile | None:
    """The file with the finest time stamps that proves it, of these the one with the most hits."""
    files = [one for one in group.files if one.proved]
    return max(files, key=lambda one: (-one.account.resolution_s, _cluster(one).hits), default=None)


def _cluster(judged: JudgedFile) -> Cluster:
    assert judged.cluster is not None
    return judged.cluster


def _seconds(judged: JudgedFile) -> str:
    """The idle age at which the backend closes, as exact as the time stamps are."""
    k = _cluster(judged).k_s
    return f"{k:.4g} s" if judged.account.resolution_s <= RELATIVE * k else f"about {round(k)} s"


def _proved(groups: Sequence[BalancerGroup], claim: Claim, told: ToldTimeouts, quoter: Quoter, group: BalancerGroup,
            judged: JudgedFile) -> CheckResult:  # fmt: skip
    rows = [row for one in groups for row in one.rows if row.kind in claim.kinds and len(row.fits) == 1]
    lost = sum(row.count for row in rows if row.kind == "race")
    retried = sum(row.count for row in rows if row.kind == "race_retried")
    who = _PRODUCTS.get(group.product, "the load balancer")
    total = results.totals(groups)
    cluster, closes = _cluster(judged), _seconds(judged)
    kept_s = advice.kept_for(told, group.product)
    keeps = f"; {who} keeps them for {kept_s:g} s" if kept_s is not None else ""
    what = _lost(lost, rows, groups) if lost else f"{retried:,} of {total or 0:,} requests"
    did = f"were {'lost' if lost else 'retried'}" if lost + retried != 1 else f"was {'lost' if lost else 'retried'}"
    summary = (
        f"{what}{_since(rows)} {did} when the backend closed a connection that had been idle for {closes}"
        f"{keeps}; {cluster.hits:,} of {cluster.candidates:,} closed before an answer rode connections idle for"
        f" {cluster.low_s:.4g} to {cluster.high_s:.4g} s, and {cluster.good:,} of"
        f" {cluster.good + cluster.good_elsewhere:,} good ones did (p = {cluster.p:.1e})"
    )
    if lost and retried:
        summary += f"; {retried:,} more were retried and answered"
    answer = (
        f"{lost:,} requests were lost on connections that the backend closed after {closes} idle"
        if lost
        else f"The backend closes kept connections after {closes} idle; retries hide it"
    )
    remedy = advice.order(cluster.k_s, told, group.product)
    return results.claim_result(
        claim, Verdict.FAIL, summary, answer=answer, remedy=remedy, seen=f"closes after {closes} idle",
        expected="the backend keeps idle connections longer than the load balancer does",
        evidence=[_ages(rows), *results.kind_proofs(rows, quoter)],
    )  # fmt: skip


def _lost(lost: int, rows: Sequence[KindRow], groups: Sequence[BalancerGroup]) -> str:
    """ "134 of 41,210 POSTs" where all lost ones were of one method, else of all requests."""
    methods = results.added(row.methods for row in rows if row.kind == "race")
    if len(methods) == 1:
        method = next(iter(methods))
        total = sum(group.speaker.account.methods[method.encode()] for group in groups)
        if total >= lost:
            return f"{lost:,} of {total:,} {method}s"
    total_all = results.totals(groups)
    return f"{lost:,} of {total_all:,} requests" if total_all else f"{lost:,} requests"


def _since(rows: Sequence[KindRow]) -> str:
    return f" since {shown(float(int(min(row.since for row in rows))))}"


def _ages(rows: Sequence[KindRow]) -> Evidence:
    table = [(row.kind.replace("_", " "), f"{row.count:,}", *quantiles(row.ages).values()) for row in rows if row.ages]
    return evidence.table("Idle age of the connection in seconds", ("kind", "count", "p10", "p50", "p90"), table)


def _open(groups: Sequence[BalancerGroup], claim: Claim, told: ToldTimeouts, quoter: Quoter,
          rows: Sequence[KindRow]) -> CheckResult:  # fmt: skip
    lost = sum(row.count for row in rows)
    widest = max(rows, key=lambda row: row.count)
    total = results.totals(groups)
    of = f" of {total:,}" if total and total >= lost else ""
    likely = [one for group in groups for one in group.files if one.likely and one.cluster is not None]
    if likely:
        cluster = max((one.cluster for one in likely if one.cluster), key=lambda cluster: cluster.hits)
        known = f", when {cluster.known} closes by default" if cluster.known else ""
        summary = (
            f"{lost:,}{of} requests were closed before an answer; {cluster.hits:,} of {cluster.candidates:,} rode"
            f" connections idle for about {cluster.k_s:.3g} s{known}: likely the keep-alive race; the log does not"
            " prove it (too few, or time stamps too coarse)"
        )
        return results.claim_result(
            claim, Verdict.WARN, summary, evidence=results.kind_proofs(rows, quoter),
            answer=f"Requests are likely lost when the backend closes connections idle for {cluster.k_s:.3g} s",
            remedy=advice.order(cluster.k_s if cluster.known else None, told, groups[0].product),
        )  # fmt: skip
    group = next(group for group in groups if any(row in group.rows for row in rows))
    summary = (
        f"{lost:,}{of} requests {'was' if lost == 1 else 'were'} closed before an answer, and the log leaves open"
        f" whether each was {kinds_in_words(widest.fits)}"
    )
    return results.claim_result(
        claim, Verdict.INCONCLUSIVE, summary, evidence=results.kind_proofs(rows, quoter),
        remedy=advice.settling(group.product, group.shown),
    )  # fmt: skip


def _elsewhere(claim: Claim, rows: Sequence[KindRow]) -> CheckResult:
    """Requests that most likely failed otherwise, and may have been races all the same."""
    count = sum(row.count for row in rows)
    first = CLAIM_OF[max(rows, key=lambda row: row.count).kind].id
    said = f"{count:,} requests that failed (see {first}) may have been lost so; the log does not exclude it"
    return results.claim_result(claim, Verdict.INCONCLUSIVE, said)


def _masked(groups: Sequence[BalancerGroup], claim: Claim, told: ToldTimeouts, quoter: Quoter,
            rows: Sequence[KindRow]) -> CheckResult:  # fmt: skip
    count = sum(row.count for row in rows)
    summary = (
        f"{count:,} of {results.totals(groups) or count:,} requests met a connection that the backend had closed, and"
        " were retried and answered: users saw nothing; what the load balancer does not retry (POST) is lost"
    )
    return results.claim_result(
        claim, Verdict.WARN, summary, evidence=results.kind_proofs(rows, quoter),
        answer="The load balancer meets connections that the backend closes; retries hide it so far",
        remedy=advice.order(None, told, groups[0].product),
    )  # fmt: skip


def _sound(groups: Sequence[BalancerGroup], claim: Claim, told: ToldTimeouts) -> CheckResult:
    """No candidate: how far the log speaks for it."""
    if any(group.product == "haproxy" for group in groups):
        return results.claim_result(
            claim, Verdict.INCONCLUSIVE,
            "No lost request is logged, but HAProxy logs no line for some races (a later request of a kept connection):"
            " a clean log proves nothing; btdiag run --target URL measures it",
        )  # fmt: skip
    reused = sum(sum(one.account.good_ages.values()) for one in _speakers(groups))
    if not reused:
        return results.claim_result(
            claim, Verdict.INCONCLUSIVE,
            "No lost request is logged, but these logs do not show how long connections had been idle",
        )  # fmt: skip
    if told.balancer_s is not None and told.keepalive_s is not None:
        return _by_order(claim, told.balancer_s, told.keepalive_s, reused)
    limit = told.balancer_s if told.balancer_s is not None else told.keepalive_s
    return _beyond(groups, claim, reused) if limit is None else _near(groups, claim, reused, limit)


def _by_order(claim: Claim, balancer_s: float, keepalive_s: float, reused: int) -> CheckResult:
    """Both timeouts are told: the order decides, whatever has not been met so far."""
    said = f"None of {reused:,} requests that could ride a kept connection was lost"
    if balancer_s < keepalive_s:
        why = f"the load balancer lets go after {balancer_s:g} s, before the backend does after {keepalive_s:g} s"
        return results.claim_result(claim, Verdict.PASS, f"{said}, and {why}")
    why = f"the backend closes after {keepalive_s:g} s, and the load balancer keeps connections for {balancer_s:g} s"
    told = ToldTimeouts(keepalive_s=keepalive_s, balancer_s=balancer_s)
    return results.claim_result(
        claim, Verdict.WARN, f"{said} so far, but {why}: a request that comes then is lost",
        answer="The backend closes idle connections before the load balancer lets go of them",
        remedy=advice.order(None, told, ""),
    )  # fmt: skip


def _beyond(groups: Sequence[BalancerGroup], claim: Claim, reused: int) -> CheckResult:
    """No timeout is told: how far the log itself reaches."""
    exact = all(one.account.names_connections for one in _speakers(groups))
    longest = max(max(one.account.good_ages, default=0) for one in _speakers(groups)) / BINS_PER_S
    how = f"the longest had been idle for {longest:.4g} s"
    if not exact:
        how = f"the longest pause before one was {longest:.4g} s, after which the connection may have been a new one"
    return results.claim_result(
        claim, Verdict.PASS,
        f"None of {reused:,} requests that could ride a kept connection was lost; {how}; what happens near the idle"
        " timeouts is only known with them (--lb-idle-timeout, --backend-keepalive)",
    )  # fmt: skip


def _near(groups: Sequence[BalancerGroup], claim: Claim, reused: int, limit: float) -> CheckResult:
    """One timeout is told: how many requests came when it ran out."""
    low, high = _NEAR * limit, _BEYOND * limit
    near = sum(
        count
        for one in _speakers(groups)
        for bin_, count in one.account.good_ages.items()
        if low <= bin_ / BINS_PER_S <= high
    )
    return results.claim_result(
        claim, Verdict.PASS if near >= _ENOUGH else Verdict.INCONCLUSIVE,
        f"None of {reused:,} requests that could ride a kept connection was lost; {near:,} of them came"
        f" {low:.4g} to {high:.4g} s after the one before, near the idle timeout"
        + ("" if near >= _ENOUGH else ": too few to say that none would be lost"),
    )  # fmt: skip


def _speakers(groups: Sequence[BalancerGroup]) -> list[JudgedFile]:
    return [group.speaker for group in groups]
