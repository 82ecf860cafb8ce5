/*
 * An upstream's JSON; see upstream_json.h.
 */
#include "translate/answer/upstream_json.h"

#include <string.h>

#include "base/json/json.h"
#include "base/log/log.h"
#include "translate/answer/upstream_error.h"

enum { MOST_SKIPPED_LOGGED = 3 };

/* More tokens than any request has: a larger number is no count. */
static const int64_t largest_count = 1000000000;

/* Step over what stands between two events that were not kept apart. */
static void
step_over(const char **data, size_t *length, size_t count)
{
	static const char blanks[] = " \t\r\n,";
	static const char field[] = "data:";

	*data += count;
	*length -= count;
	if (*length >= strlen(field) && memcmp(*data, field, strlen(field)) == 0)
		step_over(data, length, strlen(field));
	while (*length > 0 && **data != '\0' && strchr(blanks, **data) != NULL) {
		(*data)++;
		(*length)--;
	}
}

const struct json *
upstream_json_next(struct json_document *index, const char **data, size_t *length,
	const struct error_context *error_context, int *skipped)
{
	struct json_problem problem;
	const struct json *event = json_read(
		index, *data, *length, JSON_MAX_ANSWER_VALUES, &problem);
	size_t used = *length;

	/* Where the first ends and more follows, the reader stopped at that. */
	if (event == NULL && problem.offset > 0) {
		used = problem.offset;
		event = json_read(index, *data, used, JSON_MAX_ANSWER_VALUES, NULL);
	}
	if (event != NULL)
		step_over(data, length, used);
	else if ((*skipped)++ < MOST_SKIPPED_LOGGED)
		log_warn("upstream '%s': an event is not valid JSON: %s at byte %zu",
			error_context->name, problem.what, problem.offset);
	return event;
}

const struct json *
upstream_json_message(struct json_document *index, const char *body, size_t length,
	const struct error_context *error_context, struct api_error *error)
{
	size_t mark = length >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	const struct json *message = json_read(
		index, body + mark, length - mark, JSON_MAX_ANSWER_VALUES, NULL);

	if (message == NULL || json_is(message, JSON_NULL)) {
		upstream_error_bad_answer("answered with something that is not JSON", body, length,
			error_context, error);
		return NULL;
	}
	return message;
}

bool
upstream_json_take_count(const struct json *object, const char *name, uint64_t *count)
{
	int64_t n = json_int(json_member(object, name), -1);

	if (n < 0 || n > largest_count)
		return false;
	*count = (uint64_t)n;
	return true;
}

uint64_t
upstream_json_count(const struct json *object, const char *name)
{
	uint64_t count = 0;

	upstream_json_take_count(object, name, &count);
	return count;
}
