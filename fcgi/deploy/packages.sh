#!/bin/sh
# Install the system packages that the goals of make need and that are missing: packages.sh [run|demo|test|lint|fuzz…]
# Debian and Ubuntu: by apt-get.  Elsewhere: print the command, and stop.  Nothing missing: print nothing.
# packages.sh --check: only print the command, everywhere.
set -eu

check=
[ "${1:-}" != --check ] || { check=1; shift; }

libraries="fcgi libcurl json-c sqlite3 libuv"
needs="build"
for goal in "$@"; do
	case $goal in
	run | dev | demo) needs="$needs serve" ;;
	test | test-clients) needs="$needs serve test packaging" ;;
	bench) needs="$needs serve bench" ;;
	lint) needs="$needs lint" ;;
	fuzz) needs="$needs lint" ;;
	deb) needs="$needs deb" ;;
	suite) needs="$needs suite" ;;
	esac
done

has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

# missing <package names: debian fedora alpine freebsd brew>
deb="" dnf="" apk="" pkg="" brew=""
missing() {
	deb="$deb $1" dnf="$dnf $2" apk="$apk $3" pkg="$pkg $4" brew="$brew $5"
}

node_is_new() {
	has node && has npm && [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ]
}

check_build() {
	has cc || missing gcc gcc gcc gcc gcc
	has make || missing make make make gmake make
	if ! has pkg-config; then
		missing pkg-config pkgconf-pkg-config pkgconf pkgconf pkgconf
	fi
	# shellcheck disable=SC2086
	if has pkg-config && pkg-config --exists $libraries; then return; fi
	[ -n "$(ls /usr/include/fcgiapp.h 2>/dev/null)" ] || missing libfcgi-dev fcgi-devel fcgi-dev fcgi-devkit fcgi
	pkg-config --exists libcurl 2>/dev/null || missing libcurl4-openssl-dev libcurl-devel curl-dev curl curl
	pkg-config --exists json-c 2>/dev/null || missing libjson-c-dev json-c-devel json-c-dev json-c json-c
	pkg-config --exists sqlite3 2>/dev/null || missing libsqlite3-dev sqlite-devel sqlite-dev sqlite3 sqlite
	pkg-config --exists libuv 2>/dev/null || missing libuv1-dev libuv-devel libuv-dev libuv libuv
}

check_serve() {
	has lighttpd || missing lighttpd "lighttpd lighttpd-fastcgi" lighttpd lighttpd lighttpd
	has curl || missing curl curl curl curl curl
	[ -x /usr/bin/python3 ] || has python3 || missing python3 python3 python3 python3 python3
	has ps || missing procps procps-ng procps "" ""
}

check_bench() {
	has nginx || missing nginx-light nginx nginx nginx nginx
}

check_test() {
	pkg-config --exists cmocka 2>/dev/null || missing libcmocka-dev libcmocka-devel cmocka-dev cmocka cmocka
	/usr/bin/python3 -c 'import pytest, xdist' 2>/dev/null ||
		missing "python3-pytest python3-pytest-xdist" "python3-pytest python3-pytest-xdist" \
			"py3-pytest py3-pytest-xdist" "py311-pytest py311-pytest-xdist" pytest
	check_bench
	has promtool || missing prometheus golang-github-prometheus prometheus prometheus prometheus
	has musl-gcc || missing musl-tools musl-gcc "" "" ""
	has caddy || missing caddy caddy caddy caddy caddy
	[ ! -d /etc/lighttpd ] || ! has apt-get || [ -e /usr/lib/lighttpd/mod_openssl.so ] || missing lighttpd-mod-openssl "" "" "" ""
	has spawn-fcgi || missing spawn-fcgi spawn-fcgi spawn-fcgi spawn-fcgi spawn-fcgi
	# The tests start Debian's Apache, with its own files; elsewhere they are left out.
	if has apt-get; then
		[ -e /etc/apache2/apache2.conf ] || missing apache2 "" "" "" ""
		[ -e /usr/lib/apache2/modules/mod_fcgid.so ] || missing libapache2-mod-fcgid "" "" "" ""
	fi
	# Elsewhere a browser may be no package; the tests that need it are left out then.
	if grep -qs '^ID=debian' /etc/os-release && ! has chromium; then
		missing chromium chromium chromium chromium ""
	fi
	has mandoc || missing mandoc mandoc mandoc mandoc mandoc
	has git || missing git git git git git
	has zsh || missing zsh zsh zsh zsh zsh
	has fish || missing fish fish fish fish fish
	has strace || missing strace strace strace "" ""
	has systemd-analyze || missing systemd systemd "" "" ""
	has openssl || missing openssl openssl openssl openssl openssl
	# What tests make of the clock and the network; those that need it are left out elsewhere.
	has faketime || missing faketime libfaketime libfaketime "" ""
	has ip || missing iproute2 iproute iproute2 "" ""
	node_is_new || missing "nodejs npm" "nodejs npm" "nodejs npm" "node npm" node
}

check_lint() {
	has clang || missing clang clang clang llvm llvm
	has clang-tidy || missing clang-tidy clang-tools-extra clang-extra-tools llvm llvm
	has clang-format || missing clang-format clang-tools-extra clang-extra-tools llvm clang-format
	has musl-gcc || missing musl-tools musl-gcc "" "" ""
	has cppcheck || missing cppcheck cppcheck cppcheck cppcheck cppcheck
	has shellcheck || missing shellcheck ShellCheck shellcheck hs-ShellCheck shellcheck
}

# What tests packages: elsewhere they are left out.
check_packaging() {
	! has apt-get || { check_deb; check_suite; }
}

check_deb() {
	has apt-get || { echo "make deb: this needs Debian's tools" >&2; exit 1; }
	has dh || missing debhelper "" "" "" ""
	has dpkg-buildpackage || missing dpkg-dev "" "" "" ""
	has lintian || missing lintian "" "" "" ""
}

# Roots of other Debian suites.
check_suite() {
	has debootstrap || missing debootstrap debootstrap debootstrap debootstrap ""
	has git || missing git git git git git
}

for need in $needs; do "check_$need"; done
[ -n "$deb" ] || exit 0

if [ -n "$check" ] && has apt-get; then
	sudo="" && [ "$(id -u)" = 0 ] || sudo="sudo "
	echo "Packages are missing.  Please run: ${sudo}apt-get install$deb" >&2
	exit 1
fi

if ! has apt-get; then
	if has dnf; then
		command="sudo dnf install$dnf"
	elif has apk; then
		command="sudo apk add$apk"
	elif has pkg; then
		command="sudo pkg install$pkg"
	elif has brew; then
		command="brew install$brew"
	else
		command="(your package manager) install$deb"
	fi
	echo "Packages are missing.  Please run: $command" >&2
	exit 1
fi

as_root=""
if [ "$(id -u)" != 0 ]; then
	if ! has sudo; then
		echo "Packages are missing.  Please run as root: apt-get install$deb" >&2
		exit 1
	fi
	as_root="sudo"
fi

# A fresh web server package would start itself on port 80, where it may disturb somebody.
policy=/usr/sbin/policy-rc.d
guard=""
if [ ! -e "$policy" ]; then
	guard=1
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
fi
remove_guard() { [ -z "$guard" ] || $as_root rm -f "$policy"; }
trap remove_guard EXIT

echo "installing$deb"
# shellcheck disable=SC2086
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $deb </dev/null >/dev/null; }
install 2>/dev/null || { $as_root apt-get update -qq && install; }

# Nor when the system starts the next time.
for service in lighttpd nginx caddy prometheus apache2 apache-htcacheclean; do
	case " $deb " in *" ${service%-*}"*) ! has systemctl || $as_root systemctl -q disable "$service" 2>/dev/null || true ;; esac
done
