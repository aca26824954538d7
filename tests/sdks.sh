#!/bin/sh
# Fetches the SDK versions that tests/real/test_sdk_agrees.py runs, from PyPI and npm, into a folder (default
# ~/.cache/btdiag-sdks). What they need is installed once for all Python versions, by the Python that will run them.
set -eu
folder="${1:-${BTDIAG_SDKS:-$HOME/.cache/btdiag-sdks}}"
python="${PYTHON:-python3}"
js=3.35.0
mkdir -p "$folder"

[ -d "$folder/js-$js" ] && [ -d "$folder/python-0.48.1" ] || echo "Fetching the SDKs that are tested against into $folder ..."

pip() { # name of the folder, requirements...
    [ -d "$folder/$1" ] && return
    rm -rf "$folder/$1.part"
    name="$1"
    shift
    "$python" -m pip install -q --disable-pip-version-check --root-user-action ignore --no-compile \
        --target "$folder/$name.part" "$@"
    mv "$folder/$name.part" "$folder/$name"
}

javascript() {
    [ -d "$folder/js-$js" ] && return
    rm -rf "$folder/js-$js.part"
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional --prefix "$folder/js-$js.part" \
        "braintrust@$js" >/dev/null
    mv "$folder/js-$js.part" "$folder/js-$js"
}

javascript &
# Not by way of the SDK's own requirements: 0.48.1 wants a certifi (2026.10.19) that mirrors and locked indexes may lack,
# and none of the versions does anything with it that an older one would not.
pip "python-needs-$("$python" -c 'import sys; print(sys.implementation.cache_tag)')" \
    certifi requests chevron tqdm exceptiongroup jsonschema packaging sseclient-py python-slugify typing_extensions wrapt
for version in 0.34.0 0.36.0 0.48.1; do
    pip "python-$version" --no-deps "braintrust==$version"
done
wait $! || { echo "npm could not fetch braintrust $js" >&2; exit 1; }
