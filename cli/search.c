/*
 * The command `search`: the web search that the proxy makes for models which have none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json_writer.h"
#include "base/secret.h"
#include "base/text/url.h"
#include "base/text/utf8.h"
#include "check.h"
#include "command.h"
#include "terminal/input.h"
#include "terminal/output.h"
#include "terminal/print.h"
#include "search_trial.h"
#include "store/config.h"
#include "store/config_json.h"
#include "store/store.h"
#include "terminal/suggest.h"
#include "upstream/search_provider.h"
#include "upstream/search_result.h"

/* ---- setting it ---- */

/* What is given in the place of a key or a URL: as it stands, or a line of standard input.  A key
 * that is not given is asked for at a terminal. */
static char *
take(char *argument, const struct search_provider *p)
{
	const char *kind = p->needs_key ? "API key" : "URL";
	char prompt[64];

	snprintf(prompt, sizeof(prompt), "%s for %s", kind, p->name);
	if (argument == NULL || strcmp(argument, "-") == 0)
		return input_read_secret(prompt);
	char *text = strdup(argument);
	/* Out of the process list, as soon as possible. */
	secret_erase(argument, strlen(argument));
	if (text == NULL)
		fail("out of memory");
	return text;
}

/* Report what is wrong, if anything. */
static int
check(const struct search_provider *p, const char *url, const char *key)
{
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_search(p->name, url, key, &shown);
	int status = problem == NULL
			     ? EXIT_DONE
			     : misuse("search %s: %s%s", p->name, buffer_text(&shown), problem);

	buffer_free(&shown);
	return status;
}

static int
store(struct admin *a, const struct search_provider *p, const char *url, const char *key)
{
	if (check(p, url, key) != EXIT_DONE)
		return EXIT_USAGE;
	if (store_set_search(a->store, p->name, url, key) != STORE_OK)
		return fail("could not set the search");
	print("web searches are made by %s now; try it: %s\n", p->name,
		HINT("search", "test", "<query>"));
	return EXIT_DONE;
}

static void
forget(char *secret)
{
	if (secret != NULL)
		secret_erase(secret, strlen(secret));
	free(secret);
}

static int
set(struct admin *a, const struct search_provider *p, int count, char **arguments)
{
	bool asks = p->needs_key && count == 0 && input_can_ask();

	if (!asks && (count < 1 || count > (p->needs_key ? 2 : 1)))
		return misuse("search %s takes %s", p->name,
			p->needs_key ? "its key, or - for standard input"
				     : "its URL, such as http://127.0.0.1:8888");
	char *first = take(asks ? NULL : arguments[0], p);
	if (first == NULL)
		return EXIT_FAILED;
	int status = p->needs_key ? store(a, p, count > 1 ? arguments[1] : "", first)
				  : store(a, p, first, "");
	forget(first);
	return status;
}

static int
remove_search(struct admin *a, int count)
{
	if (count > 0)
		return misuse("search off takes nothing more");
	if (store_set_search(a->store, NULL, NULL, NULL) == STORE_FAILED)
		return fail("could not remove the search");
	puts("the proxy makes no web searches now");
	return EXIT_DONE;
}

static const char *
action_at(const void *context, size_t index)
{
	static const char *const others[] = {"off", "test"};
	const struct search_provider *p = search_provider_at(index);
	size_t known = 0;

	(void)context;
	if (p != NULL)
		return p->name;
	while (search_provider_at(known) != NULL)
		known++;
	return index - known < 2 ? others[index - known] : NULL;
}

/* ---- showing it ---- */

static int
show(const struct admin *a)
{
	struct buffer out = BUFFER_INIT(0);

	if (a->json) {
		config_json_search(&out, &a->config->search, url_write_masked);
		print_json(&out);
	} else if (a->config->search.provider != NULL) {
		print_search(&a->config->search);
	} else {
		print("the proxy makes no web searches: %s explains how it can\n",
			HINT("search", "--help"));
	}
	buffer_free(&out);
	return EXIT_DONE;
}

/* ---- trying it ---- */

static void
show_hit(const struct search_hit *hit)
{
	fputs(print_bold(), stdout);
	print("%s", buffer_text(&hit->title));
	fputs(print_plain(), stdout);
	print("%s%s\n  %s\n", hit->age.length > 0 ? "  " : "", buffer_text(&hit->age),
		buffer_text(&hit->url));
	if (hit->text.length > 0)
		print("  %s\n", buffer_text(&hit->text));
}

static void
show_hits_json(const struct search_result *result)
{
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);

	for (size_t i = 0; i < result->count; i++) {
		const struct search_hit *hit = &result->hits[i];
		json_open_object(&w);
		json_put_text_member(&w, "title", buffer_text(&hit->title));
		json_put_text_member(&w, "url", buffer_text(&hit->url));
		json_put_text_member(
			&w, "age", hit->age.length > 0 ? buffer_text(&hit->age) : NULL);
		json_put_text_member(&w, "excerpt", buffer_text(&hit->text));
		json_close_object(&w);
	}
	print_json_array(&out);
	buffer_free(&out);
}

static int
try_search(const struct admin *a, const char *query)
{
	const struct search_config *config = &a->config->search;
	struct search_result result;
	int status = EXIT_DONE;

	if (config->provider == NULL)
		return fail("no search is set: %s explains how", HINT("search", "--help"));
	if (!utf8_is_valid(query, strlen(query)))
		return misuse("the query is not UTF-8");
	search_try(a, query, &result);
	if (result.outcome != SEARCH_DONE)
		status = fail("the search by %s failed (%s): %s; %s explains the settings",
			config->provider, search_error_code(result.outcome), result.problem,
			HINT("search", "--help"));
	else if (a->json)
		show_hits_json(&result);
	else if (result.count == 0)
		print("%s found nothing\n", config->provider);
	for (size_t i = 0; i < result.count && !a->json; i++)
		show_hit(&result.hits[i]);
	search_result_free(&result);
	return status;
}

/* ---- the command ---- */

int
run_search(struct admin *a, int count, char **arguments)
{
	const struct search_provider *p;
	struct suggestion meant;

	if (count == 0)
		return show(a);
	p = search_provider_find(arguments[0]);
	if (p != NULL)
		return set(a, p, count - 1, arguments + 1);
	if (strcmp(arguments[0], "off") == 0)
		return remove_search(a, count - 1);
	if (strcmp(arguments[0], "test") != 0)
		return misuse("search is followed by searxng, brave, tavily, off or test%s",
			suggest(&meant, arguments[0], action_at, NULL));
	return count == 2 ? try_search(a, arguments[1])
			  : misuse("search test takes one query, in quotes");
}
