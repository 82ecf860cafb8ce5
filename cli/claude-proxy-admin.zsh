#compdef claude-proxy-admin
# Completion of claude-proxy-admin for zsh.  Names come from `show --json`, which has no keys.

# Is there a database?  Completion makes none.
__claude_proxy_admin_has_database() {
	local file=${CLAUDE_PROXY_ENV:-.env}
	[[ -f ${CLAUDE_PROXY_DB:-/var/lib/claude-proxy/claude-proxy.db} ||
		-f ${CLAUDE_PROXY_DB:-$HOME/.local/share/claude-proxy/claude-proxy.db} ]] ||
		{ [[ -z ${CLAUDE_PROXY_DB:-} ]] && grep -qs 'CLAUDE_PROXY_DB *=' $file }
}

__claude_proxy_admin_upstreams() {
	local -a names
	__claude_proxy_admin_has_database &&
		names=(${(f)"$($service show --json 2>/dev/null | grep -oE '"index":[0-9]+,"name":"(\\.|[^"\\])*"' |
			sed -E 's/^"index":[0-9]+,"name":"(.*)"$/\1/; s/\\(.)/\1/g')"})
	compadd -a names
}

__claude_proxy_admin_indexes() {
	local -a indexes
	__claude_proxy_admin_has_database &&
		indexes=(${(f)"$($service "$@" --json 2>/dev/null | grep -oE '\{"index":[0-9]+' | grep -oE '[0-9]+')"})
	compadd -a indexes
}

_claude-proxy-admin() {
	local -a types=(openai openai-responses gemini claude custom)
	local -a commands=(
		'setup:set up the first upstream, step by step'
		'add:add an upstream'
		'remove:remove an upstream with its keys'
		'key:manage the API keys of an upstream'
		'use:make an upstream current'
		'balance:choose how keys take turns'
		'route:map model names'
		'set:set or list options of an upstream'
		'search:set or try the web search for models that have none'
		'show:show everything in force'
		'clear:remove everything'
		'translate:print a translation'
		'test:send one short real request with each key'
		"models:print what is known of an upstream's models"
		'learned:list or forget what refusals have taught'
		'doctor:check everything'
		'import:add the contents of a configuration file'
		'export:print the configuration'
		'usage:show requests, tokens, errors and latency'
	)
	local command=${words[2]} position=$((CURRENT - 2)) before=${words[CURRENT - 1]}

	if ((CURRENT == 2)); then
		_describe command commands
		compadd -- --help --version
		return
	fi
	case $before in
	--to) compadd -a types; return ;;
	--upstream) __claude_proxy_admin_upstreams; return ;;
	--by) compadd upstream key model day; return ;;
	--since) compadd 15m 1h 24h 7d 30d; return ;;
	--before) __claude_proxy_admin_indexes route list; return ;;
	--model | --command) return ;;
	esac
	if [[ ${words[CURRENT]} == -* ]]; then
		case $command in
		route) compadd -- --upstream --first --before --json --help ;;
		clear) compadd -- --yes --help ;;
		translate) compadd -- --to --upstream --response --help ;;
		test) compadd -- --model --all --json --help ;;
		export) compadd -- --secrets --help ;;
		usage) compadd -- --since --by --json --help ;;
		key) compadd -- --command --json --help ;;
		show | doctor | learned | search) compadd -- --json --help ;;
		*) compadd -- --help ;;
		esac
		return
	fi
	case $command/$position in
	remove/1 | key/1 | use/1 | set/1 | test/1 | models/1 | learned/2) __claude_proxy_admin_upstreams ;;
	add/1) compadd anthropic cerebras deepseek fireworks gemini groq kimi llamacpp lmstudio minimax mistral nvidia ollama openai \
		openrouter qwen together vllm xai zai ;;
	add/3) compadd -a types ;;
	key/2) compadd add list remove enable disable ;;
	key/3) [[ ${words[4]} == add ]] || __claude_proxy_admin_indexes key "${(Q)words[3]}" list ;;
	learned/1) compadd list forget ;;
	balance/1) compadd round-robin random failover ;;
	route/1) compadd add list move remove ;;
	route/2) [[ ${words[3]} != (remove|move) ]] || __claude_proxy_admin_indexes route list ;;
	set/2) compadd max-output-tokens header. body. auth beta images fallback proxy timeout reasoning search ;;
	set/3)
		case ${words[4]} in
		fallback) __claude_proxy_admin_upstreams ;;
		reasoning) compadd auto off ;;
		search) compadd auto hosted proxy off ;;
		images) compadd on off ;;
		auth) compadd bearer x-api-key api-key ;;
		beta) compadd none ;;
		esac
		;;
	search/1) compadd searxng brave tavily off test ;;
	import/1 | translate/*) _files ;;
	esac
}

_claude-proxy-admin "$@"
