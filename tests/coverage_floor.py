"""Holds the coverage floors (lines and branches), pure parts and each family's probe: reads .coverage after tests."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from coverage import Coverage

FAMILIES = sorted(path.parent.name for path in Path("btdiag/families").glob("*/__init__.py"))
PURE = ("facts", "plan", "questions", "judge", "remedy")
FLOORS = {
    **dict.fromkeys(("btdiag/core/*", "btdiag/report/*", "btdiag/engine/*", "btdiag/config/*", "btdiag/net/*"), 95.0),
    **{f"btdiag/families/{name}/{part}*": 95.0 for name in FAMILIES for part in PURE},
    **{f"btdiag/families/{name}/probe*": 90.0 for name in FAMILIES},
}


def main() -> int:
    """Print each part's coverage; 1 if one lies below its floor."""
    coverage = Coverage()
    coverage.load()
    measured = coverage.get_data().measured_files()
    code = 0
    for pattern, floor in FLOORS.items():
        if not any(Path(name).match(pattern) or f"/{pattern.rstrip('*')}" in name for name in measured):
            continue
        include = [pattern, f"{pattern.rstrip('*')}/*", f"{pattern.rstrip('*')}/*/*"]
        found = coverage.report(include=include, file=io.StringIO())
        if found < floor:
            print(f"{pattern}: {found:.1f} % covered (floor {floor:g} %)")
        code = code or int(found < floor)
    print(f"{len(FLOORS)} coverage floors: {'one or more not reached' if code else 'all reached'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
