#!/bin/sh
# Trains a small head over ssh on this machine, as if it were another one: an ssh server of its own, with its own port
# and keys, which ends with this script. Needs `make setup` and OpenSSH (`make ssh-server`, or your package manager).
#
#   examples/train_over_ssh.sh [FOLDER]     default: .local/train-over-ssh, which is replaced
set -eu
cd "$(dirname "$0")/.."
clone=$(pwd)
folder=$(realpath -m "${1:-.local/train-over-ssh}")
sshd=$(PATH="$PATH:/usr/sbin" command -v sshd) || { echo "sshd is missing: make ssh-server" >&2; exit 1; }

rm -rf "$folder"
mkdir -p "$folder/keys"
for key in host user; do ssh-keygen -q -t ed25519 -N '' -f "$folder/keys/$key"; done
port=$(.venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$folder/server" <<EOF
Port $port
ListenAddress 127.0.0.1
HostKey "$folder/keys/host"
AuthorizedKeysFile "$folder/keys/user.pub"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
EOF
printf '[127.0.0.1]:%s %s\n' "$port" "$(cat "$folder/keys/host.pub")" >"$folder/known_hosts"
cat >"$folder/client" <<EOF
IdentityFile "$folder/keys/user"
IdentitiesOnly yes
UserKnownHostsFile "$folder/known_hosts"
EOF
[ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd
"$sshd" -D -e -f "$folder/server" 2>"$folder/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

# Composites of two classes: enough to see a training, not to judge one.
.venv/bin/uncia data draw "$folder/photographs" --bursts 24 --cameras 4 --size 640x480

cd "$folder"
"$clone/.venv/bin/uncia" train head photographs --out model --look whole \
    --on "ssh://$(id -un)@127.0.0.1:$port$folder/over-there" --ssh-config client --environment "$clone/.venv"
