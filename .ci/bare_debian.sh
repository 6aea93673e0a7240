#!/bin/bash
# Runs commands in a Debian 12 that has nothing installed, on a fresh clone of this checkout (what is committed): finds
# the set-up steps that an installed machine hides.
#
#   .ci/bare_debian.sh                      README's apt-get line, then `make test`
#   .ci/bare_debian.sh 'make setup check'   README's apt-get line, then this
#
# Needs root, Debian 12's own package sources, and a kernel that lets it mount; installs debootstrap where it is missing.
# Status 75 where no such system can be made here; else that of the commands. All mounts and processes live in a
# namespace that ends with this script. KEEP=1 keeps the system's folder.
set -uo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
commands=${1:-make test}

cannot() {
    echo "no bare Debian here: $*" >&2
    exit 75
}

[ "$(id -u)" = 0 ] || cannot "this needs root"
[ "$(. /etc/os-release && echo "${ID:-}-${VERSION_CODENAME:-}")" = debian-bookworm ] || cannot "this machine is no Debian 12"
git -c safe.directory='*' -C "$checkout" rev-parse --quiet --verify HEAD >/dev/null || cannot "$checkout is no git checkout"
unshare --mount --pid --fork true 2>/dev/null || cannot "the kernel does not let us make namespaces"
sources=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /:\//) {print $i; exit}}' <<<"$sources")
[ -n "$mirror" ] || cannot "apt's sources name no mirror"
if ! command -v debootstrap >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap \
        >/dev/null </dev/null || cannot "debootstrap cannot be installed"
fi

# Not in the temporary directory, which may be small, or take no devices; nor where debootstrap cannot work, which reads
# a blank in its folder's path as the end of it.
case $checkout in
*[!A-Za-z0-9/._-]*) place=/var/tmp ;;
*) place=$checkout/.local && mkdir -p "$place" ;;
esac
root=$(mktemp -d "$place/uncia-bare-XXXXXX") || cannot "no room for it"
chmod 755 "$root"  # apt's own user reads in it
child=
finish() {
    # The namespace's first process takes all others with it.
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null
    wait 2>/dev/null
    if [ -n "${KEEP:-}" ]; then echo "kept: $root" >&2; else rm -rf --one-file-system "$root"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "making a bare Debian 12 in $root" >&2
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 </dev/null || {
    tail -5 "$root.log" >&2
    rm -f "$root.log"
    cannot "debootstrap failed"
}
rm -f "$root.log"

# This machine's package sources, certificates and client configuration; nothing that it has installed.
rm -f "$root/etc/apt/sources.list"
cp -r /etc/apt/sources.list.d "$root/etc/apt/"
[ ! -f /etc/apt/sources.list ] || cp /etc/apt/sources.list "$root/etc/apt/"
cp -r /etc/apt/apt.conf.d "$root/etc/apt/"
cp -r /etc/ssl/certs "$root/etc/ssl/"
[ ! -d /usr/local/share/ca-certificates ] || cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
for file in /etc/pip.conf /etc/resolv.conf /etc/hosts; do
    [ ! -f "$file" ] || cp -L "$file" "$root$file"
done
for file in .npmrc .m2/settings.xml .config/pip/pip.conf .pip/pip.conf .netrc; do
    [ ! -f "$HOME/$file" ] || install -D -m 600 "$HOME/$file" "$root/root/$file"
done

# A name with a space, as the Makefile promises.
git -c safe.directory='*' clone --quiet "$checkout" "$root/srv/fresh clone" || cannot "the checkout cannot be cloned"
[ ! -d "$checkout/../shared" ] || cp -r "$checkout/../shared" "$root/srv/shared"

packages=$(sed -n 's/^\(sudo \)\{0,1\}\(apt-get install .*\)$/\2/p' "$checkout/README.md" | head -1)
variables=()
while IFS='=' read -r name _; do
    case $name in
    CI | PIP_* | http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY) variables+=("$name=${!name}") ;;
    esac
done < <(env)

cat >"$root/run.sh" <<S
set -e
cd "/srv/fresh clone"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive ${packages:-true} >/dev/null
$commands
S
cat >"$root.enter" <<'S'
root=$1
shift
set -e
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount --rbind /sys "$root/sys" || true
# Not `exec`: this shell is the namespace's first process, and buries what is orphaned.
# A shell that starts this in the background makes it ignore SIGINT, which tests send to their own child processes.
chroot "$root" /usr/bin/env -i --default-signal=INT,QUIT PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DEFAULT_TIMEOUT=60 "$@" /bin/bash /run.sh
exit $?
S
mv "$root.enter" "$root/enter.sh"
unshare --mount --pid --fork --kill-child bash "$root/enter.sh" "$root" "${variables[@]}" </dev/null &
child=$!
wait "$child"
status=$?
child=
exit "$status"
