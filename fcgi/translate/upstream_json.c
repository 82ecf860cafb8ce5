/*
 * An upstream's JSON; see upstream_json.h.
 */
#include "translate/upstream_json.h"

#include "base/json.h"
#include "base/log.h"
#include "translate/upstream_error.h"

enum { MOST_SKIPPED_LOGGED = 3 };

struct json_object *
upstream_json_event(
	const char *data, size_t length, const struct upstream_identity *identity, int *skipped)
{
	struct json_object *event = NULL;
	const char *problem;

	if (json_parse(data, length, &event, &problem) != 0 && (*skipped)++ < MOST_SKIPPED_LOGGED)
		log_warn("upstream '%s': an event is not valid JSON: %s", identity->name, problem);
	return event;
}

struct json_object *
upstream_json_message(const char *body, size_t length, const struct upstream_identity *identity,
	struct api_error *error)
{
	struct json_object *message = NULL;
	const char *problem;

	if (json_parse(body, length, &message, &problem) != 0 || message == NULL)
		upstream_error_bad_answer(
			"answered with something that is not JSON", body, length, identity, error);
	return message;
}

uint64_t
upstream_json_count(struct json_object *object, const char *name)
{
	int64_t n = json_member_int(object, name, 0);

	return n > 0 ? (uint64_t)n : 0;
}
