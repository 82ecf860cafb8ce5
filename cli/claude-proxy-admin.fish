# Completion of claude-proxy-admin for fish.  Names come from `show --json`, which has no keys.

# Is there a database?  Completion makes none.
function __claude_proxy_admin_has_database
    if set -q CLAUDE_PROXY_DB
        test -f $CLAUDE_PROXY_DB
    else
        test -f /var/lib/claude-proxy/claude-proxy.db
        or test -f ~/.local/share/claude-proxy/claude-proxy.db
        or grep -qs 'CLAUDE_PROXY_DB *=' .env $CLAUDE_PROXY_ENV
    end
end

function __claude_proxy_admin_upstreams
    __claude_proxy_admin_has_database
    and claude-proxy-admin show --json 2>/dev/null | grep -oE '"index":[0-9]+,"name":"(\\\\.|[^"\\\\])*"' |
        sed -E 's/^"index":[0-9]+,"name":"(.*)"$/\1/; s/\\\\(.)/\1/g'
end

function __claude_proxy_admin_indexes
    __claude_proxy_admin_has_database
    and claude-proxy-admin $argv --json 2>/dev/null | grep -oE '\{"index":[0-9]+' | grep -oE '[0-9]+'
end

# Is the current word the argument number $argv[2] of the command $argv[1]?
function __claude_proxy_admin_at
    set -l words (commandline -opc)
    test (count $words) -eq (math $argv[2] + 1); and test "$words[2]" = $argv[1]
end

function __claude_proxy_admin_word
    set -l words (commandline -opc)
    echo $words[$argv[1]]
end

set -l program complete -c claude-proxy-admin
set -l first 'test (count (commandline -opc)) -eq 1'
set -l types 'openai openai-responses gemini claude custom'

$program -f
$program -n $first -a setup -d 'set up the first upstream, step by step'
$program -n $first -a add -d 'add an upstream'
$program -n $first -a remove -d 'remove an upstream with its keys'
$program -n $first -a key -d 'manage the API keys of an upstream'
$program -n $first -a use -d 'make an upstream current'
$program -n $first -a balance -d 'choose how keys take turns'
$program -n $first -a route -d 'map model names'
$program -n $first -a set -d 'set or list options of an upstream'
$program -n $first -a search -d 'set or try the web search for models that have none'
$program -n $first -a show -d 'show everything in force'
$program -n $first -a clear -d 'remove everything'
$program -n $first -a translate -d 'print a translation'
$program -n $first -a test -d 'send one short real request with each key'
$program -n $first -a models -d 'print what is known of the models of an upstream'
$program -n $first -a learned -d 'list or forget what refusals have taught'
$program -n $first -a doctor -d 'check everything'
$program -n $first -a import -d 'add the contents of a configuration file'
$program -n $first -a export -d 'print the configuration'
$program -n $first -a usage -d 'show requests, tokens, errors and latency'
$program -n $first -l version -d 'print the version'
$program -l help -d 'print help'

for command in remove key use set test models
    $program -n "__claude_proxy_admin_at $command 1" -a '(__claude_proxy_admin_upstreams)'
end
$program -n '__claude_proxy_admin_at add 1' -a 'anthropic cerebras deepseek fireworks gemini groq kimi llamacpp lmstudio minimax mistral nvidia ollama openai openrouter qwen together vllm xai zai'
$program -n '__claude_proxy_admin_at add 3' -a $types
$program -n '__claude_proxy_admin_at key 2' -a 'add list remove enable disable'
$program -n '__claude_proxy_admin_at key 3; and test (__claude_proxy_admin_word 4) != add' -a '(__claude_proxy_admin_indexes key (__claude_proxy_admin_word 3) list)'
$program -n '__claude_proxy_admin_at learned 1' -a 'list forget'
$program -n '__claude_proxy_admin_at learned 2' -a '(__claude_proxy_admin_upstreams)'
$program -n '__claude_proxy_admin_at balance 1' -a 'round-robin random failover'
$program -n '__claude_proxy_admin_at route 1' -a 'add list move remove'
$program -n '__claude_proxy_admin_at route 2; and contains (__claude_proxy_admin_word 3) move remove' -a '(__claude_proxy_admin_indexes route list)'
$program -n '__claude_proxy_admin_at set 2' -a 'max-output-tokens header. body. auth beta images fallback proxy timeout reasoning search'
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = reasoning' -a 'auto off'
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = search' -a 'auto hosted proxy off'
$program -n '__claude_proxy_admin_at search 1' -a 'searxng brave tavily off test'
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = images' -a 'on off'
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = auth' -a 'bearer x-api-key api-key'
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = beta' -a none
$program -n '__claude_proxy_admin_at set 3; and test (__claude_proxy_admin_word 4) = fallback' -a '(__claude_proxy_admin_upstreams)'

for command in key route show test doctor usage learned search
    $program -n "__fish_seen_subcommand_from $command" -l json -d 'print a list as JSON'
end
$program -n '__fish_seen_subcommand_from route translate' -l upstream -xa '(__claude_proxy_admin_upstreams)' -d 'the upstream it leads to'
$program -n '__fish_seen_subcommand_from route' -l first -d 'before all others'
$program -n '__fish_seen_subcommand_from route' -l before -xa '(__claude_proxy_admin_indexes route list)' -d 'before this one'
$program -n '__fish_seen_subcommand_from key' -l command -x -d 'a shell command that prints the key'
$program -n '__fish_seen_subcommand_from clear' -l yes -d 'do not ask'
$program -n '__fish_seen_subcommand_from translate' -l to -xa $types -d 'the service type'
$program -n '__fish_seen_subcommand_from translate' -l response -d 'the input is a response'
$program -n '__fish_seen_subcommand_from test' -l model -x -d 'the model to test with'
$program -n '__fish_seen_subcommand_from test' -l all -d 'all upstreams'
$program -n '__fish_seen_subcommand_from export' -l secrets -d 'print whole keys'
$program -n '__fish_seen_subcommand_from usage' -l since -xa '15m 1h 24h 7d 30d' -d 'from when on'
$program -n '__fish_seen_subcommand_from usage' -l by -xa 'upstream key model day' -d 'the groups'
$program -n '__fish_seen_subcommand_from import translate' -F
