#!/usr/bin/env bash
# Part of make lint: the programs compile with another C library (musl) and with clang, and use beyond POSIX what
# tests/beyond-posix.txt lists, no more and no less.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
build=${1:?folder with schema.h}
found=$(mktemp)
trap 'rm -f "$found"' EXIT
status=0

mapfile -t sources < <(git ls-files 'fcgi/*.c' 'cli/*.c')
read -ra libraries < <(pkg-config --cflags fcgi libcurl json-c sqlite3 libuv)
# musl's own headers come first; the libraries' are the system's.
flags=(-std=c11 '-DVERSION="lint"' -Ifcgi -Icli "-I$build" "${libraries[@]}" -idirafter /usr/include
	-idirafter "/usr/include/$(gcc -print-multiarch)" -fsyntax-only)
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)

# musl declares these whatever is asked for.
always=(accept4 pipe2 flock getrandom)

musl-gcc -D_GNU_SOURCE "${flags[@]}" "${warnings[@]}" "${sources[@]}" || status=1

# What a header of POSIX.1-2008 does not declare is a warning that names it.
musl-gcc -D_XOPEN_SOURCE=700 "${flags[@]}" "${sources[@]}" 2>&1 |
	grep -oE "implicit declaration of function '[^']+'|'[^']+' undeclared" | grep -oE "'[^']+'" | tr -d "'" >"$found"
for name in "${always[@]}"; do
	! grep -qE "\b$name\(" "${sources[@]}" || echo "$name" >>"$found"
done
headers=$(echo '<'{arpa/inet,ctype,errno,fcntl,fnmatch,grp,inttypes,limits,netinet/in,netinet/tcp,poll,pthread,pwd,signal,stdarg}.h'>' \
	'<'{stdatomic,stdbool,stddef,stdint,stdio,stdlib,string,strings,sys/resource,sys/select,sys/socket,sys/stat,sys/types,sys/wait}.h'>' \
	'<'{termios,time,unistd,curl/curl,fcgiapp,json-c/json,json-c/json_c_version,sqlite3,uv}.h'>')
git ls-files 'fcgi/*.[ch]' 'cli/*.[ch]' | xargs grep -ohE '^#include <[^>]+>' | cut -d' ' -f2 | sort -u |
	grep -vxF "$(tr ' ' '\n' <<<"$headers")" >>"$found"

if ! difference=$(diff <(grep -v '^#' tests/beyond-posix.txt | cut -d' ' -f1 | sort) <(sort -u "$found")); then
	echo "portable: beyond POSIX there are used (>), or no longer used (<), other than tests/beyond-posix.txt says:"
	grep '^[<>]' <<<"$difference"
	status=1
fi
exit "$status"
