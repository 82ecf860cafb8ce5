/*
 * Commands on upstreams and on everything: add, remove, use, balance, set, show, clear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "base/settings.h"
#include "check.h"
#include "command.h"
#include "input.h"
#include "output.h"
#include "print.h"
#include "store/config.h"
#include "store/options.h"
#include "store/store.h"
#include "upstream/service.h"

const struct upstream *
find_upstream(const struct admin *a, const char *name_or_index)
{
	const struct upstream *u = config_find_upstream(a->config, name_or_index);

	if (u == NULL)
		fail("there is no upstream '%s'; claude-proxy-admin show lists them",
			name_or_index);
	return u;
}

int
unknown_service(const char *name)
{
	char known[256] = "";
	const struct service *s;

	for (size_t i = 0; (s = service_at(i)) != NULL; i++) {
		strncat(known, i > 0 ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, s->name, sizeof(known) - strlen(known) - 1);
	}
	return misuse("'%s' is not a service type: it must be one of %s", name, known);
}

static int
check_url(const char *url)
{
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_base_url(url, &shown);
	int status = problem == NULL ? EXIT_DONE
				     : misuse("base URL %s%s", buffer_text(&shown), problem);

	buffer_free(&shown);
	return status;
}

static int
add_upstream(struct admin *a, const char *name, const char *url, const char *service_type)
{
	switch (store_add_upstream(a->store, name, url, service_type)) {
	case STORE_OK:
		break;
	case STORE_EXISTS:
		return fail("there is an upstream '%s' already", name);
	default:
		return fail("'%s' was not added", name);
	}
	print("added upstream %s%s\n", name,
		a->config->current == NULL ? "; it is current now" : "");
	print("next: claude-proxy-admin key %s add -\n", name);
	return EXIT_DONE;
}

int
run_add(struct admin *a, int count, char **arguments)
{
	const char *name = arguments[0];
	const char *problem = check_upstream_name(name);

	(void)count;
	if (problem != NULL)
		return misuse("'%s': %s", name, problem);
	if (service_find(arguments[2]) == NULL)
		return unknown_service(arguments[2]);
	char *url = strdup(arguments[1]);
	if (url == NULL)
		return fail("out of memory");
	/* A query may hold a key: out of the process list, as soon as possible. */
	if (strchr(url, '?') != NULL)
		secret_erase(arguments[1], strlen(arguments[1]));
	int status = check_url(url);
	if (status == EXIT_DONE)
		status = add_upstream(a, name, url, arguments[2]);
	free(url);
	return status;
}

int
run_remove(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = find_upstream(a, arguments[0]);

	(void)count;
	if (u == NULL)
		return EXIT_FAILED;
	if (store_remove_upstream(a->store, u->id) != STORE_OK)
		return fail("'%s' was not removed", u->name);
	print("removed upstream %s and its %zu keys\n", u->name, u->key_count);
	return EXIT_DONE;
}

int
run_use(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = find_upstream(a, arguments[0]);

	(void)count;
	if (u == NULL)
		return EXIT_FAILED;
	if (store_use_upstream(a->store, u->id) != STORE_OK)
		return fail("'%s' was not made current", u->name);
	print("%s is current now\n", u->name);
	if (u->key_count == 0)
		print("it has no keys yet: claude-proxy-admin key %s add -\n", u->name);
	return EXIT_DONE;
}

int
run_balance(struct admin *a, int count, char **arguments)
{
	enum strategy strategy;

	(void)count;
	if (strategy_parse(arguments[0], &strategy) != 0)
		return misuse("'%s' is not a strategy: it must be round-robin, random or failover",
			arguments[0]);
	if (store_set_strategy(a->store, strategy) != STORE_OK)
		return fail("the strategy was not set");
	print("strategy is %s now\n", strategy_name(strategy));
	return EXIT_DONE;
}

/* A fallback must be there, and be another one.  Return EXIT_DONE if it is. */
static int
check_fallback(const struct admin *a, const struct upstream *u, const char *name)
{
	const struct upstream *other = find_upstream(a, name);

	if (other == NULL)
		return EXIT_FAILED;
	return other != u ? EXIT_DONE : fail("an upstream cannot be its own fallback");
}

static int
unknown_option(const char *name)
{
	char known[256] = "";
	const char *option;

	for (unsigned i = 0; (option = option_name_at(i)) != NULL; i++) {
		strncat(known, i > 0 ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, option, sizeof(known) - strlen(known) - 1);
	}
	return misuse("'%s' is not an option: it must be one of %s", name, known);
}

static int
remove_option(struct admin *a, const struct upstream *u, const char *option)
{
	enum store_result result = store_set_option(a->store, u->id, option, NULL);

	if (result == STORE_FAILED)
		return fail("%s was not removed", option);
	print(result == STORE_OK ? "removed %s of %s\n" : "%s of %s was not set\n", option,
		u->name);
	return EXIT_DONE;
}

/* The value that the argument stands for, owned; "-" is a line of standard input.  NULL: there is
 * none, which was said. */
static char *
take_value(const char *option, char *argument)
{
	if (strcmp(argument, "-") == 0)
		return input_read_secret(option);
	char *value = strdup(argument);
	/* Out of the process list, as soon as possible. */
	if (option_is_secret(option))
		secret_erase(argument, strlen(argument));
	if (value == NULL)
		fail("out of memory");
	return value;
}

static int
set_option(struct admin *a, const struct upstream *u, const char *option, const char *value)
{
	const char *problem = option_check(option, value);

	if (problem != NULL && option_is_secret(option))
		return misuse("%s: %s", option, problem);
	if (problem != NULL)
		return misuse("%s: '%s' %s", option, value, problem);
	if (strcmp(option, "fallback") == 0) {
		if (check_fallback(a, u, value) != EXIT_DONE)
			return EXIT_FAILED;
		value = config_find_upstream(a->config, value)->name;
	}
	if (store_set_option(a->store, u->id, option, value) != STORE_OK)
		return fail("%s was not set", option);
	print("set %s of %s\n", option, u->name);
	return EXIT_DONE;
}

int
run_set(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = find_upstream(a, arguments[0]);
	const char *option = arguments[1];

	if (u == NULL)
		return EXIT_FAILED;
	if (!option_is_known(option))
		return unknown_option(option);
	if (count < 3 || arguments[2][0] == '\0')
		return remove_option(a, u, option);
	char *value = take_value(option, arguments[2]);
	if (value == NULL)
		return EXIT_FAILED;
	int status = set_option(a, u, option, value);
	secret_erase(value, strlen(value));
	free(value);
	return status;
}

int
run_show(struct admin *a, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	if (a->json)
		print_config_json(a);
	else
		print_config(a);
	return EXIT_DONE;
}

static bool
is_confirmed(void)
{
	char answer[16];

	print("remove all upstreams, keys and routes? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) != NULL &&
	       (answer[0] == 'y' || answer[0] == 'Y');
}

int
run_clear(struct admin *a, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	if (!a->yes && !isatty(STDIN_FILENO))
		return misuse(
			"clear removes everything: say clear --yes where nobody can be asked");
	if (!a->yes && !is_confirmed())
		return fail("nothing was removed");
	if (store_clear(a->store) != STORE_OK)
		return fail("nothing was removed");
	puts("removed everything");
	return EXIT_DONE;
}
