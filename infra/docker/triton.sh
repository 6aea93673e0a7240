#!/bin/sh
# Starts Triton with the options that restrict its protocols. They contain keys, which Triton reads from its command line
# only; from a file they are in neither the compose file nor the description of the container.
#
# Usage: sh start.sh OPTIONS COMMAND...     OPTIONS: a file with one option a line
set -eu

options=$1
shift
while IFS= read -r option; do
    set -- "$@" "$option"
done < "$options"
exec "$@"
