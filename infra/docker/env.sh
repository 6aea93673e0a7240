#!/bin/sh
# Writes .env for docker-compose.yml: newly generated credentials, the Triton profile, and ports.
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
    echo "env.sh: $file exists already and is left unchanged; to generate new credentials, delete it and the store's" >&2
    echo "volume (docker compose down --volumes)" >&2
    exit 1
fi

random() { # $1 characters of A-Z, a-z, 0-9
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c "$1"
}

umask 077
cat > "$file" <<END
# Made by infra/docker/env.sh. Only the owner may read it; never commit it.

# cpu or gpu: the Triton container to start.
COMPOSE_PROFILES=$profile

# Credentials of the object store, for the server and its clients.
S3_ACCESS_KEY=$(random 20)
S3_SECRET_KEY=$(random 40)

# Key with which SeaweedFS's servers sign their requests to each other.
S3_SIGNING_KEY=$(random 40)

# Keys of Triton: for inference, and for loading models.
TRITON_INFERENCE_KEY=$(random 40)
TRITON_CONTROL_KEY=$(random 40)

# Kafka's cluster id: 16 bytes in URL-safe base64; must not change while Kafka's volume exists.
KAFKA_CLUSTER_ID=$(random 21)A

# Ports on 127.0.0.1. Change those that another program uses.
KAFKA_PORT=9092
S3_PORT=8333
TRITON_HTTP_PORT=8000
TRITON_GRPC_PORT=8001
DASHBOARD_PORT=8480
END
echo "$file written. Next: docker compose up --detach --wait"
