/*
 * Any bytes as a file for `claude-proxy-admin import`: it is refused, or what reaches the database
 * is complete and fit to be used.
 */
#include "fuzz.h"

#include "command.h"
#include "memory_file.h"
#include "store/config.h"
#include "store/import.h"
#include "store/options.h"
#include "upstream/service.h"

static bool
has_upstream(const struct import *import, const char *name)
{
	for (size_t i = 0; i < import->upstream_count; i++)
		if (strcmp(import->upstreams[i].name, name) == 0)
			return true;
	return false;
}

static void
check_upstream(const struct import_upstream *u)
{
	fuzz_check(u->name != NULL && u->name[0] != '\0');
	fuzz_check(service_check_base_url(u->base_url) == NULL);
	fuzz_check(service_find(u->service_type) != NULL);
	for (size_t i = 0; i < u->key_count; i++)
		fuzz_check(u->keys[i].secret[0] != '\0' &&
			   strpbrk(u->keys[i].secret, " \t\r\n") == NULL);
	for (size_t i = 0; i < u->option_count; i++)
		fuzz_check(option_check(u->options[i].name, u->options[i].value) == NULL);
}

/* In the place of the database: these three. */
int
admin_open(struct admin *a)
{
	static struct config empty;

	a->config = &empty;
	return 0;
}

void
admin_close(struct admin *a)
{
	a->config = NULL;
}

enum store_result
store_import(struct store *store, const struct import *import)
{
	fuzz_check(store == NULL);
	for (size_t i = 0; i < import->upstream_count; i++)
		check_upstream(&import->upstreams[i]);
	for (size_t i = 0; i < import->route_count; i++) {
		const struct import_route *route = &import->routes[i];
		fuzz_check(route->pattern[0] != '\0' && route->model[0] != '\0');
		fuzz_check(route->upstream == NULL || has_upstream(import, route->upstream));
	}
	fuzz_check(import->current == NULL || has_upstream(import, import->current));
	return STORE_OK;
}

/* The command says on standard error which members it ignores: thousands of lines in a second. */
static void
hush(void)
{
	static FILE *nowhere;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	fuzz_check(nowhere != NULL);
	stderr = nowhere;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct admin admin = {0};
	char path[MEMORY_FILE_PATH];
	char *arguments[] = {path};

	hush();
	memory_file_write((const char *)data, size, path);
	int status = run_import(&admin, 1, arguments);
	fuzz_check(status == EXIT_DONE || status == EXIT_FAILED);
	return 0;
}
