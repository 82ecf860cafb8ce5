/*
 * The command `key`: API keys of an upstream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "check.h"
#include "command.h"
#include "terminal/input.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "store/config.h"
#include "store/store.h"
#include "terminal/suggest.h"
#include "upstream/key_command.h"

enum { MOST_KEYS = 10000 };

/* Keys to add; owned. */
struct key_list {
	char **keys;
	size_t count;
};

static void
free_list(struct key_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		secret_erase(list->keys[i], strlen(list->keys[i]));
		free(list->keys[i]);
	}
	free(list->keys);
}

static int
add_to_list(struct key_list *list, const char *key)
{
	const char *problem = check_api_key(key);

	if (problem != NULL)
		return misuse("key %zu cannot be an API key: %s", list->count, problem);
	char **grown = list->count < MOST_KEYS
			       ? reallocarray(list->keys, list->count + 1, sizeof(char *))
			       : NULL;
	if (grown == NULL)
		return fail("there are too many keys");
	list->keys = grown;
	grown[list->count] = strdup(key);
	if (grown[list->count] == NULL)
		return fail("out of memory");
	list->count++;
	return EXIT_DONE;
}

/* Take a key out of a line of ${read} bytes; spaces around it and empty lines do not count. */
static int
take_line(struct key_list *list, char *line, ssize_t read)
{
	char *start = line + strspn(line, " \t\r\n");
	size_t length = strlen(start);

	if (strlen(line) != (size_t)read)
		return misuse(
			"key %zu cannot be an API key: it contains a NUL character", list->count);
	while (length > 0 && strchr(" \t\r\n", start[length - 1]) != NULL)
		start[--length] = '\0';
	return length > 0 ? add_to_list(list, start) : EXIT_DONE;
}

/* Keys from standard input: all of it, or on a terminal one line, and what was pasted with it. */
static int
read_list(struct key_list *list, const char *upstream)
{
	struct hidden_input hidden;
	char *line = NULL;
	size_t size = 0;
	ssize_t read;
	int status = EXIT_DONE;

	input_hide(&hidden);
	if (hidden.terminal) {
		print("API key for %s (not shown): ", upstream);
		fflush(stdout);
	}
	do {
		read = input_read_hidden(&hidden, &line, &size);
		if (read >= 0)
			status = take_line(list, line, read);
	} while (status == EXIT_DONE && read >= 0 && (!hidden.terminal || input_is_waiting()));
	input_show(&hidden);
	if (line != NULL)
		secret_erase(line, size);
	free(line);
	return status;
}

static int
gather(struct key_list *list, const char *upstream, int count, char **arguments)
{
	int status = EXIT_DONE;

	for (int i = 0; i < count && status == EXIT_DONE; i++) {
		if (strcmp(arguments[i], "-") == 0) {
			status = read_list(list, upstream);
			continue;
		}
		status = add_to_list(list, arguments[i]);
		/* Out of the process list, as soon as possible. */
		secret_erase(arguments[i], strlen(arguments[i]));
	}
	if (status == EXIT_DONE && list->count == 0)
		return fail("no API key was given");
	return status;
}

/* Store the keys of the list, and report how many were new. */
static int
store_list(struct admin *a, const char *name, int64_t upstream_id, const struct key_list *list)
{
	size_t added = 0;

	if (store_add_keys(a->store, upstream_id, (const char *const *)list->keys, list->count,
		    &added) != STORE_OK)
		return fail("could not add the key%s", plural(list->count));
	print("added %zu key%s to %s", added, plural(added), name);
	if (added < list->count)
		print("; %zu %s there already", list->count - added,
			list->count - added == 1 ? "was" : "were");
	putchar('\n');
	return EXIT_DONE;
}

/* The key that a command prints: stored as a mark and the command. */
static int
take_command(struct key_list *list, const char *command)
{
	const char *problem = check_command(command);
	char *text = NULL;

	if (problem != NULL)
		return misuse("--command: %s", problem);
	list->keys = calloc(1, sizeof(char *));
	if (list->keys == NULL || asprintf(&text, "%c%s", KEY_COMMAND_MARK, command) < 0)
		return fail("out of memory");
	list->keys[list->count++] = text;
	return EXIT_DONE;
}

static int
add_keys(struct admin *a, const struct upstream *u, int count, char **arguments)
{
	struct key_list list = {0};
	int status;

	if ((a->command != NULL) == (count > 0))
		return misuse("key <name|index> add takes one or more keys, - for standard input, "
			      "or --command <shell command>");
	if (a->command != NULL)
		status = take_command(&list, a->command);
	else
		status = gather(&list, u->name, count, arguments);

	if (status == EXIT_DONE)
		status = store_list(a, u->name, u->id, &list);
	free_list(&list);
	return status;
}

int
keys_ask(struct admin *a, const struct upstream *u)
{
	struct key_list list = {0};
	int status = read_list(&list, u->name);

	if (status == EXIT_DONE && list.count > 0)
		status = store_list(a, u->name, u->id, &list);
	else if (status == EXIT_DONE)
		print("no API key was given; add one later: %s\n",
			HINT("key", u->name, "add", "-"));
	free_list(&list);
	return status;
}

const struct upstream *
keys_fetch(struct admin *a, const struct upstream *u)
{
	int64_t id = u->id;
	bool changed = false;

	for (size_t i = 0; i < u->key_count; i++) {
		struct buffer problem = BUFFER_INIT(0);
		int status = u->keys[i].enabled
				     ? key_command_see_to(a->store, &u->keys[i], &problem)
				     : 0;
		if (status < 0)
			note("%s: the command of key %zu failed: %s", u->name, i,
				buffer_text(&problem));
		changed = changed || status != 0;
		buffer_free(&problem);
	}
	if (!changed)
		return u;
	if (refresh(a) != 0)
		return NULL;
	u = config_find_upstream_by_id(a->config, id);
	if (u == NULL)
		fail("the upstream was removed in the meantime");
	return u;
}

static int
list_keys(struct admin *a, const struct upstream *u, int count, char **arguments)
{
	(void)count;
	(void)arguments;
	if (a->json)
		print_keys_json(u);
	else
		print_keys(u, "");
	return EXIT_DONE;
}

static const struct api_key *
find_key(const struct upstream *u, char *key_or_index)
{
	const struct api_key *key = upstream_find_key(u, key_or_index);
	bool index = strlen(key_or_index) < 6;

	if (key == NULL)
		fail("%s has no %s%s; %s lists its keys", u->name, index ? "key " : "such key",
			index ? key_or_index : "", HINT("key", u->name, "list"));
	return key;
}

static int
remove_key(struct admin *a, const struct upstream *u, int count, char **arguments)
{
	const struct api_key *key = find_key(u, arguments[0]);
	char mask[SECRET_MASK_SIZE];

	(void)count;
	if (key == NULL)
		return EXIT_FAILED;
	secret_mask(key->secret, mask);
	secret_erase(arguments[0], strlen(arguments[0]));
	if (store_remove_key(a->store, key->id) != STORE_OK)
		return fail("could not remove key %s", mask);
	print("removed key %s of %s\n", mask, u->name);
	return EXIT_DONE;
}

static int
switch_key(struct admin *a, const struct upstream *u, char *key_or_index, bool on)
{
	const struct api_key *key = find_key(u, key_or_index);
	char mask[SECRET_MASK_SIZE];

	if (key == NULL)
		return EXIT_FAILED;
	secret_mask(key->secret, mask);
	if (store_enable_key(a->store, key->id, on) != STORE_OK)
		return fail("could not change key %s", mask);
	print("key %s of %s is %s now\n", mask, u->name, on ? "enabled" : "disabled");
	return EXIT_DONE;
}

static int
enable_key(struct admin *a, const struct upstream *u, int count, char **arguments)
{
	(void)count;
	return switch_key(a, u, arguments[0], true);
}

static int
disable_key(struct admin *a, const struct upstream *u, int count, char **arguments)
{
	(void)count;
	return switch_key(a, u, arguments[0], false);
}

static const struct {
	const char *name;
	int least, most;
	int (*run)(struct admin *, const struct upstream *, int, char **);
} actions[] = {
	{"add", 0, -1, add_keys},
	{"list", 0, 0, list_keys},
	{"remove", 1, 1, remove_key},
	{"enable", 1, 1, enable_key},
	{"disable", 1, 1, disable_key},
};

static const char *
action_name(const void *context, size_t index)
{
	(void)context;
	return index < sizeof(actions) / sizeof(actions[0]) ? actions[index].name : NULL;
}

int
run_key(struct admin *a, int count, char **arguments)
{
	struct suggestion meant;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, arguments[1]) != 0)
			continue;
		if (count - 2 < actions[i].least ||
			(actions[i].most >= 0 && count - 2 > actions[i].most))
			return misuse("key <name|index> %s takes %s", actions[i].name,
				actions[i].most == 0  ? "nothing more"
				: actions[i].most < 0 ? "one or more keys, or - for standard input"
						      : "one key or its index");
		const struct upstream *u = find_upstream(a, arguments[0]);
		return u != NULL ? actions[i].run(a, u, count - 2, arguments + 2) : EXIT_FAILED;
	}
	return misuse("key <name|index> is followed by add, list, remove, enable or disable%s",
		suggest(&meant, arguments[1], action_name, NULL));
}
