"""`python -m btdiag.lab SCENARIO`: serve a scenario of the embedded lab."""

import sys

from btdiag.lab.serve import main

if __name__ == "__main__":
    sys.exit(main())
