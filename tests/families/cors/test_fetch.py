"""Properties of header parsing and of the preflight, for any text that a server may send."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from btdiag.families.cors.fetch import (
    CorsError,
    Credentials,
    PageRequest,
    RawResponse,
    cors_check,
    cors_preflight_fetch,
    cors_unsafe_request_header_names,
    http_fetch,
    max_age,
    needs_preflight,
    normalize_method,
    preflight_request,
    readable_headers,
)
from btdiag.families.cors.fetch.fields import extract_list, field_value, is_token
from btdiag.families.cors.fetch.origin import is_valid_url
from btdiag.families.cors.fetch.preflight import method_is_allowed, missing_request_headers

ORIGIN = "https://www.braintrust.dev"
TOKENS = st.text(alphabet="abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=12)
TEXT = st.text(alphabet=st.characters(max_codepoint=255), max_size=40)
LIST = "Access-Control-Allow-Headers"


@given(st.lists(TOKENS), st.sampled_from([",", ", ", " ,\t", ",,", " , , "]))
def test_a_list_of_tokens_is_read_whatever_separates_them(tokens: list[str], separator: str) -> None:
    assert extract_list([(LIST, separator.join(tokens))], LIST) == tuple(tokens)


@given(st.lists(st.lists(TOKENS, min_size=1), min_size=1, max_size=3))
def test_repeated_lines_are_one_list(lines: list[list[str]]) -> None:
    headers = [(LIST.swapcase(), ",".join(line)) for line in lines]
    assert extract_list(headers, LIST) == tuple(token for line in lines for token in line)


@given(TEXT)
@example('"x-a"')
@example("x-a x-b")
def test_a_list_is_all_tokens_or_an_error(value: str) -> None:
    tokens = extract_list([(LIST, value)], LIST)
    assert tokens is None or all(is_token(token) for token in tokens)


@given(TEXT)
def test_whitespace_around_a_value_does_not_count(value: str) -> None:
    assert field_value([("X", f" \t{value}\t ")], "x") == field_value([("x", value)], "X")


@given(TEXT, st.booleans())
def test_only_the_exact_origin_or_a_wildcard_passes(value: str, with_credentials: bool) -> None:
    refusal = cors_check(ORIGIN, with_credentials, [("Access-Control-Allow-Origin", value)])
    may = not with_credentials and value.strip(" \t\r\n") in (ORIGIN, "*")
    assert (refusal is None) == may


@given(TEXT)
def test_any_text_is_a_url_or_not_but_never_an_error(value: str) -> None:
    assert is_valid_url(value) in (True, False)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("https://x.example", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("null", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("https://*.braintrust.dev", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("www.braintrust.dev", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://1.2.3.999", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://[::1", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://[::1]x", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://x:99999", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://0x7f.1", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("https://09.1", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://1.09", CorsError.INVALID_ALLOW_ORIGIN),
        ("https://a%20b", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("https://a%ff", CorsError.INVALID_ALLOW_ORIGIN),
        ("foo://x:99999", CorsError.INVALID_ALLOW_ORIGIN),
        ("foo:bar", CorsError.ALLOW_ORIGIN_MISMATCH),
        ("file://", CorsError.ALLOW_ORIGIN_MISMATCH),
        (f"{ORIGIN} ,", CorsError.MULTIPLE_ALLOW_ORIGIN),
    ],
)
def test_a_wrong_origin_has_chromiums_name(value: str, error: CorsError) -> None:
    refusal = cors_check(ORIGIN, False, [("Access-Control-Allow-Origin", value)])
    assert refusal is not None
    assert refusal.error is error


@given(st.dictionaries(TOKENS, TEXT, max_size=6))
def test_a_preflight_asks_for_sorted_lower_case_names_once(headers: dict[str, str]) -> None:
    names = cors_unsafe_request_header_names(headers.items())
    assert list(names) == sorted(set(names))
    assert all(name == name.lower() for name in names)
    asked = field_value(
        preflight_request(PageRequest(origin=ORIGIN, headers=tuple(headers.items()))), "Access-Control-Request-Headers"
    )
    assert (asked or "") == ",".join(names)


def test_safelisted_headers_need_a_preflight_when_they_are_long_together() -> None:
    hints = tuple((name, "1" * 128) for name in ("width", "viewport-width", "dpr", "device-memory"))
    others = (("accept", "x" * 128), ("accept-language", "y" * 128), ("content-language", "z" * 128))
    assert cors_unsafe_request_header_names((*hints, *others)) == ()
    longer = (*hints, *others, ("content-type", "text/plain;" + "x" * 117), ("range", "bytes=0-"))
    assert len(cors_unsafe_request_header_names(longer)) == len(longer)


def test_a_repeated_header_is_one_value() -> None:
    assert cors_unsafe_request_header_names([("Accept", "x" * 80), ("accept", "y" * 80)]) == ("accept",)


@pytest.mark.parametrize(("method", "sent"), [("patch", "patch"), ("put", "PUT"), ("Get", "GET"), ("x", "x")])
def test_six_methods_are_normalised(method: str, sent: str) -> None:
    assert normalize_method(method) == sent


def test_simple_requests_need_no_preflight() -> None:
    plain = (("Accept", "application/json"), ("content-type", "text/plain;charset=UTF-8"))
    assert not needs_preflight(PageRequest(origin=ORIGIN, method="post", headers=plain))
    assert needs_preflight(PageRequest(origin=ORIGIN, method="PUT"))


@given(st.lists(TOKENS), st.booleans())
def test_allowing_more_never_refuses_more(names: list[str], with_credentials: bool) -> None:
    page = PageRequest(
        origin=ORIGIN,
        method="PUT",
        headers=tuple((name, "1") for name in names),
        credentials=Credentials.INCLUDE if with_credentials else Credentials.OMIT,
    )
    every = [(LIST, ",".join(names)), ("Access-Control-Allow-Methods", "PUT")]
    assert missing_request_headers(page, every) == ()
    assert set(missing_request_headers(page, [(LIST, ",".join(names[1:]))])) <= {name.lower() for name in names}
    assert method_is_allowed(page, ["PUT"])
    good = [("Access-Control-Allow-Origin", ORIGIN), ("Access-Control-Allow-Credentials", "true")]
    assert cors_preflight_fetch(page, 204, [*good, *every]).refusal is None


def test_authorization_by_wildcard_passes_with_a_mark() -> None:
    page = PageRequest(origin=ORIGIN, headers=(("Authorization", "Bearer -"),))
    answer = [("Access-Control-Allow-Origin", "*"), (LIST, "*")]
    assert cors_preflight_fetch(page, 200, answer).authorization_by_wildcard
    assert not cors_preflight_fetch(page, 200, [*answer, (LIST, "authorization")]).authorization_by_wildcard


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 5),
        ("", 5),
        ("600", 600),
        (" 600 ", 600),
        ("600, 600", 5),
        ("1.5", 5),
        ("-1", 0),
        ("86400", 7200),
        ("9" * 40, 7200),
    ],
)
def test_max_age_is_read_as_chromium_reads_it(value: str | None, seconds: int) -> None:
    headers = [] if value is None else [("Access-Control-Max-Age", value)]
    assert max_age(headers) == seconds


@given(TEXT, st.booleans())
def test_set_cookie_is_never_readable(value: str, with_credentials: bool) -> None:
    headers = [
        ("Set-Cookie", "a=b"),
        ("Access-Control-Expose-Headers", value),
        ("Access-Control-Expose-Headers", "set-cookie"),
    ]
    assert "set-cookie" not in readable_headers(headers, with_credentials)


def answers_of(*steps: tuple[int, str]) -> dict[str, RawResponse]:
    """Hops by URL: each redirects to the next one with all CORS headers."""
    urls = ["https://api.example/a", *(url for _, url in steps)]
    allow = (("Access-Control-Allow-Origin", "*"), (LIST, "x-a"), ("Access-Control-Allow-Methods", "PUT"))
    table = {
        url: RawResponse(status=status, headers=(*allow, ("Location", following)))
        for url, (status, following) in zip(urls, steps, strict=False)
    }
    return table | {urls[-1]: RawResponse(status=200, headers=allow)}


def fetched(page: PageRequest, table: dict[str, RawResponse]) -> tuple[object, list[tuple[str, str]]]:
    sent: list[tuple[str, str]] = []

    def answers(method: str, url: str) -> RawResponse:
        sent.append((method, url))
        answer = table[url]
        return RawResponse(status=204, headers=answer.headers) if method.startswith("OPTIONS ") else answer

    outcome = http_fetch(page, "https://api.example/a", answers)
    return (outcome.refusal.error if outcome.refusal else outcome.status), sent


def test_a_redirect_turns_post_into_get_and_preflights_again() -> None:
    page = PageRequest(origin=ORIGIN, method="POST", headers=(("x-a", "1"), ("content-type", "text/plain")))
    status, sent = fetched(page, answers_of((302, "https://api.example/b")))
    assert status == 200
    assert [method for method, _ in sent] == ["OPTIONS POST", "POST", "OPTIONS GET", "GET"]


def test_a_redirect_across_two_foreign_origins_makes_the_origin_null() -> None:
    table = answers_of((307, "https://bucket.example/b"))
    table["https://bucket.example/b"] = RawResponse(status=200, headers=(("Access-Control-Allow-Origin", ORIGIN),))
    assert fetched(PageRequest(origin=ORIGIN), table)[0] is CorsError.ALLOW_ORIGIN_MISMATCH
    table["https://bucket.example/b"] = RawResponse(status=200, headers=(("Access-Control-Allow-Origin", "null"),))
    assert fetched(PageRequest(origin=ORIGIN), table)[0] == 200


def test_authorization_does_not_cross_origins() -> None:
    table = answers_of((307, "https://bucket.example/b"))
    table["https://api.example/a"] = RawResponse(
        status=307, headers=(*table["https://api.example/a"].headers, (LIST, "authorization"))
    )
    _, sent = fetched(PageRequest(origin=ORIGIN, headers=(("authorization", "b"),)), table)
    assert [method for method, _ in sent] == ["OPTIONS GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("https://user:pw@bucket.example/", CorsError.REDIRECT_CONTAINS_CREDENTIALS),
        ("data:text/plain,x", CorsError.CORS_DISABLED_SCHEME),
        ("https://api.example/a", CorsError.NETWORK_ERROR),
    ],
)
def test_some_redirects_lead_nowhere(location: str, error: CorsError) -> None:
    headers = (("Access-Control-Allow-Origin", "*"), ("Location", location))
    table = {"https://api.example/a": RawResponse(status=303, headers=headers)}
    assert fetched(PageRequest(origin=ORIGIN), table)[0] is error
