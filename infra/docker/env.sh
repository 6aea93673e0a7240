#!/bin/sh
# Writes .env for docker-compose.yml: the Triton profile, and the ports on this machine.
# Usage: sh infra/docker/env.sh [--gpu]        (in the repository's root; needs nothing but a shell)
set -eu

file=.env
profile=cpu
if [ "${1:-}" = "--gpu" ]; then
    profile=gpu
elif [ -n "${1:-}" ]; then
    echo "env.sh: unknown argument '$1'; the only one is --gpu" >&2
    exit 2
fi
if [ -e "$file" ]; then
    echo "env.sh: $file exists already and is left unchanged: edit it, or delete it first" >&2
    exit 1
fi

cat > "$file" <<END
# Made by infra/docker/env.sh. Keys are not in here: the service \`keys\` draws them.

# cpu or gpu: the Triton container to start.
COMPOSE_PROFILES=$profile

# Ports on 127.0.0.1. Change those that another program uses.
KAFKA_PORT=9092
S3_PORT=8333
DASHBOARD_PORT=8480
END
echo "$file written. Next: docker compose up --detach --wait"
