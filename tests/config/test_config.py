"""Flags, environment, profile and lab: precedence, what each may set, and one clear line for every mistake."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.config import Settings, UsageError, lab_target, settings, target
from btdiag.config.options import OPTIONS, Option, ValueKind
from btdiag.config.profile import load_profile
from btdiag.config.values import duration
from btdiag.core.credential import key_withheld
from btdiag.core.target import Secret, Target
from btdiag.core.urls import exempting_entry, url, url_parts

URL = "https://api.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def make(folder: Path, environment: dict[str, str] | None = None, **flags: Any) -> Settings:
    return settings({"target": (URL,), **flags}, environment or {}, folder)


def the_target(folder: Path, environment: dict[str, str] | None = None, **flags: Any) -> Target:
    made = make(folder, environment, **flags)
    return target(made, made.urls[0])


def profile(folder: Path, text: str, name: str = "btdiag.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


# --- precedence -------------------------------------------------------------------------------------------------------


def test_a_flag_outweighs_the_environment_which_outweighs_the_profile(folder: Path) -> None:
    named = str(profile(folder, 'app_url = "https://profile.example"'))
    environment = {"BRAINTRUST_APP_URL": "https://environment.example"}
    assert the_target(folder, profile=named).app_url == "https://profile.example"
    assert the_target(folder, environment, profile=named).app_url == "https://environment.example"
    flagged = the_target(folder, environment, profile=named, app_url="https://flag.example")
    assert flagged.app_url == "https://flag.example"


def test_an_empty_variable_counts_as_unset(folder: Path) -> None:
    assert the_target(folder, {"BRAINTRUST_APP_URL": "", "SSL_CERT_FILE": ""}).app_url == "https://www.braintrust.dev"


def test_the_target_may_come_from_the_environment(folder: Path) -> None:
    assert settings({}, {"BRAINTRUST_API_URL": "https://b.example/api/"}, folder).urls == ("https://b.example/api",)


def test_targets_given_by_flags_replace_the_others(folder: Path) -> None:
    assert make(folder, {"BRAINTRUST_API_URL": "https://b.example"}).urls == (URL,)


def test_a_file_of_targets_has_comments_and_each_target_counts_once(folder: Path) -> None:
    path = folder / "targets.txt"
    path.write_text(f"# all\n{URL}\n\nhttps://b.example # second\n{URL}/\n")
    assert settings({"targets": str(path)}, {}, folder).urls == (URL, "https://b.example")


def test_a_table_of_the_profile_belongs_to_one_target(folder: Path) -> None:
    named = profile(
        folder, f'lb_idle_timeout = 60\n[targets."{URL}/"]\nlb_idle_timeout = 900\nbackend = "http://10.0.0.1:8000"'
    )
    made = make(folder, target=(URL, "https://b.example"), profile=str(named))
    first, second = (target(made, name) for name in made.urls)
    assert (first.lb_idle_timeout, first.backend) == (900, "http://10.0.0.1:8000")
    assert (second.lb_idle_timeout, second.backend) == (60, None)


def test_waivers_come_from_the_profile(folder: Path) -> None:
    profile(folder, '[[waive]]\nid = "a.b"\nuntil = 2030-01-02\nreason = "known"')
    (waiver,) = make(folder).waivers
    assert (waiver.id, waiver.until, waiver.reason) == ("a.b", date(2030, 1, 2), "known")


def test_a_found_profile_is_announced_and_a_named_one_is_not(folder: Path) -> None:
    path = profile(folder, "quick = true")
    (note,) = make(folder).notes
    assert str(path) in note
    assert make(folder, profile=str(path)).notes == ()


MAY_BE_FOUND = {
    *("target", "only", "skip", "quick", "deep", "budget", "periods", "lb_idle_timeout", "backend_keepalive", "sdk"),
    *("role", "fail_on"),
}


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("option", [option for option in OPTIONS if option.profile], ids=lambda option: option.key)
def test_a_found_profile_may_set_what_is_listed_here_and_nothing_else(
    folder: Path, option: Option, table: bool
) -> None:
    """A new option is refused until someone marks it in the table of options, and here."""
    value = {
        ValueKind.FLAG: "true",
        ValueKind.SWITCH: "true",
        ValueKind.NUMBER: "2",
        ValueKind.SECONDS: "2",
        ValueKind.DURATION: '"2s"',
        ValueKind.CHOICE: f'"{(*option.choices, "")[0]}"',
        ValueKind.PATH: f'"{__file__}"',
        ValueKind.STORE: '"history.sqlite"',
    }.get(option.kind, '"https://x.example"')
    path = profile(folder, (f'[targets."{URL}"]\n' if table else "") + f"{option.key} = {value}\n")
    if option.key in MAY_BE_FOUND:
        load_profile(None, folder)
    else:
        with pytest.raises(UsageError, match=f"{option.key} may not be set .* --profile {path} would trust it"):
            load_profile(None, folder)
    named = load_profile(path, folder)
    assert option.key in (named.targets[URL] if table else named.values)


def test_what_a_found_profile_may_set_is_what_the_documentation_says() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert {option.key for option in OPTIONS if option.discovered} == MAY_BE_FOUND
    assert all(f"`{key}`" in readme.split("merely lies in the current directory")[1][:700] for key in MAY_BE_FOUND)


@pytest.mark.parametrize(
    ("flags", "environment", "kept"),
    [
        ({}, {}, True),
        ({"target": (URL,)}, {}, False),
        ({}, {"BRAINTRUST_API_URL": URL}, False),
        ({}, {"BRAINTRUST_API_URL": ""}, True),
    ],
)
def test_nothing_secret_is_left_in_a_target_that_only_a_found_profile_names(
    folder: Path, flags: dict[str, Any], environment: dict[str, str], kept: bool
) -> None:
    profile(folder, f'target = "{URL}"')
    more = {"header": ("X: secret",), "client_cert": __file__, "client_key": __file__}
    made = settings({**flags, **more}, {**environment, "BRAINTRUST_API_KEY": "secret"}, folder)
    found = target(made, URL)
    assert (found.api_key is None) is kept
    assert (found.headers == ()) is kept
    assert (found.client_cert, found.client_key) == ((None, None) if kept else (Path(__file__), Path(__file__)))
    assert ("only" in found.withheld) is kept
    assert key_withheld(found, f"{URL}/ping", True) == (found.withheld or None)


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"target": ()}, "no target"),
        ({"target": ("api.example",)}, "https://api.example"),
        ({"target": ("ftp://api.example",)}, "only http and https"),
        ({"target": ("https://user:secret@api.example",)}, "user name or password"),
        ({"target": ("https://",)}, "no host"),
        ({"target": ("https://api.example?key=secret",)}, "query"),
        ({"target": ("https://api.example:0",)}, "port 0"),
        ({"target": ("https://api.example:99999",)}, "no URL"),
        ({"target": ("https://[::1",)}, "no URL"),
        ({"target": ("https://api example",)}, "space"),
        ({"target": ("https://-x.example",)}, "no valid host name"),
        ({"target": ("https://1.2.3",)}, "IP address"),
        ({"budget": "soon"}, "90s"),
        ({"budget": "0"}, "above zero"),
        ({"connections": "0"}, "from 1 on"),
        ({"lb_idle_timeout": "nan"}, "above zero"),
        ({"fail_on": "maybe"}, "inconclusive"),
        ({"quick": True, "deep": True}, "exclude each other"),
        ({"proxy": "http://p:1", "no_proxy": True}, "exclude each other"),
        ({"client_key": "/nope"}, "--client-cert"),
        ({"probe_path": "x"}, "start with /"),
        ({"browser": "/no/such/browser"}, "btdiag doctor"),
        ({"headed": True}, "display"),
        ({"headed": True, "browser": "none"}, "exclude each other"),
        ({"checks": "/no/such/folder"}, "no folder"),
        ({"report": ("pdf=x",)}, "FORMAT=PATH"),
        ({"profile": "/no/such/file"}, "No such file"),
        ({"ca": "/no/such/file"}, "cannot be read"),
        ({"target": (URL, "https://b.example"), "backend": "http://10.0.0.1"}, "belongs to one target"),
    ],
)
def test_a_mistake_is_one_line_that_says_what(folder: Path, flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        make(folder, **flags)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"header": ("nonsense",)}, "'Name: value'"),
        ({"header": ("X: @NOT_SET",)}, "no variable of the name"),
        ({"api_key_env": "NOT_SET"}, "no such variable"),
        ({"nameserver": "dns.example"}, "IP address"),
        ({"nameserver": "10.0.0.1:x"}, "IP address"),
        ({"resolve": ("api.example:443:nowhere",)}, "HOST:PORT:ADDRESS"),
        ({"origin": ("https://a.example/path",)}, "no path"),
        ({"sdk": ("python",)}, "LANG=VERSION"),
        ({"sdk": ("cobol=1",)}, "no such SDK"),
        ({"config": ("/no/such/file",)}, "No such file"),
        ({"proxy": "socks5://p:1"}, "only http and https"),
    ],
)
def test_a_mistake_about_a_target(folder: Path, flags: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        the_target(folder, **flags)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = 1",
        "quick = 3",
        "targets = 3",
        '[targets."x"]',
        "waive = 1",
        '[[waive]]\nid = "a"',
        "[[waive]",
        "\x00",
    ],
)
def test_a_mistake_in_a_profile(folder: Path, text: str) -> None:
    profile(folder, text)
    with pytest.raises(UsageError, match="profile"):
        make(folder)


# --- targets ----------------------------------------------------------------------------------------------------------


def test_the_api_key_is_read_from_its_variable_and_never_shown(folder: Path) -> None:
    found = the_target(folder, {"BRAINTRUST_API_KEY": "sk-canary"})
    assert found.api_key == Secret("sk-canary")
    assert "canary" not in repr(found)


def test_a_header_may_read_a_variable(folder: Path) -> None:
    found = the_target(folder, {"TOKEN": "t"}, header=("X-Auth: @TOKEN", "X-Plain: yes"))
    assert [(name, value.reveal()) for name, value in found.headers] == [("X-Auth", "t"), ("X-Plain", "yes")]
    assert make(folder, {"TOKEN": "t"}, header=("X-Auth: @TOKEN",)).shown["header"] == ["X-Auth"]


def test_a_proxy_keeps_its_password_apart(folder: Path) -> None:
    found = the_target(folder, {"HTTPS_PROXY": "http://user:p%40ss@proxy.example:3128"}).proxy
    assert found is not None
    assert (found.url, found.source) == ("http://proxy.example:3128", "HTTPS_PROXY")
    assert found.credentials == Secret("user:p@ss")


def test_the_lower_case_variable_comes_first(folder: Path) -> None:
    found = the_target(folder, {"https_proxy": "a.example:1", "HTTPS_PROXY": "b.example:2"}).proxy
    assert found is not None
    assert found.url == "http://a.example:1"


def test_no_proxy_exempts_and_says_so(folder: Path) -> None:
    found = the_target(folder, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"})
    assert found.proxy is None
    assert "NO_PROXY" in found.proxy_note
    assert the_target(folder, {"HTTPS_PROXY": "http://p:1"}, no_proxy=True).proxy is None


@pytest.mark.parametrize(
    ("exempt", "expected"),
    [
        ("*", True),
        ("example", True),
        (".example", True),
        ("api.example", True),
        ("api.example:443", True),
        ("api.example:80", False),
        ("pi.example", False),
        ("other, api.example", True),
        ("", False),
        ("10.0.0.0/8", False),
    ],
)
def test_no_proxy_lists(exempt: str, expected: bool) -> None:
    assert (exempting_entry(exempt, "api.example", 443) is not None) is expected


@pytest.mark.parametrize(
    ("exempt", "expected"), [("10.0.0.0/8", True), ("10.1.2.3", True), ("::1", False), ("[fd00::1]:443", False)]
)
def test_no_proxy_lists_and_addresses(exempt: str, expected: bool) -> None:
    assert (exempting_entry(exempt, "10.1.2.3", 443) is not None) is expected


def test_no_proxy_knows_ipv6_with_a_port() -> None:
    assert exempting_entry("a.example [fd00::1]:443", "fd00::1", 443) == "[fd00::1]:443"
    assert exempting_entry("[fd00::1]:80", "fd00::1", 443) is None


@pytest.mark.parametrize(
    ("entries", "addresses"),
    [
        (("api.example:443:10.0.0.1",), ("10.0.0.1",)),
        (("api.example:443:10.0.0.1,[::1]",), ("10.0.0.1", "::1")),
        (("api.example:444:10.0.0.1", "other:443:10.0.0.2"), ()),
    ],
)
def test_resolve_as_curl_reads_it(folder: Path, entries: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    assert the_target(folder, resolve=entries).resolve == addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.1", "10.0.0.1:53"), ("10.0.0.1:5353", "10.0.0.1:5353"), ("::1", "[::1]:53"), ("[::1]:54", "[::1]:54")],
)
def test_a_nameserver_is_asked_before_the_system(folder: Path, text: str, address: str) -> None:
    first, second = the_target(folder, nameserver=text).resolvers
    assert (first.address, second.address) == (address, None)


def test_the_plain_port_is_known_only_beside_the_usual_one(folder: Path) -> None:
    assert the_target(folder).plain_port == 80
    assert the_target(folder, target=("https://api.example:8443",)).plain_port is None


def test_neither_environment_nor_profile_reach_a_lab_but_flags_do(folder: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----")
    named = str(profile(folder, 'backend = "http://10.0.0.1"'))
    real = tmp_path / "real.pem"
    real.write_text("-----BEGIN CERTIFICATE-----")
    environment = {"BRAINTRUST_API_KEY": "sk-real", "HTTPS_PROXY": "http://p:1", "SSL_CERT_FILE": str(real)}
    lab = {
        "url": "https://api.lab.example:4443",
        "ca": str(ca),
        "api_key": "lab-key",
        "backend": "http://127.0.0.9:1",
        "resolvers": [{"label": "system", "address": "127.0.0.1:5353"}],
        "plain_port": 8080,
        "address_spaces": [["127.0.0.0/8", "public"]],
    }
    made = settings({"target": ("lab:healthy",), "profile": named}, environment, folder)
    found = lab_target(made, "healthy", lab)
    assert found.api_key == Secret("lab-key")
    assert (found.proxy, found.ca_file, found.backend, found.plain_port) == (None, ca, "http://127.0.0.9:1", 8080)
    assert found.resolvers[0].address == "127.0.0.1:5353"
    flags = {"target": ("lab:healthy",), "backend": "http://127.0.0.8:2", "profile": named}
    made = settings(flags, environment, folder)
    assert lab_target(made, "healthy", lab).backend == "http://127.0.0.8:2"


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("500ms", 0.5), ("1h", 3600)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTPS://API.Example:443/", "https://api.example"),
        ("https://api.example/braintrust/", "https://api.example/braintrust"),
        ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://api.example.", "https://api.example"),
    ],
)
def test_urls_in_normal_form(text: str, normal: str) -> None:
    assert url(text) == normal


@given(st.text(max_size=60))
def test_no_text_makes_a_url_crash(text: str) -> None:
    try:
        parts = url_parts(text)
    except ValueError:
        return
    assert url_parts(parts.normal) == parts


@pytest.mark.parametrize("text", ["user:canary@api.example", "https://user:canary@api.example", "//user:canary@x/y"])
def test_a_password_in_a_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"the URL (carried|has no scheme)") as caught:
        url_parts(text)
    assert "canary" not in str(caught.value)


# --- what would be believed to work -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("environment", "flags"), [({}, {"ca": True}), ({"SSL_CERT_FILE": ""}, {})])
def test_a_file_without_a_certificate_is_named_with_the_option_it_comes_from(
    folder: Path, environment: dict[str, str], flags: dict[str, object]
) -> None:
    empty = folder / "ca.pem"
    empty.write_text("# nothing")
    label = "--ca" if flags else "SSL_CERT_FILE"
    with pytest.raises(UsageError, match=f"^{label} .*holds no certificate"):
        make(folder, dict.fromkeys(environment, str(empty)), **dict.fromkeys(flags, str(empty)))


def test_a_table_for_another_target_is_mentioned(folder: Path) -> None:
    named = str(profile(folder, '[targets."https://other.example"]\nlb_idle_timeout = 60', "p.toml"))
    assert make(folder, profile=named).notes == ('[targets."https://other.example"] is for no target of this run',)


def test_brainstore_may_be_named_by_role(folder: Path) -> None:
    named = ("reader=http://r:4000", "writer=http://w:4000")
    target = the_target(folder, brainstore=named)
    assert target.brainstore == "http://r:4000"
    assert target.brainstore_roles == (("reader", "http://r:4000"), ("writer", "http://w:4000"))
    assert the_target(folder, brainstore=("http://r:4000",)).brainstore_roles == (("", "http://r:4000"),)
    with pytest.raises(UsageError, match="reader, fast-reader, writer"):
        the_target(folder, brainstore=("readers=http://r:4000",))
