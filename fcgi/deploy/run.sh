#!/usr/bin/env bash
# make run: serve on PORT with lighttpd in the foreground.  run.sh [--watch] <build folder>
# --watch: build again and restart when a source changes.
set -euo pipefail

watch=
[ "${1:-}" != --watch ] || { watch=1; shift; }
build=$(cd "${1:-build}" && pwd)
PATH=$PATH:/usr/sbin:/sbin
env_file=${CLAUDE_PROXY_ENV:-$PWD/.env}

# The value of a variable: from the environment, else from the .env file.
setting() {
	local value=${!1:-}
	if [ -z "$value" ] && [ -f "$env_file" ]; then
		value=$(sed -n "s/^ *\(export  *\)\{0,1\}$1 *= *[\"']\{0,1\}\([^\"'# ]*\).*/\2/p" "$env_file" | tail -n 1)
	fi
	printf %s "$value"
}

port=$(setting PORT)
port=${port:-3000}
host=$(setting HOST)
host=${host:-127.0.0.1}
case $port in '' | *[!0-9]*) echo "make run: PORT: '$port' is not a port: it must be a number from 1 to 65535" >&2; exit 1 ;; esac

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
	echo "make run: port $port is in use by another program: stop it, or choose another with PORT=3001 make run" >&2
	exit 1
fi

new_key=
if [ -z "$(setting PROXY_ACCESS_KEY)" ]; then
	new_key=$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
	(umask 077; printf 'PROXY_ACCESS_KEY=%s\n' "$new_key" >>"$env_file")
	chmod 600 "$env_file"
fi
[ ! -f "$env_file" ] || export CLAUDE_PROXY_ENV=$env_file

folder=$(mktemp -d)
server=
clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 0' INT TERM

cat >"$folder/lighttpd.conf" <<EOF
server.modules = ("mod_fastcgi")
server.document-root = "$folder"
server.bind = "$host"
server.port = $port
server.upload-dirs = ("$folder")
server.max-request-size = 65536
server.max-read-idle = 600
server.max-write-idle = 600
server.stream-response-body = 2
fastcgi.server = ("/" => ((
    "socket" => "$folder/fcgi.sock",
    "bin-path" => "$build/claude-proxy.fcgi",
    "max-procs" => 1,
    "check-local" => "disable",
    "tcp-fin-propagate" => "enable",
    "kill-signal" => 15)))
EOF

start() {
	lighttpd -D -f "$folder/lighttpd.conf" &
	server=$!
}

answers() { curl -s -o /dev/null "http://127.0.0.1:$port/health"; }

wait_until_up() {
	for _ in $(seq 100); do
		kill -0 "$server" 2>/dev/null || { echo "make run: lighttpd did not start: its reason stands above" >&2; exit 1; }
		! answers || return 0
		sleep 0.05
	done
	echo "make run: nothing answers on port $port: the reason stands above" >&2
	exit 1
}

banner() {
	local shown=$host current
	[ "$host" != 0.0.0.0 ] || shown=127.0.0.1
	current=$("$build/claude-proxy-admin" show --json | sed -n 's/.*"currentUpstream":"\([^"]*\)".*/\1/p')
	echo "claude-proxy serves on http://$shown:$port"
	echo "  messages   POST http://$shown:$port/v1/messages"
	echo "  health     http://$shown:$port/health"
	if [ -n "$current" ]; then
		echo "  upstream   $current"
	else
		echo "  upstream   none yet.  In another terminal:"
		echo "               $build/claude-proxy-admin add openai https://api.openai.com openai"
		echo "               $build/claude-proxy-admin key openai add -"
	fi
	if [ -n "$new_key" ]; then
		echo "  access key $new_key"
		echo "             (new, kept in $env_file; it is not shown again)"
	else
		echo "  access key PROXY_ACCESS_KEY, as in the environment or $env_file"
	fi
	echo "  Claude Code: ANTHROPIC_BASE_URL=http://$shown:$port ANTHROPIC_AUTH_TOKEN=<access key> claude"
	echo "Ctrl-C stops it."
}

# What the sources are now: changes with each edit.
sources() { find Makefile schema.sql fcgi cli -type f -exec cksum {} + 2>/dev/null | cksum; }

start
wait_until_up
banner
if [ -z "$watch" ]; then
	wait "$server"
	exit
fi
before=$(sources)
while kill -0 "$server" 2>/dev/null; do
	sleep 1
	now=$(sources)
	[ "$now" != "$before" ] || continue
	before=$now
	if make --no-print-directory -s all; then
		kill "$server" && wait "$server" || true
		start
		wait_until_up
		echo "built and started again"
	fi
done
