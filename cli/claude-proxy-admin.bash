# Completion of claude-proxy-admin for bash.  Needs nothing but bash; names come from `show --json`, which has no keys.

# What was typed, into ${words[@]}, the current word last: bash divides at colons and equal signs, too, as in a URL.
_claude_proxy_admin_words() {
	local rest=$COMP_LINE word
	words=()
	for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
		if [[ ${#words[@]} -eq 0 || $rest == [[:space:]]* ]]; then
			words+=("$word")
		else
			words[-1]+=$word
		fi
		rest=${rest#"${rest%%[![:space:]]*}"}
		rest=${rest#"$word"}
	done
}

# Is there a database?  Completion makes none.
_claude_proxy_admin_has_database() {
	local file=${CLAUDE_PROXY_ENV:-.env}
	[[ -f ${CLAUDE_PROXY_DB:-/var/lib/claude-proxy/claude-proxy.db} ||
		-f ${CLAUDE_PROXY_DB:-~/.local/share/claude-proxy/claude-proxy.db} ]] ||
		{ [[ -z ${CLAUDE_PROXY_DB:-} ]] && grep -qs 'CLAUDE_PROXY_DB *=' "$file"; }
}

_claude_proxy_admin_ask() {
	_claude_proxy_admin_has_database && "${words[0]}" "$@" --json 2>/dev/null
}

_claude_proxy_admin_upstreams() {
	_claude_proxy_admin_ask show | grep -oE '"index":[0-9]+,"name":"(\\.|[^"\\])*"' |
		sed -E 's/^"index":[0-9]+,"name":"(.*)"$/\1/; s/\\(.)/\1/g'
}

_claude_proxy_admin_indexes() {
	_claude_proxy_admin_ask "$@" | grep -oE '\{"index":[0-9]+' | grep -oE '[0-9]+'
}

# Offer those of the lines of ${1} that begin like the current word, quoted for the shell.
_claude_proxy_admin_offer() {
	local line quoted current=${words[-1]} colons
	colons=${current%"${current##*[:=]}"}
	while IFS= read -r line; do
		printf -v quoted %q "$line"
		[[ -n $line && $quoted == "$current"* ]] && COMPREPLY+=("${quoted#"$colons"}")
	done <<<"$1"
}

_claude_proxy_admin_offer_words() {
	local IFS=$'\n'
	_claude_proxy_admin_offer "$*"
}

# After an option that a text follows.  False: the word before is no such option.
_claude_proxy_admin_option_text() {
	case $1 in
	--to) _claude_proxy_admin_offer_words openai openai-responses gemini claude custom ;;
	--upstream) _claude_proxy_admin_offer "$(_claude_proxy_admin_upstreams)" ;;
	--by) _claude_proxy_admin_offer_words upstream key model day ;;
	--since) _claude_proxy_admin_offer_words 15m 1h 24h 7d 30d ;;
	--before) _claude_proxy_admin_offer "$(_claude_proxy_admin_indexes route list)" ;;
	--model | --command) ;;
	*) return 1 ;;
	esac
}

_claude_proxy_admin_options() {
	case $1 in
	route) _claude_proxy_admin_offer_words --upstream --first --before --json --help ;;
	clear) _claude_proxy_admin_offer_words --yes --help ;;
	translate) _claude_proxy_admin_offer_words --to --upstream --response --help ;;
	test) _claude_proxy_admin_offer_words --model --all --json --help ;;
	export) _claude_proxy_admin_offer_words --secrets --help ;;
	usage) _claude_proxy_admin_offer_words --since --by --json --help ;;
	key) _claude_proxy_admin_offer_words --command --json --help ;;
	show | doctor | learned | search) _claude_proxy_admin_offer_words --json --help ;;
	*) _claude_proxy_admin_offer_words --help ;;
	esac
}

# The argument number ${#}, after the command and the arguments before.
_claude_proxy_admin_argument() {
	case $1/$# in
	remove/1 | key/1 | use/1 | set/1 | test/1 | models/1 | learned/2) _claude_proxy_admin_offer "$(_claude_proxy_admin_upstreams)" ;;
	add/1) _claude_proxy_admin_offer_words anthropic cerebras deepseek fireworks gemini groq kimi llamacpp lmstudio minimax \
		mistral nvidia ollama openai openrouter qwen together vllm xai zai ;;
	add/3) _claude_proxy_admin_offer_words openai openai-responses gemini claude custom ;;
	key/2) _claude_proxy_admin_offer_words add list remove enable disable ;;
	key/3) [[ $3 == add ]] || _claude_proxy_admin_offer "$(_claude_proxy_admin_indexes key "$2" list)" ;;
	learned/1) _claude_proxy_admin_offer_words list forget ;;
	balance/1) _claude_proxy_admin_offer_words round-robin random failover ;;
	route/1) _claude_proxy_admin_offer_words add list move remove ;;
	route/2) [[ $2 != remove && $2 != move ]] || _claude_proxy_admin_offer "$(_claude_proxy_admin_indexes route list)" ;;
	set/2) _claude_proxy_admin_offer_words max-output-tokens header. body. auth beta images fallback proxy timeout reasoning search ;;
	set/3)
		case $3 in
		fallback) _claude_proxy_admin_offer "$(_claude_proxy_admin_upstreams)" ;;
		reasoning) _claude_proxy_admin_offer_words auto off ;;
		search) _claude_proxy_admin_offer_words auto hosted proxy off ;;
		images) _claude_proxy_admin_offer_words on off ;;
		auth) _claude_proxy_admin_offer_words bearer x-api-key api-key ;;
		beta) _claude_proxy_admin_offer_words none ;;
		esac
		;;
	search/1) _claude_proxy_admin_offer_words searxng brave tavily off test ;;
	import/1 | translate/1) compopt -o default 2>/dev/null ;;
	esac
}

_claude_proxy_admin() {
	local words arguments=() word i
	COMPREPLY=()
	_claude_proxy_admin_words
	if [[ ${#words[@]} -eq 2 ]]; then
		_claude_proxy_admin_offer_words setup add remove key use balance route set search show clear translate test models \
			learned doctor import export usage --help --version
		return
	fi
	_claude_proxy_admin_option_text "${words[-2]}" && return
	if [[ ${words[-1]} == -* ]]; then
		_claude_proxy_admin_options "${words[1]}"
		return
	fi
	# The words that are arguments, as the program will see them.
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		word=${words[i]}
		case $word in
		--to | --upstream | --by | --since | --model | --before | --command) ((i++)) ;;
		--*) ;;
		*) arguments+=("${word//[\\\"\']/}") ;;
		esac
	done
	_claude_proxy_admin_argument "${arguments[@]}"
	[[ ${COMPREPLY[0]:-} != @(header|body). ]] || compopt -o nospace 2>/dev/null
}

complete -F _claude_proxy_admin claude-proxy-admin
