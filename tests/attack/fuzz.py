"""Coverage-guided fuzzing of one parser: `pip install atheris`, then

    python -m tests.attack.fuzz http1_answer -max_total_time=60

The names are those of parsers.py; what follows goes to libFuzzer. A crash leaves its input in a file crash-*.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["btdiag", "h11", "h2", "hpack", "hyperframe", "dns"]):
    from tests.attack.parsers import PARSERS


def main() -> None:
    """Fuzz the parser that is named first."""
    parser = PARSERS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, parser)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
