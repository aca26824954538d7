#!/bin/sh
# The tests without real servers, in an environment of its own: for another Python, or on the oldest versions of the
# dependencies that pyproject.toml allows. Usage: environments.sh PYTHON lowest|newest [pytest arguments]
set -eu
python=$1 versions=$2
shift 2
place=build/environments/$("$python" -c 'import sys; print(sys.implementation.cache_tag)')-$versions
[ -x "$place/bin/uv" ] || {
    "$python" -m venv "$place"
    "$place/bin/pip" install -q --disable-pip-version-check uv
}
[ "$versions" = lowest ] && resolution=lowest-direct || resolution=highest
"$place/bin/uv" pip compile -q --python "$place/bin/python" --resolution $resolution --no-annotate --no-header \
    -o "$place/versions.txt" pyproject.toml
cat "$place/versions.txt"
"$place/bin/uv" pip install -q --python "$place/bin/python" -c "$place/versions.txt" -e '.[dev]'
exec "$place/bin/python" -m pytest -q -m 'not real and not alone' -n 3 --dist loadscope --no-loadscope-reorder --reruns 1 "$@"
