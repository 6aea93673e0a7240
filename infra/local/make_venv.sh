#!/bin/sh
# Makes or updates .venv with all extras, at the versions in constraints.txt. Called by make, in the clone's root.
# PYTHON=... chooses the interpreter.
set -eu

say() { printf '%s\n' "$*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

choose() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" && { echo "$PYTHON"; return; }
        say "uncia: PYTHON=$PYTHON is no Python 3.11, 3.12 or 3.13"
        exit 1
    fi
    # 3.13 last: Triton's own environment then needs one of the others beside it.
    for candidate in python3.11 python3.12 python3 python3.13; do
        fits "$candidate" && { echo "$candidate"; return; }
    done
    say "uncia: Python 3.11 or 3.12 is needed (Debian 12, Ubuntu 24.04: sudo apt-get install python3 python3-venv)"
    exit 1
}

if ! { [ -x .venv/bin/python ] && fits .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(choose)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package="python$version-venv"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "installing $package by apt"
            apt-get update -qq || true
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
        else
            say "uncia: $python cannot make environments: sudo apt-get install $package"
            exit 1
        fi
    fi
    say "making .venv with Python $version"
    rm -rf .venv
    "$python" -m venv .venv
fi

say "installing Python packages into .venv (the first time, some minutes) ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[processors,models,dashboard,local,dev]'
