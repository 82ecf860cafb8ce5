/*
 * An upstream's JSON; see upstream_json.h.
 */
#include "translate/upstream_json.h"

#include "base/json.h"
#include "base/log.h"
#include "translate/upstream_error.h"

enum { MOST_SKIPPED_LOGGED = 3 };

/* More tokens than any request has: what is beyond it is no count. */
static const int64_t largest_count = 1000000000000;

const struct json *
upstream_json_event(struct json_document *index, const char *data, size_t length,
	const struct upstream_identity *identity, int *skipped)
{
	struct json_problem problem;
	const struct json *event = json_read(index, data, length, JSON_MAX_ANSWER_VALUES, &problem);

	if (event == NULL && (*skipped)++ < MOST_SKIPPED_LOGGED)
		log_warn("upstream '%s': an event is not valid JSON: %s at byte %zu",
			identity->name, problem.what, problem.offset);
	return event;
}

const struct json *
upstream_json_message(struct json_document *index, const char *body, size_t length,
	const struct upstream_identity *identity, struct api_error *error)
{
	const struct json *message = json_read(index, body, length, JSON_MAX_ANSWER_VALUES, NULL);

	if (message == NULL || json_is(message, JSON_NULL)) {
		upstream_error_bad_answer(
			"answered with something that is not JSON", body, length, identity, error);
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
