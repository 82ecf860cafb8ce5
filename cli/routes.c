/*
 * The command `route`: which model is asked for, and where.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "command.h"
#include "output.h"
#include "print.h"
#include "store/config.h"
#include "store/store.h"

static int
add_route(struct admin *a, int count, char **arguments)
{
	const struct upstream *u = NULL;

	if (count != 2)
		return misuse("route add takes a pattern and a model: route add 'claude-*haiku*' "
			      "gpt-4o-mini");
	for (int i = 0; i < count; i++) {
		const char *problem = check_model_name(arguments[i]);
		if (problem != NULL)
			return misuse("the %s %s", i == 0 ? "pattern" : "model", problem);
	}
	if (a->upstream != NULL && (u = find_upstream(a, a->upstream)) == NULL)
		return EXIT_FAILED;
	if (store_add_route(a->store, arguments[0], arguments[1], u != NULL ? u->id : 0) !=
		STORE_OK)
		return fail("the route was not added");
	print("added route %s -> %s%s%s\n", arguments[0], arguments[1], u != NULL ? " at " : "",
		u != NULL ? u->name : "");
	return EXIT_DONE;
}

static int
list_routes(struct admin *a, int count, char **arguments)
{
	(void)arguments;
	if (count != 0)
		return misuse("route list takes nothing more");
	if (a->json)
		print_routes_json(a->config);
	else
		print_routes(a->config, "");
	return EXIT_DONE;
}

static int
remove_route(struct admin *a, int count, char **arguments)
{
	if (count != 1)
		return misuse("route remove takes a pattern or an index; route list shows them");
	size_t index = config_route_index(a->config, arguments[0]);
	if (index >= a->config->route_count)
		return fail("there is no route '%s'; claude-proxy-admin route list shows them",
			arguments[0]);
	const struct route *r = &a->config->routes[index];
	for (size_t i = index + 1; i < a->config->route_count; i++)
		if (strcmp(a->config->routes[i].pattern, arguments[0]) == 0)
			return fail("there are several routes '%s': say which by its index",
				arguments[0]);
	if (store_remove_route(a->store, r->id) != STORE_OK)
		return fail("the route was not removed");
	print("removed route %s -> %s\n", r->pattern, r->model);
	return EXIT_DONE;
}

static const struct {
	const char *name;
	int (*run)(struct admin *, int, char **);
} actions[] = {
	{"add", add_route},
	{"list", list_routes},
	{"remove", remove_route},
};

int
run_route(struct admin *a, int count, char **arguments)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, arguments[0]) == 0)
			return actions[i].run(a, count - 1, arguments + 1);
	return misuse("route is followed by add, list or remove");
}
