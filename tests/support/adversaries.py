"""Text that keeps careless parsers busy: by name a function from a size to about so many characters."""

from __future__ import annotations

from collections.abc import Callable

Grow = Callable[[int], str]


def _times(piece: str, before: str = "", after: str = "") -> Grow:
    return lambda size: before + piece * max(1, size // len(piece)) + after


def _numbered(piece: str, before: str = "", after: str = "") -> Grow:
    """The piece again and again, with another number each time."""
    return lambda size: before + "".join(piece.format(n=n) for n in range(max(1, size // (len(piece) + 2)))) + after


WORDS: dict[str, Grow] = {
    "blanks": _times(" ", after="x"),
    "blanks between": _times(" ", "A=1", "x"),
    "digits": _times("9"),
    "digits and letter": _times("1", after="x"),
    "zeros": _times("0", after="x"),
    "dots": _times("1.", after="x"),
    "labels": _times("a.", after="-"),
    "hyphens": _times("-", "a"),
    "slashes": _times("/", "https://a.example", "x"),
    "colons": _times(":1", "a"),
    "ats": _times("a@", "https://"),
    "slashes and ats": _times("//a@", "https:"),
    "brackets": _times("[", "https://"),
    "percents": _times("%4", "http://u:", "@h:1"),
    "schemes": _times("a+", after="x://h"),
    "international": _times("ü", "https://", ".example"),
    "wide digits": _times("٣", "https://a:"),
    "commas": _times("1,", "h:1:", "x"),
    "equals": _times("=1", "python"),
}
"""For single values: URLs, proxies, headers, durations ..."""

TOML: dict[str, Grow] = {
    "dots in a key": _times("a.", after="a=1"),
    "dots in a table": _times("a.", "[", "a]"),
    "dots and blanks": _times("a . ", after="a=1"),
    "quoted parts": _times('"a".', after="a=1"),
    "many dotted keys": _numbered("a.b.c.k{n} = 1\n"),
    "brackets": _times("[", "a="),
    "braces": _times("{a=", "a="),
    "open quotes": _times('"', "a="),
    "escaped quotes": _times('\\"', 'a="'),
    "escaped triple quotes": _times('""\\"', 'a="""'),
    "open literals": _times("'", "a="),
    "keys": _numbered("k{n}=1\n"),
    "tables": _numbered("[k{n}]\n"),
    "lists of tables": _times("[[a]]\n"),
    "digits": _times("9", "a="),
    "hexadecimal": _times("f", "a=0x"),
    "underscores": _times("1_", "a=", "x"),
    "array": _times("1,", "a=[", "]"),
    "comments": _times("#\n"),
    "blanks": _times(" "),
}

YAML: dict[str, Grow] = {
    "flow mapping": _numbered("k{n}: v, ", "{", "}\n"),
    "block mapping": _numbered("k{n}: v\n"),
    "list": _times("a,", "[", "]\n"),
    "documents": _times("---\n"),
    "comments": _times("#\n"),
    "blanks": _times(" ", "a:", "x"),
    "blank lines": _times("\n", "a: |\n", "x"),
    "words": _times("x ", "a: "),
    "number": _times("1", "a: ", "x"),
    "number with underscores": _times("1_", "a: ", "x"),
    "sexagesimal": _times(":1", "a: 1", "x"),
    "float": _times(".1", "a: 1", "x"),
    "date": _times(" ", "a: 2001-01-01", "x"),
    "escapes": _times("\\n", 'a: "', '"\n'),
    "open quotes": _times("'", "a: '"),
    "question marks": _times("? "),
    "dashes": _times("- "),
    "open key": _times("a ", "{"),
    "brackets": _times("["),
    "anchors": _numbered("- &a{n} x\n"),
    "one anchor": _times("- &a x\n"),
    "tags": _times("- !<x> y\n"),
    "long tag": _times("%41", "a: !", " x"),
    "directives": _times("%TAG ! x\n"),
    "names of settings": _times("- {name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: 5}\n"),
    "idle timeouts": _times("- values: {idle_timeout: 1}\n"),
}

HCL: dict[str, Grow] = {
    "attributes": _numbered("k{n} = 1\n"),
    "list": _times("1,", "a = [", "]\n"),
    "sum": _times("+1", "a = 1", "\n"),
    "comments": _times("#\n"),
    "open comment": _times("*", "/*"),
    "blanks": _times(" ", "a", "= 1\n"),
    "string": _times("x", 'a = "', '"\n'),
    "escapes": _times('\\"', 'a = "', '"\n'),
    "open escapes": _times("\\", 'a = "'),
    "interpolation": _times("${a}", 'a = "', '"\n'),
    "open interpolation": _times("${", 'a = "'),
    "heredoc": _times("x\n", "a = <<E\n", "E\n"),
    "open heredocs": _times("a = <<E\n"),
    "digits": _times("1", "a = ", "\n"),
    "dots": _times(".a", "a = a", "\n"),
    "parentheses": _times("(", "a = "),
    "blocks": _times("a {\n"),
    "locals": _numbered("locals {{\n k{n} = local.k{n}\n}}\n"),
    "questions": _times("a?b:", "a = ", "c\n"),
}

JSON: dict[str, Grow] = {
    "list": _times("1,", "[", "1]"),
    "brackets": _times("["),
    "objects": _times('{"a":'),
    "keys": _numbered('"k{n}":1,', "{", '"z":1}'),
    "digits": _times("9", "[", "]"),
    "escapes": _times("\\u0041", '["', '"]'),
    "blanks": _times(" "),
    "names of settings": _times('{"name":"OUTBOUND_RATE_LIMIT_MAX_REQUESTS","value":1},', "[", "1]"),
    "idle timeouts": _times('{"values":{"idle_timeout":1}},', "[", "1]"),
    "containers": _times('{\\"name\\":1},', '{"container_definitions":"[', '1]"}'),
}

ENV: dict[str, Grow] = {
    "blanks": _times(" ", "A=1", "\x0cx"),
    "blanks before": _times(" ", after="A=1"),
    "blanks in the name": _times(" ", "export", "A=1"),
    "blanks behind": _times(" ", "A=1 ", "x"),
    "name": _times("A", after="-=1"),
    "quotes": _times("'", "A="),
    "hashes": _times(" #", "A="),
    "lines": _numbered("A{n}=1\n"),
    "settings": _times("OUTBOUND_RATE_LIMIT_MAX_REQUESTS=1\n"),
}
