"""Brainstore's roles, each a server of its own: all well, one gone, one behind, one with a latched /status."""

from btdiag.lab.faults.names import Declares
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

TOLD = Declares(
    "kind: Deployment\nmetadata: {name: braintrust-api}\nspec: {template: {spec: {containers: [{env: ["
    "{name: BRAINSTORE_FAST_READER_URL, value: 'http://fast-reader.brainstore.lab.example:4000'}]}]}}}\n"
)
NAMED_READER = BrainstoreRole(role="reader", name="reader.brainstore.lab.example")
NOT_DECLARED = (
    *(f"config.{name}-is-effective" for name in ("body-limit", "idle-timeout", "read-timeout", "tls-minimum")),
    *(f"config.{name}" for name in ("image-is-rolled-out", "origins-are-allowed", "host-is-declared")),
    *(f"config.declared-{name}" for name in ("ca-is-presented", "replicas-answer")),
)

FAST_READERS_TOLD = Scenario(
    name="brainstore-fast-readers-told",
    summary="The API is told of fast readers in its files, and they answer.",
    faults=(TOLD, NAMED_READER, BrainstoreRole(role="fast-reader", name="fast-reader.brainstore.lab.example")),
    skips=NOT_DECLARED,
)
FAST_READERS_MISSING = Scenario(
    name="brainstore-fast-readers-missing",
    summary="The API is told of fast readers in its files, and DNS knows no such name, while it knows the reader's.",
    faults=(
        TOLD,
        NAMED_READER,
        BrainstoreRole(role="fast-reader", name="fast-reader.brainstore.lab.example", nameless=True),
    ),
    fails=("brainstore.fast-readers-are-there",),
    skips=(*NOT_DECLARED, "brainstore.roles-answer", "brainstore.roles-run-one-version"),
)
