#!/usr/bin/env bash
# make lint: warnings as errors under gcc, clang and with musl, clang-tidy, cppcheck, formatting, shellcheck.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
fcgi/deploy/packages.sh lint test || exit 1
status=0
run() { echo "lint: $1"; shift; "$@" || status=1; }

mapfile -t product < <(git ls-files 'fcgi/*.c' 'cli/*.c')
mapfile -t units < <(git ls-files 'tests/unit/*.c' 'tests/fuzz/*.c' 'tests/bench/*.c')
mapfile -t scripts < <(git ls-files '*.sh' '*.bash' .ci/run)
mapfile -t pythons < <(git ls-files '*.py')
mapfile -t headers < <(git ls-files 'fcgi/*.h' 'cli/*.h' 'tests/unit/*.h' 'tests/fuzz/*.h' 'tests/bench/*.h')
jobs=$(nproc)
read -ra libraries < <(pkg-config --cflags fcgi libcurl json-c sqlite3 libuv cmocka)
flags=(-std=c11 -D_GNU_SOURCE '-DVERSION="lint"' -Ifcgi -Icli -Ibuild-lint "${libraries[@]}")
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror)

make -s BUILD=build-lint build-lint/schema.h || exit 1
each() { printf '%s\0' "${@:2}" | xargs -0 -n 1 -P "$jobs" sh -c "$1" _; }
export LINT_FLAGS="${flags[*]@Q} ${warnings[*]}"
run "gcc" each 'eval "gcc -O2 $LINT_FLAGS -c -o /dev/null $1"' "${product[@]}" "${units[@]}"
run "clang" each 'eval "clang $LINT_FLAGS -fsyntax-only $1"' "${product[@]}"
export TIDY_FLAGS="${flags[*]@Q}"
run "portable" tests/portable.sh build-lint
run "clang-tidy" each 'eval "clang-tidy --quiet $1 -- $TIDY_FLAGS" 2>/dev/null' "${product[@]}"
run "cppcheck" cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$jobs" --std=c11 -D_GNU_SOURCE -DVERSION='""' \
	--enable=warning,performance,portability --suppress=missingIncludeSystem -Ifcgi -Icli "${product[@]}"
run "clang-format" clang-format --dry-run -Werror "${product[@]}" "${units[@]}" "${headers[@]}"
run "shellcheck" shellcheck -S warning -s bash "${scripts[@]}"
run "python" /usr/bin/python3 - "${pythons[@]}" <<'P'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
P
rm -rf build-lint
[ "$status" = 0 ] && echo "lint: clean"
exit "$status"
