#!/usr/bin/env bash
# make test: every unit program, then pytest.  make test-clients: only tests/clients.  run.sh <build folder> [clients]
# QUICK set: without the tests that are marked as slow.  The last line is `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export CLAUDE_PROXY_BUILD=${1:?build folder}
CLAUDE_PROXY_BUILD=$(cd "$CLAUDE_PROXY_BUILD" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
only=${2:-}
passed=0
failed=0

files=(tests)
quick=()
[ -z "${QUICK:-}" ] || quick=(-m "not slow")

# Sanitizers write their reports here; a test that finds a new one fails (tests/conftest.py).
if [[ $CLAUDE_PROXY_BUILD == *-address* || $CLAUDE_PROXY_BUILD == *-thread* ]]; then
	export SANITIZER_REPORTS=$folder/reports
	mkdir "$SANITIZER_REPORTS"
	export ASAN_OPTIONS=detect_leaks=1:log_path=$SANITIZER_REPORTS/asan
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$SANITIZER_REPORTS/ubsan
	# libcurl's threads that look up a name for nobody end with the process.
	export TSAN_OPTIONS=report_thread_leaks=0:second_deadlock_stack=1:log_path=$SANITIZER_REPORTS/tsan
	# Real clients once are enough: what they send, the other tests send, too.
	files=(tests/integration tests/hostile)
fi
[ "$only" != clients ] || files=(tests/clients)

for program in "$CLAUDE_PROXY_BUILD"/unit/test_*; do
	[ "$only" != clients ] || break
	[[ -x $program && ! $program == *.* ]] || continue
	[ -f "tests/unit/$(basename "$program").c" ] || continue
	timeout 300 "$program" >"$folder/out" 2>&1 </dev/null
	status=$?
	ok=$(grep -c '^\[       OK \]' "$folder/out")
	bad=$(grep -E '^\[  FAILED  \] (test_|[a-z]+/)' "$folder/out" | sort -u | wc -l)
	[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	[ "$status" = 0 ] || { echo "--- $(basename "$program") (status $status)"; cat "$folder/out"; }
	passed=$((passed + ok))
	failed=$((failed + bad))
done
[ "$passed" -gt 0 ] || [ "$only" = clients ] || { echo "no unit test ran"; failed=$((failed + 1)); }

# Most tests wait most of the time: two for each processor.
/usr/bin/python3 -m pytest -q -n $(($(nproc) * 2)) --dist loadgroup -p no:cacheprovider --tb=short -r fEs --basetemp="$folder/pytest" "${quick[@]}" "${files[@]}" </dev/null 2>&1 | tee "$folder/pytest.out"
status=${PIPESTATUS[0]}
count() { grep -oE "[0-9]+ $1" <<<"$(tail -n 1 "$folder/pytest.out")" | grep -oE '[0-9]+' || echo 0; }
integration=$(count passed)
bad=$(($(count failed) + $(count error)))
[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
if [ -n "${SANITIZER_REPORTS:-}" ] && [ -n "$(ls "$SANITIZER_REPORTS")" ]; then
	cat "$SANITIZER_REPORTS"/* | head -n 200
	[ "$bad" -gt 0 ] || bad=1
fi
passed=$((passed + integration))
failed=$((failed + bad))
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
