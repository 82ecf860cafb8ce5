/*
 * Any bytes as JSON: what is taken leaves as JSON that leaves the same again, and a string that is
 * decoded and written reads as the same.  Any bytes as a string: what is written is valid JSON if
 * they are UTF-8.
 */
#include "fuzz.h"

static void
check_string(const struct json *string)
{
	struct json_document document = {0};
	struct buffer decoded = BUFFER_INIT(0);
	struct buffer written = BUFFER_INIT(0);
	struct buffer again = BUFFER_INIT(0);

	json_append(&decoded, string);
	json_write_string(&written, buffer_text(&decoded), decoded.length);
	const struct json *read = fuzz_json(&document, buffer_text(&written), written.length);
	fuzz_check(json_is_string(read));
	json_append(&again, read);
	fuzz_check(fuzz_same(&decoded, &again));
	json_document_free(&document);
	buffer_free(&decoded);
	buffer_free(&written);
	buffer_free(&again);
}

static void
check_value(const char *text, size_t size)
{
	struct json_document document = {0};
	struct buffer once = BUFFER_INIT(0);
	struct buffer twice = BUFFER_INIT(0);
	const struct json *value = fuzz_json(&document, text, size);

	if (value != NULL) {
		size_t count = document.count;
		for (size_t i = 0; i < count; i++)
			if (json_is_string(&document.values[i]))
				check_string(&document.values[i]);
		json_write(&once, value);
		value = fuzz_json(&document, buffer_text(&once), once.length);
		fuzz_check(value != NULL && document.count == count);
		json_write(&twice, value);
		fuzz_check(fuzz_same(&once, &twice));
	}
	json_document_free(&document);
	buffer_free(&once);
	buffer_free(&twice);
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
