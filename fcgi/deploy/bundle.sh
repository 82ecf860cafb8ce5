#!/usr/bin/env bash
# make bundle: a tarball for machines without our libraries.  [STATIC=1] bundle.sh <build folder> <version>
# The programs are linked to look for libraries in lib/ beside them (see the Makefile); what they would take from this
# system goes there.
set -euo pipefail
umask 022

build=$1
version=$2
machine=$(uname -m)
# Set: the C library comes along, too.
static=${STATIC:-}
name=claude-proxy-$version-linux-$machine${static:+-static}
folder=$build/bundle/$name

# The C library is the host's: it belongs to the kernel's loader, the resolver and the names of users there.  With STATIC
# it is ours, and a launcher that needs none starts the program by our loader.
is_left_out() {
	[ -z "$static" ] || case $1 in linux-vdso.so.* | linux-gate.so.* | */ld-linux* | ld-linux*) return 0 ;; *) return 1 ;; esac
	case $1 in
	linux-vdso.so.* | linux-gate.so.* | */ld-linux* | ld-linux* | libc.so.* | libm.so.* | libmvec.so.* | libpthread.so.* | \
		libdl.so.* | librt.so.* | libresolv.so.* | libutil.so.* | libanl.so.* | libnss_*) ;;
	*) return 1 ;;
	esac
}

# The terms under which the libraries are given on, where the system keeps them as Debian does.
copy_licences() {
	local package
	# A package names its files with or without the /usr that they have today.
	for package in $({ dpkg -S "${files[@]}" "${files[@]#/usr}" 2>/dev/null || true; } | cut -d: -f1 | sort -u); do
		cp -L "/usr/share/doc/$package/copyright" "$folder/licenses/$package"
	done
}

rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/licenses"
loader=$(ldd "$build/bundle/claude-proxy.fcgi" | grep -oE '^	/[^ ]*/ld-linux[^ ]*' | tr -d '\t')
# glibc has this since 2.33.
argv0=
! "$loader" --argv0 true /bin/true 2>/dev/null || argv0=-DLOADER_TAKES_ARGV0
for program in claude-proxy.fcgi claude-proxy-admin; do
	strip -o "$folder/${static:+lib/}$program" "$build/bundle/$program"
	[ -z "$static" ] || musl-gcc -static -Os -s -Wall $argv0 -DPROGRAM="\"$program\"" -o "$folder/$program" fcgi/deploy/launcher.c
	chmod 755 "$folder/$program" "$folder/${static:+lib/}$program"
done

files=()
while read -r library _ path _; do
	! is_left_out "$library" || continue
	if [ ! -f "$path" ]; then
		echo "bundle: $library: not found on this system" >&2
		exit 1
	fi
	cp -L "$path" "$folder/lib/$library"
	chmod 644 "$folder/lib/$library"
	files+=("$(readlink -f "$path")")
done < <(ldd "$build/bundle/claude-proxy.fcgi" "$build/bundle/claude-proxy-admin" | grep '^	' | sort -u)
if [ -n "$static" ]; then
	install -m 755 "$(readlink -f "$loader")" "$folder/lib/loader"
	files+=("$(readlink -f "$loader")")
	# The resolver's parts, where they are libraries of their own.
	for library in "$(dirname "$(ldconfig -p | sed -n 's/.*libc\.so\.6 .*=> //p' | head -n 1)")"/libnss_{files,dns}.so.2; do
		[ ! -e "$library" ] || install -m 644 "$(readlink -f "$library")" "$folder/lib/$(basename "$library")"
	done
fi
copy_licences

glibc=$(objdump -T "$build"/bundle/claude-proxy.fcgi "$build"/bundle/claude-proxy-admin "$folder"/lib/*.so* | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -Vu | tail -n 1)
if [ -n "$static" ]; then
	needs="Everything that the two programs need is in this folder, the C library, too: the server must have Linux 3.2 or newer."
else
	needs="Everything that the two programs need is in this folder, but for the C library: the server must have glibc $glibc or
newer (ldd --version tells). Every server has that which is as new as the system that this bundle was made on; for an
older one use the bundle of \`make bundle STATIC=1\`, which brings its own."
fi
sed "s/@VERSION@-linux-@MACHINE@/${name#claude-proxy-}/; s/@VERSION@/$version/g; s/@MACHINE@/$machine/g" fcgi/deploy/bundle.README | awk -v needs="$needs" '
	$0 == "@NEEDS@" { print needs; next } { print }' >"$folder/README"
cp LICENSE "$folder/LICENSE"
chmod 644 "$folder/README" "$folder/LICENSE" "$folder"/licenses/*
[ ! -f fcgi/deploy/htaccess.example ] || install -m 644 fcgi/deploy/htaccess.example "$folder/.htaccess"
[ ! -f fcgi/deploy/htaccess.example ] || install -m 644 fcgi/deploy/htaccess.example "$folder/htaccess.txt"
install -m 644 fcgi/deploy/config.json.example "$folder/config.json.example"
[ ! -f fcgi/deploy/starter.fcgi.example ] || install -m 644 fcgi/deploy/starter.fcgi.example "$folder/starter.fcgi.example"

# The same bundle from the same sources and system.
made=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y schema.sql)}
tar -C "$build/bundle" --sort=name --mtime="@$made" --owner=0 --group=0 --numeric-owner -cf "$build/$name.tar" "$name"
gzip -nf "$build/$name.tar"
rm -rf "$folder"
needed="glibc $glibc or newer"
[ -z "$static" ] || needed="Linux 3.2 or newer"
echo "$build/$name.tar.gz: needs $needed"
