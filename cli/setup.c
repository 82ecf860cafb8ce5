/*
 * The command `setup`: the first upstream, its key, its models and a test of them, by questions on
 * the terminal.  Everything it does is also done by other commands.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/random.h"
#include "base/settings/settings.h"
#include "command.h"
#include "terminal/input.h"
#include "known.h"
#include "terminal/output.h"
#include "store/config.h"
#include "store/store.h"
#include "terminal/suggest.h"
#include "upstream/service.h"

static int
end_of_input(void)
{
	putchar('\n');
	return fail("the setup was not finished");
}

/* ---- the upstream ---- */

static void
list_services(void)
{
	const struct known_service *s;

	puts("Where should requests go?\n");
	for (size_t i = 0; (s = known_at(i)) != NULL; i++)
		print("  %2zu  %-11s %s\n", i + 1, s->name, s->title);
	puts("\nAny other service: enter its base URL.");
}

static const struct known_service *
choose_known(const char *answer)
{
	char *end;
	unsigned long number = strtoul(answer, &end, 10);

	return end != answer && *end == '\0' && number > 0 ? known_at(number - 1)
							   : known_find(answer);
}

static int
add_other(struct admin *a, char *url, char **name)
{
	char *type = NULL;
	int status = EXIT_FAILED;

	*name = input_ask("A name for it", "main");
	if (*name != NULL)
		type = input_ask("Service type: openai, openai-responses, gemini, claude or custom",
			"openai");
	if (type != NULL)
		status = add_unknown(a, *name, url, type);
	else
		end_of_input();
	free(type);
	return status;
}

/* Let the user choose, and add it.  ${known} is NULL for a service of which nothing is known;
 * ${name} is owned. */
static int
add_chosen(struct admin *a, const struct known_service **known, char **name)
{
	struct suggestion meant;

	list_services();
	for (;;) {
		char *answer = input_ask("\nNumber, name or URL", NULL);
		int status = EXIT_FAILED;
		if (answer == NULL)
			return end_of_input();
		*known = choose_known(answer);
		bool url = strstr(answer, "://") != NULL;
		if (*known != NULL) {
			*name = strdup((*known)->name);
			status = add_known(a, *known);
		} else if (url) {
			status = add_other(a, answer, name);
		} else {
			note("'%s' is not in the list%s", answer,
				suggest(&meant, answer, known_name_at, NULL));
		}
		free(answer);
		if (*known != NULL || url)
			return status;
	}
}

/* ---- models ---- */

/* Is there a route for the names that Claude Code asks for? */
static bool
has_route(const struct config *config)
{
	return config_find_route(config, "claude-sonnet-5-5") != NULL;
}

static int
add_route_for(struct admin *a, const char *pattern, const char *question, const char *standard)
{
	char *model = input_ask(question, standard);
	int status = EXIT_DONE;

	if (model == NULL)
		return end_of_input();
	if (model[0] != '\0') {
		char *arguments[] = {"add", (char *)pattern, model};
		status = run_route(a, 3, arguments);
	}
	free(model);
	return status;
}

/* A service of Claude's own models needs no routes. */
static int
choose_models(struct admin *a, const struct known_service *known, const struct upstream *u)
{
	if (strcmp(u->service_type, "claude") == 0 || has_route(a->config))
		return EXIT_DONE;
	puts("\nClaude Code asks for claude-… models.  Which ones of this service answer?");
	int status = add_route_for(
		a, "claude-*haiku*", "For small tasks", known != NULL ? known->small_model : NULL);
	if (status == EXIT_DONE)
		status = add_route_for(
			a, "claude-*", "For everything else", known != NULL ? known->model : NULL);
	return status;
}

/* ---- the access key ---- */

static int
write_access_key(const char *path)
{
	char key[64];
	char line[96];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	random_id(key, sizeof(key), "");
	int length = snprintf(line, sizeof(line), "PROXY_ACCESS_KEY=%s\n", key);
	bool written = fd >= 0 && write(fd, line, (size_t)length) == length;
	if (fd >= 0)
		close(fd);
	return written ? 0 : -1;
}

/* What clients must present: make one where there is none. */
static int
see_to_access_key(struct admin *a)
{
	char *path = settings_env_path(a->settings);

	if (path == NULL)
		return fail("out of memory");
	if (a->settings->access_key != NULL)
		print("\nClients need the access key, PROXY_ACCESS_KEY%s%s.\n",
			a->settings->env_file != NULL ? " in " : "",
			a->settings->env_file != NULL ? a->settings->env_file : "");
	else if (write_access_key(path) == 0 && store_announce_reload(a->store) == STORE_OK)
		/* A responder may run already, and knows no key: now it reads this one. */
		print("\nA new access key for clients, PROXY_ACCESS_KEY, is in %s.\n", path);
	else
		note("could not write an access key to %s", path);
	free(path);
	return EXIT_DONE;
}

static void
explain_claude_code(const struct admin *a)
{
	print("\nClaude Code, with the proxy's address (this is that of make run):\n\n"
	      "  export ANTHROPIC_BASE_URL=http://127.0.0.1:%lld\n"
	      "  export ANTHROPIC_AUTH_TOKEN=<the access key>\n"
	      "  claude\n",
		(long long)a->settings->port);
}

int
run_setup(struct admin *a, int count, char **arguments)
{
	const struct known_service *known = NULL;
	char *name = NULL;

	(void)count;
	(void)arguments;
	if (!input_can_ask())
		return misuse("setup asks questions: run it from a terminal, or use %s",
			HINT("add", "<service>"));
	int status = add_chosen(a, &known, &name);
	if (status == EXIT_DONE)
		status = refresh(a) == 0 ? EXIT_DONE : EXIT_FAILED;
	const struct upstream *u = status == EXIT_DONE ? config_find_upstream(a->config, name)
						       : NULL;
	if (u != NULL)
		status = choose_models(a, known, u);
	if (u != NULL && status == EXIT_DONE && refresh(a) == 0) {
		putchar('\n');
		run_test(a, 1, &name);
		status = see_to_access_key(a);
		explain_claude_code(a);
	}
	free(name);
	return status;
}
