"""Holds the coverage floor (lines and branches) of the pure parts: reads .coverage after a test run."""

from __future__ import annotations

import io
import sys

from coverage import Coverage

FLOORS = {"btdiag/judge": 95.0, "btdiag/report": 95.0, "btdiag/engine": 95.0}


def main() -> int:
    """Print each part's coverage; 1 if one lies below its floor."""
    coverage = Coverage()
    coverage.load()
    code = 0
    for part, floor in FLOORS.items():
        found = coverage.report(include=[f"{part}/*"], file=io.StringIO())
        print(f"{part}: {found:.1f} % covered (floor {floor:g} %)")
        code = code or int(found < floor)
    return code


if __name__ == "__main__":
    sys.exit(main())
