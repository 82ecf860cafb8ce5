#!/usr/bin/env bash
# make bundle: a tarball for machines without our libraries.  bundle.sh <build folder> <version>
# The programs are linked to look for libraries in lib/ beside them (see the Makefile); what they would take from this
# system goes there.
set -euo pipefail
umask 022

build=$1
version=$2
machine=$(uname -m)
name=claude-proxy-$version-linux-$machine
folder=$build/bundle/$name

# The C library is the host's: it belongs to the kernel's loader, the resolver and the names of users there.
is_of_the_c_library() {
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
for program in claude-proxy.fcgi claude-proxy-admin; do
	strip -o "$folder/$program" "$build/bundle/$program"
	chmod 755 "$folder/$program"
done

files=()
while read -r library _ path _; do
	! is_of_the_c_library "$library" || continue
	if [ ! -f "$path" ]; then
		echo "bundle: $library: not found on this system" >&2
		exit 1
	fi
	cp -L "$path" "$folder/lib/$library"
	chmod 644 "$folder/lib/$library"
	files+=("$(readlink -f "$path")")
done < <(ldd "$build/bundle/claude-proxy.fcgi" "$build/bundle/claude-proxy-admin" | grep '^	' | sort -u)
copy_licences

glibc=$(objdump -T "$folder"/claude-proxy* "$folder"/lib/* | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -Vu | tail -n 1)
sed "s/@VERSION@/$version/g; s/@MACHINE@/$machine/g; s/@GLIBC@/$glibc/g" fcgi/deploy/bundle.README >"$folder/README"
cp LICENSE "$folder/LICENSE"
chmod 644 "$folder/README" "$folder/LICENSE" "$folder"/licenses/*
[ ! -f fcgi/deploy/htaccess.example ] || install -m 644 fcgi/deploy/htaccess.example "$folder/.htaccess"
[ ! -f fcgi/deploy/starter.fcgi.example ] || install -m 644 fcgi/deploy/starter.fcgi.example "$folder/starter.fcgi.example"

# The same bundle from the same sources and system.
made=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y schema.sql)}
tar -C "$build/bundle" --sort=name --mtime="@$made" --owner=0 --group=0 --numeric-owner -cf "$build/$name.tar" "$name"
gzip -nf "$build/$name.tar"
rm -rf "$folder"
echo "$build/$name.tar.gz: needs glibc $glibc or newer"
