#!/bin/sh
# make deb: a package for Debian and Ubuntu.  deb.sh <build folder> <version>
# The sources go to a folder of their own with debian/ in it, where debhelper builds with Debian's flags.
set -eu
umask 022

build=$1
version=$2
name=claude-proxy-$version
tree=$build/deb/$name
DEBFULLNAME=${DEBFULLNAME:-$(sed -n 's/^Maintainer: \(.*\) <.*/\1/p' fcgi/deploy/debian/control)}
DEBEMAIL=${DEBEMAIL:-$(sed -n 's/^Maintainer: .*<\(.*\)>/\1/p' fcgi/deploy/debian/control)}

# CHANGELOG.md as Debian writes it: a section for each version, newest first.
changelog() {
	awk -v version="$version" -v by="$DEBFULLNAME <$DEBEMAIL>" '
	function end() { if (date != "") { close(date); printf "\n -- %s  %s\n", by, when } }
	/^## [0-9]/ {
		end()
		date = "LC_ALL=C date -uR -d " $3
		date | getline when
		printf "%sclaude-proxy (%s) unstable; urgency=medium\n\n", shown ? "\n" : "", shown ? $2 : version
		shown = 1
	}
	/^- / && date != "" { print "  * " substr($0, 3) }
	/^  [^ ]/ && date != "" { print "  " $0 }
	END { end() }' fcgi/deploy/CHANGELOG.md
}

licence() {
	sed "s/^\$/./; s/^/ /" LICENSE | sed '1,/^ Copyright/d' | sed '1{/^ \.$/d;}'
}

rm -rf "$build/deb"
mkdir -p "$tree"
cp -R Makefile README.md LICENSE lighttpd.conf.example schema.sql fcgi cli "$tree"
mv "$tree/fcgi/deploy/debian" "$tree/debian"
cp fcgi/deploy/claude-proxy.logrotate fcgi/deploy/README.Debian "$tree/debian/"
changelog >"$tree/debian/changelog"
licence >"$build/deb/licence"
sed -e "s/^@COPYRIGHT@/$(sed -n 's/^Copyright (c)/Copyright:/p' LICENSE | head -n 1)/" \
	-e "/^@LICENSE@/{r $build/deb/licence
d;}" fcgi/deploy/debian/copyright >"$tree/debian/copyright"

# What make was told is for the build here, not for the one inside.
(cd "$tree" && env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u CFLAGS -u LDFLAGS \
	DEB_BUILD_OPTIONS="parallel=$(nproc) noautodbgsym ${DEB_BUILD_OPTIONS:-}" dpkg-buildpackage -b -us -uc -d >../log 2>&1) || {
	cat "$build/deb/log" >&2
	exit 1
}
mv "$build/deb/claude-proxy_${version}_"*.deb "$build/"
rm -rf "$build/deb"
echo "$build/claude-proxy_${version}_"*.deb
