"""Brainstore's roles, each a server of its own: all well, one gone, one behind, one with a latched /status."""

from btdiag.lab.plan import BrainstoreRole
from btdiag.lab.scenario import Scenario

READER, WRITER = BrainstoreRole(role="reader"), BrainstoreRole(role="writer")

ROLES_WELL = Scenario(
    name="brainstore-roles",
    summary="Reader, fast reader and writer answer, all of one version.",
    faults=(READER, BrainstoreRole(role="fast-reader"), WRITER),
)
FAST_READER_GONE = Scenario(
    name="brainstore-fast-reader-gone",
    summary="The fast reader's port refuses connections, the other roles are well.",
    faults=(READER, BrainstoreRole(role="fast-reader", down=True), WRITER),
    fails=("brainstore.roles-answer",),
)
WRITER_BEHIND = Scenario(
    name="brainstore-writer-behind",
    summary="The writer runs an older version than the reader.",
    faults=(READER, BrainstoreRole(role="writer", version="1.1.21")),
    warns=("brainstore.roles-run-one-version",),
)
WRITER_LATCHED = Scenario(
    name="brainstore-status-latched",
    summary="The writer's /status has failed once and stays so, though it is well.",
    faults=(READER, BrainstoreRole(role="writer", latched=True)),
    warns=("brainstore.status-is-not-latched",),
)
