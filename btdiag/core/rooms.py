"""Rooms that are functions too: `btdiag.lint` is a package of ours and, for programs, what it does."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Calls the function of the room's own name in its module `program`, which is loaded then."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        program = import_module(f"{self.__name__}.program")
        return getattr(program, self.__name__.rpartition(".")[2])(*arguments, **options)


def callable_too(room: str) -> None:
    """Let the package of that name be called."""
    sys.modules[room].__class__ = _Callable
