"""Rewrites every string of a document, whatever holds it: fields, lists, and the keys and values of JSON data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, cast

_FIXED_FIELDS = frozenset({"id", "family", "because", "root_cause", "hop", "state", "kind", "started_at", "counts"})
"""Words of btdiag's own vocabulary. Replacing one that happens to equal a secret would disclose the secret."""


class Rewriter(ABC):
    """Walks values; a subclass says what becomes of a string (`string`) and of a header's value (`header`)."""

    @abstractmethod
    def string(self, text: str, key: str) -> str:
        """The new text for a string found under a key or field name ("" for keys themselves)."""

    def header(self, name: str, value: str) -> str:
        """The new value of a header of that name (lower case) in a list of headers."""
        return self.string(value, name)

    def fields(self, value: Any, skip: frozenset[str] = frozenset()) -> Any:
        """A dataclass with all its fields rewritten but those to skip and those of btdiag's own vocabulary."""
        names = [name for name in _names(cast(Hashable, type(value))) if name not in skip]
        return replace(value, **{name: self.value(getattr(value, name), name) for name in names})

    def value(self, value: Any, key: str = "") -> Any:
        """Any value of a document, rewritten; `key` is where it was found."""
        if type(value) is str:
            return self.string(value, key)
        if value is None or isinstance(value, Enum | bool | int | float):
            return value
        if isinstance(value, str):
            return self.string(value, key)
        if is_dataclass(value) and not isinstance(value, type):
            return self.fields(value)
        if isinstance(value, Mapping):
            return {self.string(str(name), ""): self.value(item, str(name)) for name, item in value.items()}
        if "headers" in key and _is_pair(value):
            return type(value)((self.string(value[0], ""), self.header(value[0].lower(), value[1])))
        return type(value)(self.value(item, key) for item in value)


@cache
def _names(kind: Hashable) -> tuple[str, ...]:
    """The fields of a dataclass but those of btdiag's own vocabulary."""
    return tuple(field.name for field in fields(cast(Any, kind)) if field.name not in _FIXED_FIELDS)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(item, str) for item in value)
