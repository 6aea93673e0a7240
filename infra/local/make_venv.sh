#!/bin/sh
# Creates or updates .venv with all extras, at the versions in constraints.txt. Called by make in the clone's root.
# PYTHON=... selects the interpreter.
set -eu

log() { printf '%s\n' "$*" >&2; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" && { echo "$PYTHON"; return; }
        log "uncia: PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13"
        exit 1
    fi
    # 3.13 last: Triton's own environment then needs one of the other versions as well.
    for candidate in python3.11 python3.12 python3 python3.13; do
        supported "$candidate" && { echo "$candidate"; return; }
    done
    log "uncia: Python 3.11 or 3.12 is needed (Debian 12, Ubuntu 24.04: sudo apt-get install python3 python3-venv)"
    exit 1
}

if ! { [ -x .venv/bin/python ] && supported .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package="python$version-venv"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            log "installing $package with apt"
            apt-get update -qq || true
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
        else
            log "uncia: $python cannot create environments: sudo apt-get install $package"
            exit 1
        fi
    fi
    log "creating .venv with Python $version"
    rm -rf .venv
    "$python" -m venv .venv
fi

log "installing Python packages into .venv (the first time takes some minutes) ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[processors,models,dashboard,mailroom,delivery,local,dev]'
