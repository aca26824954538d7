"""Brainstore past the API server: each role answers, all of one version, none with a latched /status."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.target import Target
from btdiag.families.brainstore import judge
from btdiag.families.brainstore.facts import RoleAnswers


def check_roles_answer(target: Target, brainstore_roles: tuple[RoleAnswers, ...]) -> Finding:
    """Every further role of Brainstore answers, as the first one does.

    Readers answer queries, fast readers those of some sources, the writer stores what is logged. With one of them gone
    the API still answers, and only part of what users do fails. The API is told of fast readers by the chart since
    5.0.0, whether there are any or not.

    Measured: GET / at each URL of --brainstore ROLE=URL, without the key and never through a proxy; 200 to 399 is good.
    A role is named as missing where another one answers from here; the first URL is readiness.brainstore-answers.

    Remedy: start the role, run at least one replica of each, open port 4000 to the API server.

    Sources: https://github.com/braintrustdata/helm (templates of readers, fast readers and writers)
    """
    return conclude(judge.roles_answer(brainstore_roles, target.brainstore))


def check_roles_run_one_version(brainstore_roles: tuple[RoleAnswers, ...]) -> Finding:
    """All of Brainstore's roles run the same version.

    What one of them writes the others read, and newer versions can write what older ones cannot read. A roll-out that
    stands still leaves two of them.

    Measured: GET /version at each URL of --brainstore ROLE=URL; servers that do not tell their version are left out.

    Remedy: finish the roll-out, with one image for all roles.

    Sources: https://github.com/braintrustdata/helm (README, brainstoreWalFooterVersion)
    """
    return conclude(judge.roles_run_one_version(brainstore_roles))


def check_status_is_not_latched(brainstore_roles: tuple[RoleAnswers, ...]) -> Finding:
    """/status of Brainstore does not fail where GET / is fine.

    Once /status has failed it never recovers. Charts 3.0.3 to 4.1.0 use it for readiness: such a pod stays out of
    service until somebody restarts it.

    Measured: GET /status at each URL of --brainstore where GET / is answered well. A server without /status skips.

    Remedy: let Brainstore's readiness probe ask GET / (the default since chart 5.0.0), and restart the pod.

    Sources: https://github.com/braintrustdata/helm (values.yaml and README of charts 3.0.3, 4.1.0 and 5.0.0)
    """
    return conclude(judge.brainstore_is_not_latched(brainstore_roles))
