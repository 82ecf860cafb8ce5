/* Any bytes as JSON: what is taken leaves as JSON that leaves the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_document document = {0};
	struct buffer once = BUFFER_INIT(0);
	struct buffer twice = BUFFER_INIT(0);
	struct json_problem problem;
	const struct json *value = json_read(
		&document, (const char *)data, size, JSON_MAX_REQUEST_VALUES, &problem);

	if (value == NULL && problem.offset > size)
		abort();
	if (value != NULL) {
		size_t count = document.count;
		json_write(&once, value);
		value = json_read(&document, once.data, once.length, count, NULL);
		if (value == NULL || document.count != count)
			abort();
		json_write(&twice, value);
		if (once.length != twice.length || memcmp(once.data, twice.data, once.length) != 0)
			abort();
	}
	json_document_free(&document);
	buffer_free(&once);
	buffer_free(&twice);
	return 0;
}
