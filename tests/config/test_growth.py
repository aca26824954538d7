"""No text keeps a parser busy: four times the text takes some four times as long, and never sixteen times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from btdiag.config import UsageError
from btdiag.config.declared import found
from btdiag.config.files import leaves
from btdiag.config.options import BY_KEY
from btdiag.config.profile import load_profile
from btdiag.config.secretive import header_parts, header_value, proxy_parts
from btdiag.config.targets import _origin, _pin, _resolvers, _sdk
from btdiag.config.values import duration, target_name, value_of
from btdiag.core.urls import exempting_entry, quotable, url_parts, without_userinfo
from tests.support.adversaries import ENV, HCL, JSON, TOML, WORDS, YAML

pytestmark = pytest.mark.alone  # processor time, which what runs beside it blurs

AT_MOST = 9.0  # a line is 4, a square 16
NOISE_S = 0.004  # below it, what a processor does beside says more than what the parser does

WORD_PARSERS: dict[str, Callable[[str], object]] = {
    "duration": duration,
    "seconds": lambda text: value_of(BY_KEY["lb_idle_timeout"], text, "x"),
    "number": lambda text: value_of(BY_KEY["periods"], text, "x"),
    "path": lambda text: value_of(BY_KEY["ca"], text, "x"),
    "text": lambda text: value_of(BY_KEY["header"], text, "x"),
    "url": url_parts,
    "target": lambda text: target_name(text, "x"),
    "origin": _origin,
    "proxy": proxy_parts,
    "header": header_parts,
    "header value": header_value,
    "nameserver": _resolvers,
    "resolve": lambda text: _pin(text),
    "sdk": _sdk,
    "no proxy": lambda text: exempting_entry(text, "a.example", 443),
    "without userinfo": without_userinfo,
    "quotable": quotable,
}


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three tries."""

    def once() -> float:
        begun = time.process_time()
        with suppress(UsageError, ValueError):
            work()
        return time.process_time() - begun

    return min(once() for _ in range(3))


def growth(make: Callable[[int], Callable[[], object]], size: int) -> float:
    """How many times as long four times the text takes."""
    less, more = make(size), make(4 * size)
    return cpu_seconds(more) / max(cpu_seconds(less), NOISE_S)


def _cases() -> Iterator[tuple[str, str, int]]:
    """Sizes: so small that a second holds them all, so large that a square would not be overlooked."""
    for kind, table, size in (
        ("toml", TOML, 15_000),
        ("yaml", YAML, 4_000),
        ("tf", HCL, 3_000),
        ("json", JSON, 30_000),
        ("env", ENV, 60_000),
    ):
        yield from ((kind, name, size) for name in table)


@pytest.mark.parametrize(("kind", "name", "size"), [*_cases()])
def test_files_of_four_times_the_size(tmp_path: Path, kind: str, name: str, size: int) -> None:
    grow = {"toml": TOML, "yaml": YAML, "tf": HCL, "json": JSON, "env": ENV}[kind][name]

    def make(size: int) -> Callable[[], object]:
        folder = tmp_path / str(size)
        folder.mkdir(exist_ok=True)
        path = folder / ("btdiag.toml" if kind == "toml" else f"x.{kind}")
        path.write_text(grow(size), "utf-8")
        return (lambda: load_profile(path, folder)) if kind == "toml" else (lambda: found(leaves(path)))

    assert any(growth(make, size) < AT_MOST for _ in range(3))


@pytest.mark.parametrize("parser", WORD_PARSERS)
def test_values_of_four_times_the_size(parser: str) -> None:
    parse = WORD_PARSERS[parser]
    for name, grow in WORDS.items():

        def make(size: int, grow: Callable[[int], str] = grow) -> Callable[[], object]:
            text = grow(size)
            return lambda: parse(text)

        for size in (900, 25_000):  # a URL has an end, below which it is to be read in a line too
            assert any(growth(make, size) < AT_MOST for _ in range(3)), name


def test_the_measure_sees_a_square() -> None:
    """It would see the faults that it is there for."""

    def make(size: int) -> Callable[[], object]:
        return lambda: [sum(range(size)) for _ in range(size)]

    assert growth(make, 700) > AT_MOST
