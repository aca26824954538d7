"""Static checks of what people deploy with: Helm values, manifests, Terraform, compose and env files. No network.

Inputs become documents with positions, versions decide which defaults apply, Helm's merge gives the values in effect,
and rules (data and small pure functions) judge them. Only `reading` touches files.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """`btdiag.lint` is this room and, for programs, the function (see `program`)."""

    def __call__(self, *paths: Any, **options: Any) -> Any:
        from btdiag.lint.program import lint  # the rules take a moment to load

        return lint(*paths, **options)


sys.modules[__name__].__class__ = _Callable
