/*
 * claude-proxy-admin: manages the database that the responder reads (SPEC §7).  A new command is a
 * row of the table.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log/log.h"
#include "base/secret.h"
#include "command.h"
#include "terminal/output.h"
#include "terminal/suggest.h"

static const char add_details[] =
	"With the name of a known service alone, its base URL and type are known, too:\n"
	"  anthropic, cerebras, deepseek, fireworks, gemini, groq, kimi, llamacpp, lmstudio,\n"
	"  minimax, mistral, nvidia, ollama, openai, openrouter, qwen, together, vllm, xai, zai\n"
	"On a terminal it asks for the API key right away.\n";

static const char key_details[] =
	"  add <key>…          add keys; - reads them from standard input, one per line, so that\n"
	"                      none shows up in the process list or the shell's history; a\n"
	"                      terminal prompts for one\n"
	"  add --command <cmd> a key that a shell command prints, such as a token that lives an\n"
	"                      hour; the responder runs it, and keeps what it printed until then\n"
	"  list                list the keys, masked, with their state\n"
	"  remove <key|index>  remove a key\n"
	"  enable <index>      use a key (again)\n"
	"  disable <index>     keep a key, but do not use it\n";

static const char route_details[] =
	"  add <pattern> <model> [--upstream <name>] [--first | --before <pattern|index>]\n"
	"                      ask for <model> when a client names one that matches; * and ?\n"
	"                      match as in file names, and the first match counts; a pattern\n"
	"                      that is there already gets the new model\n"
	"  list                list the routes\n"
	"  move <pattern|index> <--first | --before <pattern|index>>\n"
	"                      change the order\n"
	"  remove <pattern|index>\n";

static const char set_details[] =
	"  max-output-tokens   the most tokens that a request may ask for\n"
	"  header.<Name>       a header that is sent as given\n"
	"  body.<member>       a JSON value that is put into the body of each request; a dotted\n"
	"                      path reaches inside objects, null removes the member\n"
	"  auth                how the key is sent: bearer, x-api-key or api-key\n"
	"  beta                anthropic-beta values to withhold: -name,-name; or none\n"
	"  images              on, or off: models get a sentence in the place of each image\n"
	"  fallback            an upstream to try when all keys of this one have failed\n"
	"  proxy               http://…, https://…, socks4://…, socks5://…\n"
	"  timeout             for connecting, and without a byte: 30s, 2m, or milliseconds\n"
	"  reasoning           auto, or off\n"
	"  search              who searches the web: auto, hosted, proxy or off\n"
	"Without a value it prints what is set.  An empty value, '', removes the option; - reads\n"
	"it from standard input, one line, so that a secret does not show up in the process list\n"
	"or the shell's history.\n";

static const char translate_details[] =
	"  --to <serviceType>  the service type to translate to, or from\n"
	"  --upstream <name>   the request as this upstream would get it, by its options and\n"
	"                      the routes; its address and headers go to standard error\n"
	"  --response          the input is the service's response: JSON, or an event stream\n"
	"Reads the file, or standard input.  Needs no network, and with --to no database.\n";

static const char test_details[] =
	"Tests the current upstream, the one that is named, or --all.  The model is that of the\n"
	"first route that leads there, else a small one from the upstream's own list; --model\n"
	"names another.  Exit status 1 if a key did not work.\n";

static const char import_details[] =
	"Reads the original proxy's config.json, or what export --secrets printed; - is standard\n"
	"input.  Nothing is removed: an upstream of the same name gets the file's values and the\n"
	"keys that it lacks.\n";

static const char export_details[] =
	"  --secrets  print whole keys: keep the output to yourself (umask 077)\n";

static const char usage_details[] =
	"  --since  a duration such as 90s, 15m, 24h, 7d, or a day such as 2026-01-31\n"
	"  --by     upstream, key, model or day\n"
	"Rows are kept for 90 days.\n";

static const char search_details[] =
	"  searxng <url>       a SearXNG of your own, whose settings.yml lists json under\n"
	"                      search.formats\n"
	"  brave <key> [url]   Brave Search; tavily <key> [url]: Tavily; - reads the key from\n"
	"                      standard input, so that it does not show up in the process list or\n"
	"                      the shell's history\n"
	"  off                 no search\n"
	"  test <query>        search now, and print what is found\n"
	"Without arguments it prints which search is set.  Models that cannot search the web by\n"
	"themselves use it when a client offers Claude's web search.\n";

static const char setup_details[] =
	"Asks which service, which API key and which models to use, tests them, and prints what\n"
	"Claude Code needs.  Needs a terminal.\n";

static const char models_details[] =
	"Prints what the program knows beforehand: the words for how hard to think, the context,\n"
	"the longest output, and what a model does not take.  Without names it asks the upstream\n"
	"for its list, or takes the models of the routes that lead there.\n";

static const char learned_details[] =
	"  list                list the lessons, of one upstream or of all\n"
	"  forget              forget them: what is refused then is learned again\n"
	"A lesson expires 30 days after it was learned.\n";

static const struct command commands[] = {
	{"setup", "", "set up the first upstream, step by step", 0, 0, run_setup, setup_details,
		false},
	{"add", "<service> | <name> <baseUrl> <serviceType>",
		"add an upstream; the first becomes current", 1, 3, run_add, add_details, false},
	{"remove", "<name|index>", "remove an upstream with its keys", 1, 1, run_remove, NULL,
		false},
	{"key", "<name|index> <add|list|remove|enable|disable> …",
		"manage the API keys of an upstream", 2, -1, run_key, key_details, false},
	{"use", "<name|index>", "make an upstream current", 1, 1, run_use, NULL, false},
	{"balance", "<round-robin|random|failover>", "choose how keys take turns", 1, 1,
		run_balance, NULL, false},
	{"route", "<add|list|move|remove> …", "map model names", 1, -1, run_route, route_details,
		false},
	{"set", "<name|index> [<option> [<value>]]", "set or list options of an upstream", 1, 3,
		run_set, set_details, false},
	{"search", "[searxng <url> | brave <key> | tavily <key> | off | test <query>]",
		"set or try the web search for models that have none", 0, 3, run_search,
		search_details, false},
	{"show", "", "show everything in force, keys masked", 0, 0, run_show, NULL, false},
	{"clear", "[--yes]", "remove everything", 0, 0, run_clear, NULL, false},
	{"translate", "<--to <serviceType> | --upstream <name>> [--response] [file]",
		"print the translation of a request, or of an upstream's response", 0, 1,
		run_translate, translate_details, true},
	{"test", "[<name|index>] [--model <name>] [--all]",
		"send one short real request with each key of an upstream", 0, 1, run_test,
		test_details, false},
	{"models", "<name|index> [<model>…]", "print what is known of an upstream's models", 1, -1,
		run_models, models_details, false},
	{"learned", "<list|forget> [<name|index>]",
		"list or forget what refusals have taught about requests", 1, 2, run_learned,
		learned_details, false},
	{"doctor", "", "check settings, database, upstreams and search, and say what to fix", 0, 0,
		run_doctor, NULL, true},
	{"import", "<config.json|->",
		"add the contents of a configuration file, or nothing if it is broken", 1, 1,
		run_import, import_details, true},
	{"export", "[--secrets]", "print the configuration as such a file", 0, 0, run_export,
		export_details, false},
	{"usage", "[--since 24h] [--by upstream|key|model|day]",
		"show requests, tokens, errors and latency", 0, 0, run_usage, usage_details, false},
};

static const size_t command_count = sizeof(commands) / sizeof(commands[0]);

static int
print_help(FILE *out)
{
	fputs("usage: claude-proxy-admin <command> [arguments] [--json]\n\n", out);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		fprintf(out, "  %-*s%s\n            %s\n", c->arguments[0] != '\0' ? 10 : 0,
			c->name, c->arguments, c->summary);
	}
	fputs("\n  --help     print this, or after a command its own help\n"
	      "  --json     print a list as JSON\n"
	      "  --version  print the version\n\n"
	      "Upstreams, keys and routes go by name or by index, which counts from 0.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
		out);
	return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int
print_command_help(const struct command *c)
{
	printf("usage: claude-proxy-admin %s%s%s\n%s\n", c->name,
		c->arguments[0] != '\0' ? " " : "", c->arguments, c->summary);
	if (c->details != NULL)
		printf("\n%s", c->details);
	return EXIT_DONE;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* The options, and where they go: a flag, or a text that follows. */
struct option_row {
	const char *name;
	size_t flag; /* offset in struct admin; NONE */
	size_t text;
};

#define NONE ((size_t)-1)
#define FLAG(name, member)                                                                         \
	{                                                                                          \
		name, offsetof(struct admin, member), NONE                                         \
	}
#define TEXT(name, member)                                                                         \
	{                                                                                          \
		name, NONE, offsetof(struct admin, member)                                         \
	}

static const struct option_row options[] = {
	FLAG("--json", json),
	FLAG("--yes", yes),
	FLAG("--response", response),
	FLAG("--secrets", secrets),
	FLAG("--all", all),
	FLAG("--first", first),
	TEXT("--before", before),
	TEXT("--command", command),
	TEXT("--to", to),
	TEXT("--upstream", upstream),
	TEXT("--since", since),
	TEXT("--by", by),
	TEXT("--model", model),
};

static const char *
option_name(const void *context, size_t index)
{
	(void)context;
	return index < sizeof(options) / sizeof(options[0]) ? options[index].name : NULL;
}

/* Take one option.  Return how many arguments it took, or 0 (reported): it is unknown, or its text
 * is missing. */
static int
take_option(struct admin *a, int count, char **arguments)
{
	struct suggestion meant;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option_row *row = &options[i];
		if (strcmp(row->name, arguments[0]) != 0)
			continue;
		if (row->flag != NONE) {
			*(bool *)((char *)a + row->flag) = true;
			return 1;
		}
		if (count > 1) {
			*(const char **)((char *)a + row->text) = arguments[1];
			return 2;
		}
		misuse("the option %s needs a value", row->name);
		return 0;
	}
	misuse("unknown option %s%s", arguments[0],
		suggest(&meant, arguments[0], option_name, NULL));
	return 0;
}

/*
 * Take the options out of the arguments; everything after `--` is an argument.  Return how many
 * arguments are left, -1 for help, or -2 for a wrong option (reported).
 */
static int
take_options(struct admin *a, int count, char **arguments)
{
	bool ended = false;
	int left = 0;

	for (int i = 0; i < count;) {
		char *word = arguments[i];
		if (ended || strncmp(word, "--", 2) != 0) {
			arguments[left++] = word;
			i++;
			continue;
		}
		if (strcmp(word, "--help") == 0)
			return -1;
		ended = strcmp(word, "--") == 0;
		int taken = ended ? 1 : take_option(a, count - i, arguments + i);
		if (taken == 0)
			return -2;
		i += taken;
	}
	return left;
}

static int
run(struct admin *a, const struct command *c, int count, char **arguments)
{
	int status = EXIT_FAILED;

	if (c->alone)
		return c->run(a, count, arguments);
	if (admin_open(a) == 0)
		status = c->run(a, count, arguments);
	if (fflush(stdout) != 0 || ferror(stdout))
		status = fail("could not write the output");
	admin_close(a);
	return status;
}

static const char *
command_name(const void *context, size_t index)
{
	(void)context;
	return index < command_count ? commands[index].name : NULL;
}

static int
unknown_command(const char *name)
{
	struct suggestion meant;

	return misuse("'%s' is not a command%s (%s lists them)", name,
		suggest(&meant, name, command_name, NULL), HINT("--help"));
}

/* Is it one of the words, in a list that ends in NULL? */
static bool
is_any(const char *word, const char *const *words)
{
	while (*words != NULL && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

/* `help`, `help <command>`. */
static int
run_help(int argc, char **argv)
{
	if (argc < 3)
		return print_help(stdout);
	const struct command *command = find_command(argv[2]);
	return command != NULL ? print_command_help(command) : unknown_command(argv[2]);
}

static int
run_command(const struct command *command, int count, char **arguments)
{
	struct admin admin = {0};

	count = take_options(&admin, count, arguments);
	if (count == -1)
		return print_command_help(command);
	if (count < 0)
		return EXIT_USAGE;
	if (count < command->least || (command->most >= 0 && count > command->most))
		return misuse("usage: claude-proxy-admin %s%s%s", command->name,
			command->arguments[0] != '\0' ? " " : "", command->arguments);
	return run(&admin, command, count, arguments);
}

int
main(int argc, char **argv)
{
	static const char *const help[] = {"help", "--help", "-h", NULL};
	static const char *const version[] = {"--version", "-V", "-v", NULL};

	output_called_as(argv[0]);
	secret_forbid_dumps();
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	if (argc < 2)
		return print_help(stderr);
	if (is_any(argv[1], help))
		return run_help(argc, argv);
	if (is_any(argv[1], version)) {
		puts("claude-proxy-admin " VERSION);
		return EXIT_DONE;
	}
	const struct command *command = find_command(argv[1]);
	return command != NULL ? run_command(command, argc - 2, argv + 2)
			       : unknown_command(argv[1]);
}
