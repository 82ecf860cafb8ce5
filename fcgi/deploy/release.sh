#!/usr/bin/env bash
# make release: what a release consists of.  release.sh check <version>; release.sh tag <build folder> <version>
#
# 1. The commit before it sets VERSION in the Makefile and begins the section of CHANGELOG.md with it and the day; README.md
#    and README.zh-CN.md name the package by it.  The tests see to it that all of them agree.
# 2. `make test` and `make lint` pass.
# 3. `make release` checks that this commit can be released, makes the source tarball, the Debian package and both bundles,
#    puts them with their checksums into <build folder>/release, and tags the commit: v<version>, with the section as text.
# 4. `git push origin v<version>`, and the files go where releases are downloaded from.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
	echo "make release: $*" >&2
	exit 1
}

# The section of a version in the changelog, without its heading.
section() {
	awk -v version="$1" '/^## / { inside = $2 == version; next } inside' fcgi/deploy/CHANGELOG.md
}

check() {
	[ -z "$(git status --porcelain)" ] || fail "there are changes that are not committed"
	[ "$(sed -n 's/^## //p' fcgi/deploy/CHANGELOG.md | head -n 1)" = "$1 $(date -u +%F)" ] ||
		fail "CHANGELOG.md does not begin with version $1 of today"
	! git rev-parse -q --verify "refs/tags/v$1" >/dev/null || fail "v$1 is tagged already"
}

tag() {
	local folder=$1/release
	rm -rf "$folder"
	mkdir -p "$folder"
	cp "$1/claude-proxy-$2"*.tar.gz "$1/claude-proxy_$2_"*.deb "$folder/"
	(cd "$folder" && sha256sum -- * >SHA256SUMS)
	section "$2" | git tag -a "v$2" --cleanup=verbatim -F -
	echo "$folder: $(find "$folder" -type f | wc -l) files; the tag is v$2.  Next: git push origin v$2"
}

"$@"
