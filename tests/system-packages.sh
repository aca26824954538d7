#!/bin/sh
# Installs the Debian packages that the tests against real servers need, after saying so; asks nothing where all are there.
set -eu

missing=""
need() { # command, package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}
need nginx nginx-light
need haproxy haproxy
need promtool prometheus
need caddy caddy
need apache2 apache2-bin
need node nodejs
need npm npm
need chromium chromium
need certutil libnss3-tools
need gnutls-serv gnutls-bin
need openssl openssl
need curl curl
need jq jq
need groff groff-base
need prometheus prometheus
ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || missing="$missing postgresql"
if [ "$(id -u)" -eq 0 ]; then # for networks of their own, which only root can make
    need ip iproute2
    need ss iproute2
    need nft nftables
    need squid squid
    need tinyproxy tinyproxy-bin
    need dnsmasq dnsmasq-base
    need unbound unbound
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests against real servers need:$missing (no apt-get here: install them by hand)" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    sudo="sudo"
    command -v sudo >/dev/null 2>&1 || { echo "As root: apt-get install$missing" >&2; exit 1; }
fi
echo "The tests need Debian packages that are missing here; installing:$missing"
# The servers are started by the tests on ports of their own, never as services of this machine.
policy=/usr/sbin/policy-rc.d
if [ -z "$sudo" ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
available=""
for package in $missing; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        available="$available $package"
    else
        echo "This distribution has no package $package: the tests that need it will tell" >&2
    fi
done
[ -z "$available" ] && exit 0
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $available >/dev/null
