/*
 * The command `usage`: requests, tokens, errors and latency, by upstream, key, model or day.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text/duration.h"
#include "base/json/json_writer.h"
#include "command.h"
#include "terminal/output.h"
#include "store/usage.h"

static const char standard_period[] = "24h";

/* The beginning of a day such as "2026-01-31", local time, in ms since 1970, or -1. */
static int64_t
parse_day(const char *text)
{
	struct tm day = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &day);

	if (end == NULL || *end != '\0')
		return -1;
	time_t moment = mktime(&day);
	return moment != (time_t)-1 ? (int64_t)moment * 1000 : -1;
}

/* The moment that --since means, or -1 if it is not a time; neither is a number alone. */
static int64_t
parse_since(const char *text)
{
	int64_t period = strpbrk(text, "smhdw") != NULL ? duration_parse(text) : 0;

	return period > 0 ? clock_now_ms() - period : parse_day(text);
}

/* ---- for people ---- */

struct table {
	enum usage_group group;
	struct usage_total *rows; /* the table owns their names */
	size_t count;
	struct usage_total sum;
	int width; /* of the first column */
	bool failed;
};

/* The other columns have the rest of a line of 80. */
enum { USUAL_WIDTH = 17, REST = 63 };

static void
add(int64_t *sum, int64_t n)
{
	*sum = (int64_t)usage_sum((uint64_t)*sum, (uint64_t)n);
}

static void
add_to_sum(struct usage_total *sum, const struct usage_total *t)
{
	sum->requests += t->requests;
	sum->errors += t->errors;
	add(&sum->input_tokens, t->input_tokens);
	add(&sum->output_tokens, t->output_tokens);
	add(&sum->cache_read_input_tokens, t->cache_read_input_tokens);
	add(&sum->cache_creation_input_tokens, t->cache_creation_input_tokens);
}

static void
print_heading(const struct table *table)
{
	fputs(print_bold(), stdout);
	print("%-*s %8s %6s %6s %6s %6s %12s %12s", table->width, usage_group_name(table->group),
		"requests", "errors", "input", "cached", "output", "first byte s", "whole s");
	puts(print_plain());
}

/* How many decimals make three digits of it. */
static int
decimals_of(double number)
{
	return number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
}

/* "0.12 (0.48)": the average, and what 95 % do not exceed; "-" where all have failed. */
static void
print_latency(const struct usage_total *t, double average, int64_t most)
{
	char text[64] = "-";

	if (t->requests > t->errors)
		snprintf(text, sizeof(text), "%.*f (%.*f)", decimals_of(average / 1000),
			average / 1000, decimals_of((double)most / 1000), (double)most / 1000);
	print(" %12s", text);
}

/* At most six characters: 9999, 12.3k, 4.56M. */
static void
print_count(int width, int64_t count)
{
	static const char units[] = " kMGT";
	double rest = (double)count;
	char text[32];
	size_t unit = 0;

	for (; rest >= (unit == 0 ? 9999.5 : 999.5) && units[unit + 1] != '\0'; unit++)
		rest /= 1000;
	if (unit == 0)
		snprintf(text, sizeof(text), "%lld", (long long)count);
	else
		snprintf(text, sizeof(text), "%.*f%c", decimals_of(rest), rest, units[unit]);
	print(" %*s", width, text);
}

static void
print_counts(const struct table *table, const struct usage_total *t)
{
	print_cut(table->width, t->name);
	print_count(8, t->requests);
	print_count(6, t->errors);
	print_count(6, t->input_tokens);
	print_count(6, t->cache_read_input_tokens + t->cache_creation_input_tokens);
	print_count(6, t->output_tokens);
}

static void
print_row(const struct table *table, const struct usage_total *t)
{
	print_counts(table, t);
	print_latency(t, t->first_byte, t->first_byte_95);
	print_latency(t, t->duration, t->duration_95);
	putchar('\n');
}

static void
print_table(const struct table *table)
{
	print_heading(table);
	for (size_t i = 0; i < table->count; i++)
		print_row(table, &table->rows[i]);
	fputs(print_bold(), stdout);
	print_counts(table, &table->sum);
	puts(print_plain());
	puts("\ns: seconds, of the requests without an error: the average, and in brackets what\n"
	     "95 % of them did not exceed.  --json has exact numbers.");
}

static void
take_row(void *context, const struct usage_total *t)
{
	struct table *table = context;
	struct usage_total *grown = reallocarray(
		table->rows, table->count + 1, sizeof(*table->rows));
	char *name = strdup(t->name);

	table->rows = grown != NULL ? grown : table->rows;
	if (grown == NULL || name == NULL) {
		table->failed = true;
		free(name);
		return;
	}
	grown[table->count] = *t;
	grown[table->count++].name = name;
	add_to_sum(&table->sum, t);
}

/* The first column is as wide as its names, where the line has room for that. */
static void
measure(struct table *table)
{
	int room = output_columns() - REST;

	table->width = USUAL_WIDTH;
	for (size_t i = 0; i < table->count; i++) {
		int width = print_width(table->rows[i].name);
		if (width > table->width)
			table->width = width < room ? width : room;
	}
	if (table->width < USUAL_WIDTH)
		table->width = USUAL_WIDTH;
}

static int
print_report(struct admin *a, int64_t since, enum usage_group group)
{
	struct table table = {.group = group, .sum = {.name = "total"}};
	enum store_result result = store_report_usage(a->store, since, group, take_row, &table);

	measure(&table);
	if (result != STORE_OK || table.failed)
		fail("could not read the usage");
	else if (table.count == 0)
		puts("no requests in that time");
	else
		print_table(&table);
	for (size_t i = 0; i < table.count; i++)
		free((char *)table.rows[i].name);
	free(table.rows);
	return result == STORE_OK && !table.failed ? EXIT_DONE : EXIT_FAILED;
}

/* ---- as JSON ---- */

struct json_report {
	struct buffer rows;
	struct usage_total sum;
};

static void
write_counts(struct buffer *out, const struct usage_total *t)
{
	buffer_printf(out,
		"\"requests\":%lld,\"errors\":%lld,\"inputTokens\":%lld,\"outputTokens\":%lld,"
		"\"cacheReadInputTokens\":%lld,\"cacheCreationInputTokens\":%lld",
		(long long)t->requests, (long long)t->errors, (long long)t->input_tokens,
		(long long)t->output_tokens, (long long)t->cache_read_input_tokens,
		(long long)t->cache_creation_input_tokens);
}

static void
write_row(void *context, const struct usage_total *t)
{
	struct json_report *report = context;
	struct buffer *out = &report->rows;

	buffer_puts(out, out->length > 0 ? ",{\"name\":" : "{\"name\":");
	json_write_text(out, t->name);
	buffer_putc(out, ',');
	write_counts(out, t);
	buffer_printf(out,
		",\"firstByteMs\":{\"average\":%.1f,\"p95\":%lld},\"durationMs\":{\"average\":%.1f,"
		"\"p95\":%lld}}",
		t->first_byte, (long long)t->first_byte_95, t->duration, (long long)t->duration_95);
	add_to_sum(&report->sum, t);
}

static int
print_json_report(struct admin *a, int64_t since, enum usage_group group)
{
	struct json_report report = {.rows = BUFFER_INIT(0)};
	struct buffer out = BUFFER_INIT(0);
	enum store_result result = store_report_usage(a->store, since, group, write_row, &report);

	buffer_printf(&out, "{\"since\":%lld,\"by\":\"%s\",\"rows\":[", (long long)since,
		usage_group_name(group));
	buffer_append(&out, buffer_text(&report.rows), report.rows.length);
	buffer_puts(&out, "],\"total\":{");
	write_counts(&out, &report.sum);
	buffer_puts(&out, "}}");
	if (result == STORE_OK)
		print_json(&out);
	buffer_free(&report.rows);
	buffer_free(&out);
	return result == STORE_OK ? EXIT_DONE : fail("could not read the usage");
}

int
run_usage(struct admin *a, int count, char **arguments)
{
	const char *since_text = a->since != NULL ? a->since : standard_period;
	int64_t since = parse_since(since_text);
	enum usage_group group = USAGE_BY_UPSTREAM;

	(void)count;
	(void)arguments;
	if (since < 0)
		return misuse("--since '%s': it must be a duration such as 90s, 15m, 24h, 7d, "
			      "or a day such as 2026-01-31",
			since_text);
	if (a->by != NULL && usage_group_parse(a->by, &group) != 0)
		return misuse("--by '%s': it must be upstream, key, model or day", a->by);
	return a->json ? print_json_report(a, since, group) : print_report(a, since, group);
}
