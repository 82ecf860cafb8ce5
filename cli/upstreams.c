/*
 * Commands on upstreams and on everything: add, remove, use, balance, set, show, clear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "check.h"
#include "command.h"
#include "terminal/input.h"
#include "known.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "store/config.h"
#include "store/options.h"
#include "store/store.h"
#include "terminal/suggest.h"
#include "upstream/service.h"

/* ---- finding ---- */

static const char *
upstream_name_at(const void *context, size_t index)
{
	const struct config *config = context;

	return index < config->upstream_count ? config->upstreams[index].name : NULL;
}

const struct upstream *
find_upstream(const struct admin *a, const char *name_or_index)
{
	const struct upstream *u = config_find_upstream(a->config, name_or_index);
	struct suggestion meant;

	if (u == NULL)
		fail("there is no upstream '%s'%s (%s lists them)", name_or_index,
			suggest(&meant, name_or_index, upstream_name_at, a->config), HINT("show"));
	return u;
}

int
refresh(struct admin *a)
{
	struct config *fresh = store_config(a->store);

	if (fresh == NULL)
		return fail("could not read the configuration again"), -1;
	config_release(a->config);
	a->config = fresh;
	return 0;
}

static const char *
service_name_at(const void *context, size_t index)
{
	const struct service *s = service_at(index);

	(void)context;
	return s != NULL ? s->name : NULL;
}

int
unknown_service(const char *name)
{
	char known[256] = "";
	struct suggestion meant;
	const struct service *s;

	for (size_t i = 0; (s = service_at(i)) != NULL; i++) {
		strncat(known, i > 0 ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, s->name, sizeof(known) - strlen(known) - 1);
	}
	return misuse("'%s' is not a service type: it must be one of %s%s", name, known,
		suggest(&meant, name, service_name_at, NULL));
}

/* ---- add, remove, use, balance ---- */

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

/* A service on this machine takes any key, and has to be sent one. */
static const char *const no_key = "none";

/* The upstream was added: its key is next. */
static int
continue_with_key(struct admin *a, const char *name, bool local)
{
	size_t added = 0;

	if (refresh(a) != 0)
		return EXIT_FAILED;
	const struct upstream *u = config_find_upstream(a->config, name);
	if (u == NULL)
		return EXIT_DONE; /* somebody else removed it in the meantime */
	if (local)
		return store_add_keys(a->store, u->id, &no_key, 1, &added) == STORE_OK
			       ? EXIT_DONE
			       : fail("could not add a key");
	if (input_can_ask())
		return keys_ask(a, u);
	print("next: %s\n", HINT("key", name, "add", "-"));
	return EXIT_DONE;
}

static int
add_upstream(
	struct admin *a, const char *name, const char *url, const char *service_type, bool local)
{
	bool first = a->config->current == NULL;

	switch (store_add_upstream(a->store, name, url, service_type)) {
	case STORE_OK:
		break;
	case STORE_EXISTS:
		return fail("there is already an upstream '%s'", name);
	default:
		return fail("could not add '%s'", name);
	}
	print("added upstream %s%s\n", name, first ? "; it is current now" : "");
	if (first)
		print("the database is %s\n", store_path(a->store));
	return continue_with_key(a, name, local);
}

int
add_known(struct admin *a, const struct known_service *s)
{
	return add_upstream(a, s->name, s->base_url, s->service_type, s->local);
}

int
add_unknown(struct admin *a, const char *name, char *given_url, const char *service_type)
{
	const char *problem = check_upstream_name(name);

	if (problem != NULL)
		return misuse("'%s': %s", name, problem);
	if (service_find(service_type) == NULL)
		return unknown_service(service_type);
	char *url = strdup(given_url);
	if (url == NULL)
		return fail("out of memory");
	/* A query may contain a key: out of the process list, as soon as possible. */
	if (strchr(url, '?') != NULL)
		secret_erase(given_url, strlen(given_url));
	int status = check_url(url);
	if (status == EXIT_DONE)
		status = add_upstream(a, name, url, service_type, false);
	free(url);
	return status;
}

int
run_add(struct admin *a, int count, char **arguments)
{
	const struct known_service *known = known_find(arguments[0]);
	struct suggestion meant;

	if (count == 3)
		return add_unknown(a, arguments[0], arguments[1], arguments[2]);
	if (count == 2)
		return misuse("usage: claude-proxy-admin add <service> | <name> <baseUrl> "
			      "<serviceType>");
	if (known != NULL)
		return add_known(a, known);
	return misuse("'%s' is not a known service%s (%s lists them); any other needs "
		      "<name> <baseUrl> <serviceType>",
		arguments[0], suggest(&meant, arguments[0], known_name_at, NULL),
		HINT("add", "--help"));
}

int
run_remove(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = find_upstream(a, arguments[0]);

	(void)count;
	if (u == NULL)
		return EXIT_FAILED;
	if (store_remove_upstream(a->store, u->id) != STORE_OK)
		return fail("could not remove '%s'", u->name);
	if (u->key_count > 0)
		print("removed upstream %s and its %zu key%s\n", u->name, u->key_count,
			plural(u->key_count));
	else
		print("removed upstream %s\n", u->name);
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
		return fail("could not make '%s' current", u->name);
	print("%s is current now\n", u->name);
	if (u->key_count == 0)
		print("it has no API key yet: %s\n", HINT("key", u->name, "add", "-"));
	return EXIT_DONE;
}

static const char *
strategy_at(const void *context, size_t index)
{
	(void)context;
	return index <= STRATEGY_FAILOVER ? strategy_name((enum strategy)index) : NULL;
}

int
run_balance(struct admin *a, int count, char **arguments)
{
	enum strategy strategy;
	struct suggestion meant;

	(void)count;
	if (strategy_parse(arguments[0], &strategy) != 0)
		return misuse("'%s' is not a strategy: it must be round-robin, random or "
			      "failover%s",
			arguments[0], suggest(&meant, arguments[0], strategy_at, NULL));
	if (store_set_strategy(a->store, strategy) != STORE_OK)
		return fail("could not set the strategy");
	print("strategy is %s now\n", strategy_name(strategy));
	return EXIT_DONE;
}

/* ---- set ---- */

/* A fallback must be there, and be another one.  Return EXIT_DONE if it is. */
static int
check_fallback(const struct admin *a, const struct upstream *u, const char *name)
{
	const struct upstream *other = find_upstream(a, name);

	if (other == NULL)
		return EXIT_FAILED;
	return other != u ? EXIT_DONE : fail("an upstream cannot be its own fallback");
}

static const char *
option_at(const void *context, size_t index)
{
	(void)context;
	return option_name_at((unsigned)index);
}

static int
unknown_option(const char *name)
{
	char known[256] = "";
	struct suggestion meant;
	const char *option;

	for (unsigned i = 0; (option = option_name_at(i)) != NULL; i++) {
		strncat(known, i > 0 ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, option, sizeof(known) - strlen(known) - 1);
	}
	return misuse("'%s' is not an option: it must be one of %s%s", name, known,
		suggest(&meant, name, option_at, NULL));
}

static int
remove_option(struct admin *a, const struct upstream *u, const char *option)
{
	enum store_result result = store_set_option(a->store, u->id, option, NULL);

	if (result == STORE_FAILED)
		return fail("could not remove %s", option);
	print(result == STORE_OK ? "removed %s of %s\n" : "%s of %s was not set\n", option,
		u->name);
	return EXIT_DONE;
}

/* The value that the argument stands for, owned; "-" is a line of standard input.  NULL if there is
 * none (reported). */
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
		return fail("could not set %s", option);
	print("set %s of %s\n", option, u->name);
	return EXIT_DONE;
}

int
run_set(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = find_upstream(a, arguments[0]);
	const char *option = count > 1 ? arguments[1] : NULL;

	if (u == NULL)
		return EXIT_FAILED;
	if (option == NULL) {
		print_options_of(u);
		return EXIT_DONE;
	}
	if (!option_is_known(option))
		return unknown_option(option);
	if (count < 3) {
		print_option_of(u, option);
		return EXIT_DONE;
	}
	if (arguments[2][0] == '\0')
		return remove_option(a, u, option);
	char *value = take_value(option, arguments[2]);
	if (value == NULL)
		return EXIT_FAILED;
	int status = set_option(a, u, option, value);
	secret_erase(value, strlen(value));
	free(value);
	return status;
}

/* ---- everything ---- */

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
		return misuse("clear removes everything: pass --yes when not run from a terminal");
	if (!a->yes && !is_confirmed())
		return fail("nothing was removed");
	if (store_clear(a->store) != STORE_OK)
		return fail("nothing was removed");
	puts("removed everything");
	return EXIT_DONE;
}
