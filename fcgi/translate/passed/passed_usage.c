/*
 * The usage of an answer that is passed through; see passed_usage.h.
 */
#include "translate/passed/passed_usage.h"

#include <stdio.h>

#include "base/json/json.h"
#include "translate/answer/upstream_json.h"

static void
take_count(const struct json *usage, const char *name, uint64_t *count)
{
	uint64_t told = 0;

	if (upstream_json_take_count(usage, name, &told) && told > 0)
		*count = told;
}

void
passed_usage_take(struct passed_usage *p, const struct json *value)
{
	const struct json *usage = json_member_object(value, "usage");
	const struct json *delta = json_member_object(value, "delta");
	const struct json *reason = json_member_string(
		delta != NULL ? delta : value, "stop_reason");

	take_count(usage, "input_tokens", &p->usage.input_tokens);
	take_count(usage, "output_tokens", &p->usage.output_tokens);
	take_count(usage, "cache_read_input_tokens", &p->usage.cache_read_input_tokens);
	take_count(usage, "cache_creation_input_tokens", &p->usage.cache_creation_input_tokens);
	if (reason != NULL)
		snprintf(p->stop_reason, sizeof(p->stop_reason), "%.*s", JSON_SHOWN(reason));
}
