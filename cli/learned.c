/*
 * The command `learned`: what refusals of an upstream have taught of the requests that it takes.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json_writer.h"
#include "command.h"
#include "terminal/output.h"
#include "store/config.h"
#include "store/store.h"
#include "terminal/suggest.h"

/* The moment ${ms} after 1970, to the second. */
static void
write_moment(struct buffer *out, int64_t ms)
{
	if (clock_write_seconds(out, ms / 1000) != 0)
		buffer_puts(out, "?");
}

static void
show(const struct lesson *lesson)
{
	time_t learned = (time_t)(lesson->learned / 1000);
	struct tm local;
	char moment[32] = "?";

	if (localtime_r(&learned, &local) != NULL)
		strftime(moment, sizeof(moment), "%Y-%m-%d %H:%M", &local);
	print("  %s  %s  (%s, %lld time%s)\n", lesson->model, lesson->text, moment,
		(long long)lesson->times, plural((size_t)lesson->times));
}

static void
put(struct json_writer *w, const struct upstream *u, const struct lesson *lesson)
{
	struct buffer moment = BUFFER_INIT(0);

	write_moment(&moment, lesson->learned);
	json_open_object(w);
	json_put_text_member(w, "upstream", u->name);
	json_put_text_member(w, "model", lesson->model);
	json_put_text_member(w, "lesson", lesson->text);
	json_put_text_member(w, "learned", buffer_text(&moment));
	json_put_int_member(w, "times", lesson->times);
	json_close_object(w);
	buffer_free(&moment);
}

/* ${only}: NULL: of every upstream. */
static int
list(const struct admin *a, const struct upstream *only)
{
	struct buffer out = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&out);
	size_t count = 0;

	json_open_array(&w);
	for (size_t i = 0; i < a->config->upstream_count; i++) {
		const struct upstream *u = &a->config->upstreams[i];
		if (only != NULL && u != only)
			continue;
		if (!a->json && u->lesson_count > 0)
			print("%s\n", u->name);
		for (size_t l = 0; l < u->lesson_count; l++, count++)
			if (a->json)
				put(&w, u, &u->lessons[l]);
			else
				show(&u->lessons[l]);
	}
	json_close_array(&w);
	if (a->json)
		print_json(&out);
	else if (count == 0)
		puts("nothing was learned");
	buffer_free(&out);
	return EXIT_DONE;
}

static int
forget(const struct admin *a, const struct upstream *only)
{
	size_t count = 0;

	if (store_forget_lessons(a->store, only != NULL ? only->id : 0, NULL, &count) != STORE_OK)
		return fail("the database cannot be written");
	print("forgot %zu lesson%s\n", count, plural(count));
	return EXIT_DONE;
}

static const char *
action_at(const void *context, size_t index)
{
	static const char *const actions[] = {"list", "forget"};

	(void)context;
	return index < 2 ? actions[index] : NULL;
}

int
run_learned(struct admin *a, int count, char **arguments)
{
	const struct upstream *only = NULL;
	struct suggestion meant;

	if (count > 1) {
		only = find_upstream(a, arguments[1]);
		if (only == NULL)
			return EXIT_FAILED;
	}
	if (strcmp(arguments[0], "list") == 0)
		return list(a, only);
	if (strcmp(arguments[0], "forget") == 0)
		return forget(a, only);
	return misuse("learned is followed by list or forget%s",
		suggest(&meant, arguments[0], action_at, NULL));
}
