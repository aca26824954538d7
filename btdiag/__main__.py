"""Entry point of `btdiag` and of `python -m btdiag`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # `python -m btdiag` must not import a pytest.py or httpx.py of the folder the user stands in


def main() -> None:
    """Run the command line and end the process at once with its exit code."""
    from btdiag.engine.interrupt import EXIT_CODE, INTERRUPT

    try:
        INTERRUPT.install()
        from btdiag.entry import entry

        entry(sys.argv[1:])
    except KeyboardInterrupt:
        os._exit(EXIT_CODE)


if __name__ == "__main__":
    main()
