#!/bin/sh
# Writes .env for docker-compose.yml: credentials drawn here and now, and the choices that a machine makes.
# Usage: sh infra/docker/env.sh [--gpu]        (from the repository's root; needs nothing but a shell)
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
    echo "env.sh: $file is there already and keeps its credentials; delete it to draw new ones (and then also the" >&2
    echo "store's volume: docker compose down --volumes)" >&2
    exit 1
fi

draw() { # $1 characters of A-Z, a-z, 0-9
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c "$1"
}

umask 077
cat > "$file" <<END
# Made by infra/docker/env.sh. Only the owner may read it; never commit it.

# cpu or gpu: which Triton is started.
COMPOSE_PROFILES=$profile

# The store's credentials, for the store and for all who use it.
S3_ACCESS_KEY=$(draw 20)
S3_SECRET_KEY=$(draw 40)

# What the store's own parts sign their requests to each other with.
S3_SIGNING_KEY=$(draw 40)

# Kafka's cluster id: 16 bytes as URL-safe base64, fixed for the life of its volume.
KAFKA_CLUSTER_ID=$(draw 21)A

# Ports on 127.0.0.1. Change them where another program has them.
KAFKA_PORT=9092
S3_PORT=8333
TRITON_HTTP_PORT=8000
TRITON_GRPC_PORT=8001
END
echo "$file written. Next: docker compose up --detach --wait"
