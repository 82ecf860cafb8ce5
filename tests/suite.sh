#!/usr/bin/env bash
# make test SUITE=trixie: run a goal of make in a bare root of a Debian suite.  suite.sh <suite> <arguments of make>...
# Everything stays in build-roots/, with what apt and npm downloaded, so that the next run is fast.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${1:?a Debian suite}
shift
roots=$PWD/build-roots
root=$roots/$suite
sources=/srv/claude-proxy # inside the root
. tests/roots.sh

fail() {
	echo "make test SUITE=$suite: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

# The mounts are this namespace's own: they go with its last process.
mount_all() {
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --rbind /sys "$root/sys"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	mount --bind "$roots/downloads/debs" "$root/var/cache/apt/archives"
	mkdir -p "$root/root/.npm"
	mount --bind "$roots/downloads/npm" "$root/root/.npm"
}

# What make would see here: every file but the ignored ones.  What npm installed stays; all else is built anew.
copy_sources() {
	local to=$root$sources
	mkdir -p "$to/build"
	find "$to" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	find "$to/build" -mindepth 1 -maxdepth 1 ! -name clients -exec rm -rf {} +
	git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
		while IFS= read -rd '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
		tar --null -T - -cf - | tar --no-same-owner -xf - -C "$to"
}

# The environment inside: how the host reaches npm's registry, what the tests are told, and nothing else of it.
environment() {
	local name value
	echo "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	echo "HOME=/root"
	echo "LANG=C.UTF-8"
	echo "CLAUDE_PROXY_SUITE=$suite"
	echo "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"
	env | grep -iE '^((https?|all|no)_proxy|CLAUDE_PROXY_OFFLINE|TEST_SEED|(SOAK|FAULT)_SECONDS)=' || true
	command -v npm >/dev/null || return 0
	for name in registry proxy https-proxy strict-ssl; do
		value=$(npm config get "$name" 2>/dev/null) || continue
		case $value in "" | null | undefined) ;; *) echo "npm_config_${name//-/_}=$value" ;; esac
	done
}

# What the first process inside does.  It stays until the end, to reap what its children leave.
inside() {
	cat <<-'END'
		umount -l /mnt && cd "$0" || exit 1
		# An earlier run may have been ended while packages were installed.
		dpkg --configure -a >/dev/null
		fcgi/deploy/packages.sh "$1" || exit 1
		# make dist packs a commit.
		git init -q && git add -A && git -c user.name=suite -c user.email=suite@localhost commit -qm "as checked out" || exit 1
		make -s "-j$(nproc)" "$@"
		exit $?
	END
}

if [ -z "${CLAUDE_PROXY_SUITE_NAMESPACE:-}" ]; then
	[ "$(id -u)" = 0 ] || fail "only root can make the root of another suite: run it with sudo"
	command -v apt-get >/dev/null || fail "this needs Debian's apt and debootstrap"
	fcgi/deploy/packages.sh suite
	# Whatever ends this script ends all that runs inside.
	CLAUDE_PROXY_SUITE_NAMESPACE=1 setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "$0" "$suite" "$@"
	exit $?
fi

mkdir -p "$roots/downloads/npm"
exec 9>"$roots/$suite.lock"
flock -n 9 || fail "another run uses this root"
make_root "$suite" "$root" || fail "there is no root of '$suite' (see above)"
mount_all
copy_network "$root"
copy_sources
mapfile -t variables < <(environment)
# Not chroot alone: inside one, no namespace can be made, which tests do.
cd "$root"
pivot_root . mnt
exec chroot . env -i "${variables[@]}" bash -c "$(inside)" "$sources" "$@"
