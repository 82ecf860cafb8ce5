#!/usr/bin/env bash
# make fuzz: each target for FUZZ_SECONDS (default 60), one on each processor.  run.sh [target]...
# Logs, inputs that reach new code, and what was found stay in build-fuzz/found/<target>/.
# The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export build=build-fuzz
export FUZZ_SECONDS=${FUZZ_SECONDS:-60}
# Freed memory is kept for a while to find its uses, but is not to count as the target's own.
export ASAN_OPTIONS=quarantine_size_mb=8

make -s "-j$(nproc)" CC=clang BUILD=$build SANITIZE=fuzzer-no-link,address,undefined \
	CFLAGS="-g -fno-sanitize-recover=undefined" fuzz_programs || exit 1
# What the sources look for, as JSON strings.
grep -ohE '"[a-z][A-Za-z_.]{2,}"' fcgi/translate/*.c fcgi/translate/*/*.c fcgi/upstream/search*.c fcgi/http/*.c cli/import.c | grep -v '\.h"' | sort -u |
	sed 's/"\(.*\)"/"\\"\1\\""/' >$build/words.dict

# fuzz <target>: run it; one line of figures, and what was found.
fuzz() {
	local name=$1 found=$build/found/$1 folder seeds=() findings status
	mkdir -p "$found/corpus"
	for folder in "tests/fuzz/corpus/$name" $([ "$name" != fuzz_json ] || echo tests/unit/json-test-suite/test_parsing); do
		[ ! -d "$folder" ] || seeds+=("$folder")
	done
	# What was found before is tried first.
	find "$found" -maxdepth 1 -type f ! -name log -exec mv -t "$found/corpus" {} +
	"$build/fuzz/$name" -max_total_time="$FUZZ_SECONDS" -max_len=16384 -timeout=20 -rss_limit_mb=512 -malloc_limit_mb=64 \
		-dict=$build/words.dict -close_fd_mask=1 -print_final_stats=1 -artifact_prefix="$found/" \
		"$found/corpus" "${seeds[@]}" >"$found/log" 2>&1 </dev/null
	status=$?
	findings=$(find "$found" -maxdepth 1 -type f ! -name log | wc -l)
	[ "$status" = 0 ] || [ "$findings" -gt 0 ] || findings=1
	printf '%-20s %9s executions  %6s edges  %4s MB  %s findings\n' "$name" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log")" \
		"$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$found/log" | tail -n 1)" \
		"$(sed -n 's/^stat::peak_rss_mb: *//p' "$found/log")" "$findings"
	[ "$findings" = 0 ] || {
		grep -vE '^(#|INFO|NEW_FUNC|stat::)' "$found/log" | head -n 60
		echo "see $found"
		return 1
	}
}
export -f fuzz

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(basename -s .c tests/fuzz/fuzz_*.c)
export results
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {} >"$results/out.{}" && touch "$results/passed.{}"; cat "$results/out.{}"'
passed=$(find "$results" -name 'passed.*' | wc -l)
echo "$passed passed, $((${#targets[@]} - passed)) failed"
[ "$passed" = ${#targets[@]} ]
