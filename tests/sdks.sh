#!/bin/sh
# Fetches the SDK versions that tests/real/test_sdk_agrees.py runs, from PyPI, into a folder (default ~/.cache/btdiag-sdks).
set -eu
folder="${1:-${BTDIAG_SDKS:-$HOME/.cache/btdiag-sdks}}"
for version in 0.34.0 0.36.0 0.48.1; do
  [ -d "$folder/python-$version" ] ||
    python3 -m pip install -q --disable-pip-version-check --target "$folder/python-$version" "braintrust==$version"
done
