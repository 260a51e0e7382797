#!/bin/sh
# Installs the Debian packages that the given lists name and this machine lacks; asks for nothing.
# Where it may not install, it names them in one line and fails. CARDEA_SKIP_APT=1: the packages are there by other means.
#
#   requirements/apt.sh requirements/run.apt ...
set -eu
python=${PYTHON:-python3}

has() {
    case $1 in
        # Any Python will do that brings these itself.
        python3-venv) "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
        python3-dev) "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ;;
        *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
    esac
}

[ "${CARDEA_SKIP_APT:-}" = 1 ] && exit 0
missing=
for package in $(sed 's/#.*//' "$@"); do
    has "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "cardea: this is no Debian; install what these packages hold, then set CARDEA_SKIP_APT=1:$missing" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    run=
elif sudo -n true 2>/dev/null; then
    run="sudo -n"
else
    echo "cardea: please run: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

echo "installing Debian packages:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    # shellcheck disable=SC2086 # both are lists
    $run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >"$log" 2>&1 </dev/null
}
# The lists of packages may be absent or old: fetch them only when it matters.
if ! install; then
    # One source that fails is none of our business; the packages decide.
    $run apt-get update >/dev/null 2>&1 </dev/null || true
    if ! install; then
        tail -n 20 "$log" >&2
        echo "cardea: these packages could not be installed:$missing" >&2
        exit 1
    fi
fi
