/*
 * Any bytes as JSON: what is taken leaves as valid JSON again, which reads as the same.  Any bytes
 * as a string: what is written is valid JSON if they are UTF-8.
 */
#include "fuzz.h"

static void
check_value(const char *text, size_t size)
{
	struct json_object *value;
	struct json_object *again;
	size_t length;

	if (fuzz_json(text, size, &value)) {
		const char *first = json_text(value, &length);
		fuzz_check(fuzz_json(first, length, &again));
		fuzz_check(strcmp(json_text(again, NULL), first) == 0);
		json_object_put(again);
	}
	json_object_put(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct buffer written = BUFFER_INIT(0);

	check_value(text, size);
	json_write_string(&written, text, size);
	if (utf8_is_valid(text, size))
		fuzz_check(fuzz_is_json(buffer_text(&written), written.length));
	buffer_free(&written);
	return 0;
}
