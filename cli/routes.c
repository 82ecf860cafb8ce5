/*
 * The command `route`: which model a name leads to, and where.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "command.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "store/config.h"
#include "store/store.h"
#include "terminal/suggest.h"

/* ---- finding ---- */

/* The route of that pattern or index, or NULL (reported): there is none, or there are several. */
static const struct route *
find_route(const struct admin *a, const char *pattern_or_index)
{
	const struct config *config = a->config;
	size_t index = config_route_index(config, pattern_or_index);

	if (index >= config->route_count) {
		fail("there is no route '%s'; %s lists them", pattern_or_index,
			HINT("route", "list"));
		return NULL;
	}
	for (size_t i = index + 1; i < config->route_count; i++) {
		if (strcmp(config->routes[i].pattern, pattern_or_index) != 0)
			continue;
		fail("there are several routes '%s': give the index instead", pattern_or_index);
		return NULL;
	}
	return &config->routes[index];
}

/* The route with that very pattern and upstream, or NULL. */
static const struct route *
find_equal(const struct config *config, const char *pattern, const struct upstream *upstream)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].upstream == upstream &&
			strcmp(config->routes[i].pattern, pattern) == 0)
			return &config->routes[i];
	return NULL;
}

/* Where --first or --before puts a route: the id of the route after it, 0 at the end.  Return
 * EXIT_DONE or what was reported. */
static int
find_place(const struct admin *a, int64_t *before_id)
{
	*before_id = 0;
	if (a->first && a->before != NULL)
		return misuse("--first and --before exclude each other");
	if (a->first && a->config->route_count > 0)
		*before_id = a->config->routes[0].id;
	if (a->before == NULL)
		return EXIT_DONE;
	const struct route *next = find_route(a, a->before);
	*before_id = next != NULL ? next->id : 0;
	return next != NULL ? EXIT_DONE : EXIT_FAILED;
}

/* ---- routes that are never used ---- */

static void
warn_of(const struct config *config, size_t index)
{
	const struct route *first = config_shadowing_route(config, index);
	char from[24];
	char to[24];

	if (first == NULL)
		return;
	snprintf(from, sizeof(from), "%zu", index);
	snprintf(to, sizeof(to), "%td", first - config->routes);
	note("warning: route %zu, %s, is never used: route %s, %s, matches first; %s changes that",
		index, config->routes[index].pattern, to, first->pattern,
		HINT("route", "move", from, "--before", to));
}

/* Read the routes again after a change, and warn of each that the change left without use. */
static void
warn_of_shadowed(struct admin *a)
{
	if (refresh(a) != 0)
		return;
	for (size_t i = 0; i < a->config->route_count; i++)
		warn_of(a->config, i);
}

/* ---- the commands ---- */

/* A route that is there already gets the new model, and its new place if one is given. */
static int
change_route(struct admin *a, const struct route *r, const char *model, int64_t before_id)
{
	if (store_change_route(a->store, r->id, model, before_id) != STORE_OK)
		return fail("could not change the route");
	print("changed route %s -> %s (it was %s)\n", r->pattern, model, r->model);
	return EXIT_DONE;
}

static int
add_or_change(struct admin *a, const char *pattern, const char *model, const struct upstream *u)
{
	const struct route *equal = find_equal(a->config, pattern, u);
	int64_t before_id;
	int status = find_place(a, &before_id);

	if (status != EXIT_DONE)
		return status;
	if (equal != NULL)
		return change_route(a, equal, model, before_id);
	if (store_add_route(a->store, pattern, model, u != NULL ? u->id : 0, before_id) != STORE_OK)
		return fail("could not add the route");
	print("added route %s -> %s%s%s\n", pattern, model, u != NULL ? " at " : "",
		u != NULL ? u->name : "");
	return EXIT_DONE;
}

static int
add_route(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = NULL;

	if (count != 2)
		return misuse("route add takes a pattern and a model: route add 'claude-*haiku*' "
			      "gpt-6-luna");
	for (int i = 0; i < count; i++) {
		const char *problem = check_model_name(arguments[i]);
		if (problem != NULL)
			return misuse("the %s %s", i == 0 ? "pattern" : "model", problem);
	}
	if (a->upstream != NULL && (u = find_upstream(a, a->upstream)) == NULL)
		return EXIT_FAILED;
	int status = add_or_change(a, arguments[0], arguments[1], u);
	if (status == EXIT_DONE)
		warn_of_shadowed(a);
	return status;
}

static int
list_routes(struct admin *a, int count, char **arguments)
{
	(void)arguments;
	if (count != 0)
		return misuse("route list takes no arguments");
	if (a->json)
		print_routes_json(a->config);
	else
		print_routes(a->config, "");
	return EXIT_DONE;
}

static int
move_route(struct admin *a, int count, char **arguments)
{
	int64_t before_id;

	if (count != 1 || (!a->first && a->before == NULL))
		return misuse("route move takes a pattern or an index, and --first or "
			      "--before <pattern|index>");
	const struct route *r = find_route(a, arguments[0]);
	int status = r != NULL ? find_place(a, &before_id) : EXIT_FAILED;
	if (status != EXIT_DONE)
		return status;
	if (store_move_route(a->store, r->id, before_id) != STORE_OK)
		return fail("could not move the route");
	print("moved route %s -> %s\n", r->pattern, r->model);
	warn_of_shadowed(a);
	return EXIT_DONE;
}

static int
remove_route(struct admin *a, int count, char **arguments)
{
	if (count != 1)
		return misuse("route remove takes a pattern or an index; %s lists them",
			HINT("route", "list"));
	const struct route *r = find_route(a, arguments[0]);
	if (r == NULL)
		return EXIT_FAILED;
	if (store_remove_route(a->store, r->id) != STORE_OK)
		return fail("could not remove the route");
	print("removed route %s -> %s\n", r->pattern, r->model);
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(struct admin *, int, char **);
} actions[] = {
	{"add", add_route},
	{"list", list_routes},
	{"move", move_route},
	{"remove", remove_route},
};

static const char *
action_name(const void *context, size_t index)
{
	(void)context;
	return index < sizeof(actions) / sizeof(actions[0]) ? actions[index].name : NULL;
}

int
run_route(struct admin *a, int count, char **arguments)
{
	struct suggestion meant;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, arguments[0]) == 0)
			return actions[i].run(a, count - 1, arguments + 1);
	return misuse("route is followed by add, list, move or remove%s",
		suggest(&meant, arguments[0], action_name, NULL));
}
