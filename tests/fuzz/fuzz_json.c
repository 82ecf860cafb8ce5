/* Any bytes as JSON: what is taken leaves as valid JSON again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *value = NULL;
	struct json_object *again = NULL;
	const char *problem;

	if (json_parse((const char *)data, size, &value, &problem) == 0) {
		size_t length;
		const char *text = json_text(value, &length);
		if (json_parse(text, length, &again, &problem) != 0)
			abort();
		json_object_put(again);
	}
	json_object_put(value);
	return 0;
}
