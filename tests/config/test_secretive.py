"""What does not parse is repeated nowhere: it may be the secret itself, in the wrong place."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from btdiag.config import UsageError, settings, target
from btdiag.config.options import BY_KEY, OPTIONS, ValueKind
from btdiag.config.proxies import environment_proxy
from btdiag.config.secretive import header_parts, proxy_parts
from btdiag.config.targets import _pin, _resolvers
from btdiag.config.values import duration, target_name, value_of
from btdiag.core.urls import exempting_entry, quotable, url_parts, without_userinfo
from btdiag.report.escape import plain
from tests.support.cli import btdiag

URL = "https://api.example"
FOLDER = Path(tempfile.gettempdir()) / "no-profile-lies-here"
# A mark that no message of btdiag's contains, with whatever a person's password may have around it.
MARKS = ("Qz7w", "84731", "Qz#7w", "Qz/7w", "Q@z7", "Q?z7", "Q z7")
PASSWORDS = st.tuples(st.text(max_size=12), st.sampled_from(MARKS), st.text(max_size=12)).map("".join)
ODD = "#/?@:\\ %&=[]|~^\"'`\t"


def said(flags: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """All that a run would show of these: the error, or the notes, the options of the report and the proxy."""
    try:
        made = settings({"target": (URL,), **flags}, environment, FOLDER)
        found = target(made, made.urls[0])
    except UsageError as error:
        return str(error)
    proxy = found.proxy.url if found.proxy else ""
    return f"{dict(made.shown)} {made.notes} {proxy} {found.proxy_note} {found!r}"


PROXIES = (
    "http://user:{}@proxy.example:3128",
    "http://user:{}@proxy.example:port",
    "http://user:{}@proxy.example:99999999",
    "http://{}@proxy.example",
    "https://user:{}@[::1",
    "user:{}@proxy.example:3128",
    "socks5://user:{}@proxy.example",
    "http://proxy.example/{}",
    "http://proxy.example?{}",
    "http:user:{}",
    "//user:{}@h",
)


@given(PASSWORDS, st.sampled_from(PROXIES))
@example("Qz#7w", PROXIES[0])
@example("Qz/7w", PROXIES[0])
@example("80/Qz7w", PROXIES[0])
@example("Q\\z7", PROXIES[0])
@example("Qz%7w", PROXIES[0])
def test_no_part_of_a_proxy_password_is_shown(password: str, form: str) -> None:
    value = form.format(password)
    for flags, environment in (({"proxy": value}, {}), ({}, {"HTTPS_PROXY": value}), ({}, {"ALL_PROXY": value})):
        assert password not in said(flags, environment)
        for part in ("Qz7w", "84731"):
            assert part not in said(flags, environment)


@pytest.mark.parametrize("odd", ODD)
def test_every_odd_character_in_a_proxy_password(odd: str) -> None:
    for password in (
        f"{odd}Qz7w",
        f"Qz7w{odd}",
        f"1{odd}Qz7w",
        f"Qz7w{odd}84731",
        f"84731{odd}Qz7w",
        f"Qz7w{odd * 2}Qz7w",
    ):
        shown = said({"proxy": f"http://user:{password}@proxy.example:3128"}, {})
        assert "Qz7w" not in shown
        assert "84731" not in shown


@given(
    PASSWORDS, st.sampled_from(["{}", "Authorization {}", "Authorization {}: x", "X-Door: {}\x00", "X-Ü: {}", "X: @{}"])
)
def test_no_header_is_repeated(password: str, form: str) -> None:
    shown = said({"header": (form.format(password),)}, {})
    if ":" not in password:  # what stands before the colon is the header's name, if it can be one
        assert password.strip() not in shown
    assert "Qz7w" not in shown or form == "{}"


URL_OPTIONS = [option.key for option in OPTIONS if option.kind is ValueKind.URL or option.key in ("target", "origin")]


@pytest.mark.parametrize("option", URL_OPTIONS)
@pytest.mark.parametrize(
    "form",
    [
        "https://user:{}@host.example",
        "https://user:{}@host.example:port/x",
        "https://user:{}",
        "https://host.example/?key={}",
        "https://host.example/#{}",
        "https://host.example:80{}",
        "//user:{}@host.example",
        "user:{}@host.example",
        "https:{}",
        "{}",
        "ftp://user:{}@host.example",
    ],
)
@pytest.mark.parametrize(
    "password", ["Qz7w", "Qz7w/x", "x#Qz7w", "x/Qz7w", "x?Qz7w", "x@Qz7w", "Qz7w 1", "x\\Qz7w", "x%Qz7w"]
)
def test_no_secret_in_a_url_is_repeated(option: str, form: str, password: str) -> None:
    value = form.format(password)
    many = BY_KEY[option].repeatable
    shown = said({option: (value,) if many else value}, {})
    assert "Qz7w" not in shown


@pytest.mark.parametrize(
    "text",
    [
        'header = "Qz7w"',
        'header = ["Authorization Qz7w"]',
        'proxy = "http://u:Qz7w#x@h"',
        'proxy = ["Qz7w"]',
        'api_key_env = "sk-Qz7w"\nheader = "x"',
        'target = "https://u:Qz7w@h"',
        '[targets."https://u:Qz7w@h"]',
        'targets = {"https://u:Qz7w@h" = 1}',
        '"sk Qz7w" = 1',
        'header = "Qz7w',
        '[a."Qz7w"]\n[a."Qz7w"]',
        "header = Qz7w",
        'backend = "https://u:Qz7w/x@h"',
        'client_cert = {a = "Qz7w"}',
        'lb_idle_timeout = "Qz7w"',
        'budget = "Qz7w"',
        'role = "Qz7w"',
        'quick = "Qz7w"',
        'periods = "Qz7w"',
        '[[waive]]\nid = "Qz7w"',
        '[[waive]]\nid = "a"\nuntil = "Qz7w"\nreason = "x"',
    ],
)
def test_no_value_of_a_profile_is_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "named.toml"
    path.write_text(text)
    flags = {"profile": str(path)} if text.startswith("target") else {"profile": str(path), "target": (URL,)}
    shown = said(flags, {})
    assert any(word in shown for word in ("named.toml", "--header", "--proxy", "--target"))
    assert "Settings(" not in shown
    assert "Qz7w" not in shown
    assert "\n" not in shown


def test_what_is_never_read_is_not_shown_either(tmp_path: Path) -> None:
    """A flag or a table of one target replaces a value of the profile, which the report must not show unread."""
    path = tmp_path / "named.toml"
    path.write_text(
        f'proxy = "http://u:Qz7w#x@h"\nheader = ["Qz7w"]\napi_key_env = "sk-Qz7w"\n[targets."{URL}"]\nheader = ["X: y"]'
    )
    made = settings({"profile": str(path), "target": (URL,), "no_proxy": True}, {}, tmp_path)
    target(made, made.urls[0])
    assert made.shown["header"] == made.shown["api_key_env"] == ["[withheld]"] or "Qz7w" not in str(made.shown)
    assert "Qz7w" not in str(made.shown)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--api-key-env", "sk-Qz7w"),
        ("--header", "Authorization:", "Bearer", "Qz7w"),
        ("--header", "Authorization: @Qz7w"),
        ("--header", "Bearer Qz7w"),
        ("--proxy", "http://user:ab#Qz7w@proxy.example"),
        ("--api-key=Qz7w",),
        ("--target", "https://user:ab/Qz7w@api.example"),
        ("--target", "sk-Qz7w"),
        ("Qz7w",),
    ],
)
def test_the_command_line_repeats_nothing(arguments: tuple[str, ...]) -> None:
    done = btdiag("run", "--target", "http://127.0.0.1:9", "--no-files", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "Qz7w" not in done.err


def test_a_password_in_the_environment_is_not_repeated() -> None:
    done = btdiag("run", "--target", "https://127.0.0.1:9", env={"https_proxy": "http://user:a b#Qz7w@proxy.example:x"})
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "https_proxy" in done.err
    assert "Qz7w" not in done.err


# --- every parser gives a value, or says in words what is wrong -------------------------------------------------------

TEXTS = st.one_of(st.text(max_size=60), st.text(alphabet="0123456789.:/@[]#?%,=- \t\x00ax٣²", max_size=60))
RAW = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(),
        st.floats(),
        st.booleans(),
        st.dates(),
        st.builds(pow, st.just(10), st.just(5000)),
        st.just("9" * 5000),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(TEXTS)
def test_single_values(text: str) -> None:
    for parse in (
        duration,
        url_parts,
        header_parts,
        proxy_parts,
        quotable,
        without_userinfo,
        _resolvers,
        lambda text: _pin(text),
        lambda text: target_name(text, "x"),
        lambda text: exempting_entry(text, "10.0.0.1", 443),
        lambda text: environment_proxy({"http_proxy": "http://p", "no_proxy": text}, "http://a.example"),
    ):
        with suppress(UsageError, ValueError):
            parse(text)


@given(st.sampled_from(OPTIONS), RAW)
def test_no_value_of_any_option_makes_a_traceback(option: Any, raw: object) -> None:
    try:
        value_of(option, raw, "x")
        words = "x: "
    except UsageError as error:
        words = str(error)
    assert words.startswith("x: ")
    assert plain(words) == words


@given(st.sampled_from([o.key for o in OPTIONS if o.repeatable and o.kind in (ValueKind.TEXT, ValueKind.URL)]), TEXTS)
def test_no_flag_makes_a_traceback(key: str, text: str) -> None:
    said({key: (text,)}, {})


@given(TEXTS, TEXTS)
def test_no_variable_makes_a_traceback(first: str, second: str) -> None:
    said({}, {"HTTPS_PROXY": first, "NO_PROXY": second})
    said({"header": ("X: @VALUE",)}, {"VALUE": first, "BRAINTRUST_APP_URL": second})
    said({"nameserver": first, "resolve": (second,), "sdk": (first,)}, {})


@given(TEXTS)
def test_userinfo_is_gone(text: str) -> None:
    assert "@" not in without_userinfo(text)


def test_a_proxy_that_is_one_keeps_its_password_to_itself() -> None:
    assert proxy_parts("http://us%40er:p%2Fa%23s@Proxy.Example:3128/") == ("http://proxy.example:3128", "us@er:p/a#s")
    assert proxy_parts("https://proxy.example") == ("https://proxy.example:443", "")
    assert proxy_parts("10.0.0.1:3128") == ("http://10.0.0.1:3128", "")
    assert proxy_parts("http://user:p@ss@[fd00::1]:3128") == ("http://[fd00::1]:3128", "user:p@ss")
