/*
 * claude-proxy-admin: manages the database that the responder reads (SPEC §7).  A new command is a
 * row of the table.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/settings.h"
#include "command.h"
#include "store/config.h"
#include "store/store.h"

static const char key_details[] =
	"  add <key>…          add keys; - reads them from standard input, one a line, so that "
	"none\n"
	"                      shows in the process list or the shell's history\n"
	"  list                show the keys, masked, with their state\n"
	"  remove <key|index>  remove a key\n"
	"  enable <index>      use a key (again)\n"
	"  disable <index>     keep a key, but do not use it\n";

static const char route_details[] = "  add <pattern> <model> [--upstream <name>]\n"
				    "                      ask for <model> where a client names "
				    "one that matches; * and ? match as in\n"
				    "                      file names, the first match counts\n"
				    "  list                show the routes\n"
				    "  remove <pattern|index>\n";

static const char set_details[] =
	"  max-output-tokens   the most that a request may ask for\n"
	"  header.<Name>       a header that is sent as given\n"
	"  fallback            an upstream to try when all keys of this one failed\n"
	"  proxy               http://…, https://…, socks4://…, socks5://…\n"
	"  timeout             ms to connect, and of silence\n"
	"  reasoning           auto, or off\n"
	"An empty value removes the option; - reads it from standard input, one line, so that a "
	"secret "
	"does not show\n"
	"in the process list or the shell's history.\n";

static const char translate_details[] =
	"  --to <serviceType>  the service whose language it is translated to, or from\n"
	"  --response          the input is the service's answer: JSON, or an event stream\n"
	"Reads the file, or standard input.  Needs no network and no database.\n";

static const char test_details[] =
	"Asks the current upstream, the one that is named, or --all.  The model is that of the "
	"first "
	"route\nthat leads there, else a small one from the upstream's own list; --model names "
	"another.\n"
	"Exit status 1 when a key did not work.\n";

static const char import_details[] =
	"Reads the original proxy's config.json, or what export --secrets printed; - is standard "
	"input.\n"
	"Nothing is removed: an upstream of the same name gets the file's values and the keys that "
	"it lacks.\n";

static const char export_details[] =
	"  --secrets  with whole keys: keep the output to yourself (umask 077)\n";

static const char usage_details[] =
	"  --since  a length of time such as 90s, 15m, 24h, 7d, or a day such as 2026-01-31\n"
	"  --by     upstream, key, model or day\n"
	"Rows are kept for 90 days.\n";

static const struct command commands[] = {
	{"add", "<name> <baseUrl> <serviceType>", "add an upstream; the first becomes current", 3,
		3, run_add, NULL, false},
	{"remove", "<name|index>", "remove an upstream with its keys", 1, 1, run_remove, NULL,
		false},
	{"key", "<name|index> <add|list|remove|enable|disable> …",
		"manage the API keys of an upstream", 2, -1, run_key, key_details, false},
	{"use", "<name|index>", "make an upstream current", 1, 1, run_use, NULL, false},
	{"balance", "<round-robin|random|failover>", "choose how keys take turns", 1, 1,
		run_balance, NULL, false},
	{"route", "<add|list|remove> …", "map model names", 1, -1, run_route, route_details, false},
	{"set", "<name|index> <option> <value>", "set an option of an upstream", 2, 3, run_set,
		set_details, false},
	{"show", "", "show everything in force, keys masked", 0, 0, run_show, NULL, false},
	{"clear", "[--yes]", "remove everything", 0, 0, run_clear, NULL, false},
	{"translate", "--to <serviceType> [--response] [file]",
		"print the translation of a Claude request, or of an upstream's answer", 0, 1,
		run_translate, translate_details, true},
	{"test", "[<name|index>] [--model <name>] [--all]",
		"send one short real request for each key of an upstream", 0, 1, run_test,
		test_details, false},
	{"doctor", "", "check settings, database and upstreams, and say how to mend them", 0, 0,
		run_doctor, NULL, true},
	{"import", "<config.json|->",
		"add what a configuration file has: all of it, or nothing if it is broken", 1, 1,
		run_import, import_details, false},
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
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-9s %s\n            %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fputs("\n  --help     this, or after a command its own help\n"
	      "  --json     where something is listed: as JSON\n"
	      "  --version  the version\n\n"
	      "Upstreams, keys and routes are named by name or by index, which counts from 0.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
		out);
	return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int
print_command_help(const struct command *c)
{
	printf("usage: claude-proxy-admin %s %s\n%s\n", c->name, c->arguments, c->summary);
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
	TEXT("--to", to),
	TEXT("--upstream", upstream),
	TEXT("--since", since),
	TEXT("--by", by),
	TEXT("--model", model),
};

/* Take one option.  Return how many arguments it took, or 0: it is unknown, or its text is missing.
 */
static int
take_option(struct admin *a, int count, char **arguments)
{
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
	}
	return 0;
}

/*
 * Take the options out of the arguments; what follows `--` is none.  Return how many arguments are
 * left, -1 for help, or -2 for an unknown option, which was said.
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
		if (taken == 0) {
			misuse("unknown option %s, or nothing follows it", word);
			return -2;
		}
		i += taken;
	}
	return left;
}

/* Open what a command works with, run it, and close. */
static int
run(struct admin *a, const struct command *c, int count, char **arguments)
{
	struct buffer problem = BUFFER_INIT(0);
	int status = EXIT_FAILED;

	if (c->alone)
		return c->run(a, count, arguments);
	a->settings = settings_load(&problem);
	if (a->settings == NULL) {
		fail("%s", buffer_text(&problem));
		buffer_free(&problem);
		return EXIT_FAILED;
	}
	a->store = store_open(a->settings->database);
	if (a->store != NULL)
		a->config = store_config(a->store);
	if (a->config != NULL)
		status = c->run(a, count, arguments);
	if (fflush(stdout) != 0 || ferror(stdout))
		status = fail("the output could not be written");
	config_release(a->config);
	store_close(a->store);
	settings_release(a->settings);
	return status;
}

int
main(int argc, char **argv)
{
	struct admin admin = {0};

	secret_forbid_dumps();
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	if (argc < 2)
		return print_help(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
		strcmp(argv[1], "-h") == 0)
		return print_help(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		puts("claude-proxy-admin " VERSION);
		return EXIT_DONE;
	}
	const struct command *command = find_command(argv[1]);
	if (command == NULL)
		return misuse(
			"'%s' is not a command; claude-proxy-admin --help lists them", argv[1]);
	int count = take_options(&admin, argc - 2, argv + 2);
	if (count == -1)
		return print_command_help(command);
	if (count < 0)
		return EXIT_USAGE;
	if (count < command->least || (command->most >= 0 && count > command->most))
		return misuse("usage: claude-proxy-admin %s %s", command->name, command->arguments);
	return run(&admin, command, count, argv + 2);
}
