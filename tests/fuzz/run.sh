#!/usr/bin/env bash
# make fuzz: each target for FUZZ_SECONDS (default 60).  What is found is kept in build/fuzz/<target>/.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-60}
make -s BUILD=build build/schema.h
mkdir -p build/fuzz
read -ra includes < <(pkg-config --cflags json-c libcurl)
read -ra libraries < <(pkg-config --libs json-c libcurl)
flags=(-std=c11 -D_GNU_SOURCE '-DVERSION="fuzz"' -g -O1 "-fsanitize=fuzzer,address,undefined" -fno-sanitize-recover=undefined
	-Ifcgi -Ibuild "${includes[@]}")
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	mkdir -p "build/fuzz/$name/corpus"
	cp -n "tests/fuzz/corpus/$name"/* "build/fuzz/$name/corpus/" 2>/dev/null || true
	clang "${flags[@]}" -o "build/fuzz/$name/program" "$source" fcgi/base/{api_error,buffer,clock,hash,json,log,log_writer,random,safe_text,secret,url,utf8}.c \
		fcgi/translate/*.c fcgi/web/fcgi_records.c "${libraries[@]}" -lpthread
	echo "== $name for $seconds s"
	"build/fuzz/$name/program" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=0 \
		-artifact_prefix="build/fuzz/$name/" "build/fuzz/$name/corpus" </dev/null
done
echo "nothing was found"
