# Bare roots of Debian suites, made by debootstrap and kept: for suite.sh and for the tests of packages.  Sourced by bash.
# Or run: roots.sh <suite> <folder> [<package>…] [-- <package>…]
default_mirror=http://deb.debian.org/debian

# The host's own mirror of ${1} (a suite of the host), or ${2}.
mirror_of() {
	local site
	# shellcheck disable=SC2016
	site=$(apt-get indextargets --format '$(RELEASE) $(SITE)' "Identifier: Packages" 2>/dev/null |
		awk -v suite="$1" '$1 == suite && $2 ~ /^https?:/ { print $2; exit }')
	echo "${site:-$2}"
}

# debootstrap asks the environment for a proxy, apt also its own settings.
export_proxy_of_apt() {
	local proxy=""
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] || [ "$proxy" = DIRECT ] || export http_proxy="${http_proxy:-$proxy}"
}

# make_root <suite> <folder> [<package>…] [-- <package>…]: debootstrap a root, unless it is there, with these packages
# installed in it, and those after -- downloaded, so that it needs no network to install them.
make_root() (
	suite=$1 root=$2
	wanted=${*:3}
	[ ! -d "$root" ] || [ "$(cat "$root.packages" 2>/dev/null)" != "$wanted" ] || exit 0
	rm -rf "$root"
	host_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	mirror=$(mirror_of "$host_suite" "$default_mirror")
	downloads=$(dirname "$root")/downloads/debs
	mkdir -p "$downloads"
	# Two debootstraps with one cache take each other's packages while they are written.
	exec 9>"$downloads.lock"
	flock 9
	export_proxy_of_apt
	log=$root.log
	# A suite that is newer than this system's debootstrap is made as sid is.
	script=/usr/share/debootstrap/scripts/$suite
	[ -e "$script" ] || script=$(dirname "$script")/sid
	rm -rf "$root.part"
	echo "making a root of $suite from $mirror" >&2
	if ! debootstrap --variant=minbase --include=ca-certificates --cache-dir="$downloads" \
		"$suite" "$root.part" "$mirror" "$script" >"$log" 2>&1 ||
		! configure_apt "$root.part" || ! add_packages "${@:3}" >>"$log" 2>&1; then
		cat "$log" "$root.part/debootstrap/debootstrap.log" 2>/dev/null | tail -n 20 >&2
		rm -rf "$root.part"
		echo "debootstrap could not make a root of '$suite' from $mirror (see above)" >&2
		exit 1
	fi
	echo "$wanted" >"$root.packages"
	mv "$root.part" "$root"
)

# The names and certificates of the host, as far as apt needs them.
add_packages() {
	[ $# != 0 ] || return 0
	copy_network "$root.part" &&
		chroot "$root.part" sh -e -c 'apt-get update -qq
			export DEBIAN_FRONTEND=noninteractive
			apt-get install -y -qq --no-install-recommends ${1%%-- *}
			apt-get clean
			[ "${1#*-- }" = "$1" ] || apt-get install -y -qq --download-only ${1#*-- }' _ "$*"
}

# Names and certificates as the host has them.
copy_network() {
	cp -L /etc/resolv.conf /etc/hosts "$1/etc/" || return 1
	compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null || return 0
	cp -L /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
	chroot "$1" update-ca-certificates >/dev/null 2>&1
}

configure_apt() {
	local security
	security=$(mirror_of "$host_suite-security" "${mirror%/debian*}/debian-security")
	{
		echo "deb $mirror $suite main"
		case $suite in
		sid | unstable | experimental) ;;
		*)
			echo "deb $mirror $suite-updates main"
			echo "deb $security $suite-security main"
			;;
		esac
	} >"$1/etc/apt/sources.list"
	{
		apt-config dump | grep -E '^Acquire::(https?|Check-(Date|Valid-Until)|Retries|ForceIPv[46])\b' |
			grep -viE 'auto-?detect' || true
		echo 'Acquire::Languages "none";'
	} >"$1/etc/apt/apt.conf.d/90host"
	# The root is thrown away when it breaks: nothing need be safe from a power cut.
	echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe-io"
	# No service starts when its package is installed.
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod 755 "$1/usr/sbin/policy-rc.d"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || make_root "$@"
