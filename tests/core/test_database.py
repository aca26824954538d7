"""Which URLs name a database, and that nothing secret of one is shown."""

from __future__ import annotations

import pytest

from btdiag.core.database import DatabaseUrl, database_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://db.example/btdiag", "postgresql://db.example/btdiag"),
        ("postgres://me:pw@db.example:5433/btdiag", "postgresql://db.example:5433/btdiag"),
        ("postgresql://me:p%2Fw@[::1]:5433/x", "postgresql://[::1]:5433/x"),
        ("postgresql://me@one:1,two:2/x?sslmode=require", "postgresql://one:1,two:2/x?sslmode=require"),
        ("postgresql:///x?host=/run/pg&password=pw&user=me", "postgresql:///x?host=/run/pg"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_a_database_is_shown_without_its_secrets(text: str, shown: str) -> None:
    found = database_url(text)
    assert found is not None
    assert (str(found), found.whole.reveal()) == (shown, text)
    assert "pw" not in repr(found)


@pytest.mark.parametrize("text", ["history.sqlite", "/srv/a b.sqlite", "a:b", "postgresql"])
def test_a_path_is_none(text: str) -> None:
    assert database_url(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:12/canary@db/x",
        "postgresql://me:12?canary@db/x",
        "postgresql://me:12#canary@db/x",
        "postgresql://me:can@ary@db/x",
        "postgresql://me:canary/x",
        "postgresql://me:can ary@db/x",
        "postgresql://db/x?canary",
        "postgresql://db/x?password=a?b@canary",
        "mysql://me:canary@db/x",
        "postgresql+psycopg://me:canary@db/x",
    ],
)
def test_what_does_not_parse_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="postgresql://USER@HOST") as raised:
        database_url(text)
    assert "canary" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_equal_urls_are_equal() -> None:
    one, other = (database_url("postgresql://me:pw@db/x") for _ in range(2))
    assert isinstance(one, DatabaseUrl)
    assert one == other
