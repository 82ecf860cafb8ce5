#!/usr/bin/env bash
# make run: serve on PORT with lighttpd in the foreground.  run.sh [--watch] <build folder>
# --watch: build again and restart when a source changes.
set -euo pipefail

watch=
[ "${1:-}" != --watch ] || { watch=1; shift; }
admin=${1:-build}/claude-proxy-admin
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
[ ! -f "$env_file" ] || export CLAUDE_PROXY_ENV=$env_file
# One line, before the web server makes ten of it.
problem=$(PORT=$port "$build/claude-proxy.fcgi" --check 2>&1) || { echo "make run: ${problem#claude-proxy: }" >&2; exit 1; }

# The address to connect to, and as a URL has it: an IPv6 address in brackets.
case $host in
0.0.0.0) near=127.0.0.1 ;;
:: | '[::]') host=:: near=::1 ;;
*) host=${host#[} host=${host%]} near=$host ;;
esac
case $host in *:*) bind="[$host]" url="[$near]" ;; *) bind=$host url=$near ;; esac

if (exec 3<>"/dev/tcp/$near/$port") 2>/dev/null; then
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
server.bind = "$bind"
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

answers() { curl -q -gs -o /dev/null "http://$url:$port/health"; }

wait_until_up() {
	for _ in $(seq 100); do
		kill -0 "$server" 2>/dev/null || { echo "make run: lighttpd did not start: the reason is above" >&2; exit 1; }
		! answers || return 0
		sleep 0.05
	done
	echo "make run: nothing answers on port $port: the reason is above" >&2
	exit 1
}

# The address of this machine in its network, for other machines.
lan_address() { ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p' || true; }

banner() {
	local current shown key
	current=$("$build/claude-proxy-admin" show --json | sed -n 's/.*"currentUpstream":"\([^"]*\)".*/\1/p')
	shown="http://$url:$port"
	key=${new_key:-$(setting PROXY_ACCESS_KEY)}
	echo "claude-proxy serves on $shown"
	case $host in
	0.0.0.0 | ::)
		echo "  network    http://$(lan_address):$port, without encryption: anybody on the way can read the access key"
		;;
	esac
	echo "  messages   POST $shown/v1/messages"
	echo "  health     $shown/health"
	if [ -n "$current" ]; then
		echo "  upstream   $current"
	else
		echo "  upstream   none yet.  In another terminal: $admin setup"
	fi
	echo "  access key PROXY_ACCESS_KEY, in ${CLAUDE_PROXY_ENV:-the environment}"
	echo "Claude Code, in another terminal:"
	echo "  export ANTHROPIC_BASE_URL=$shown"
	echo "  export ANTHROPIC_AUTH_TOKEN=$key"
	echo "  claude"
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
