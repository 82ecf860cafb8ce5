/*
 * Any bytes as a text that is logged: it is one line, and in the JSON form valid JSON.
 */
#include "fuzz.h"

#include "memory_file.h"

static void
check_line(const char *message, const char *value, bool json)
{
	const struct log_field fields[] = {{"text", value, 0}, {"number", NULL, -1}};
	char path[MEMORY_FILE_PATH];
	int descriptor = memory_file(path);
	struct buffer line = BUFFER_INIT(0);
	const struct log_options options = {LOG_INFO, json, path};

	fuzz_check(ftruncate(descriptor, 0) == 0 && log_open(&options) == 0);
	log_line(LOG_INFO, message, fields, 2);
	log_close();
	size_t length = (size_t)lseek(descriptor, 0, SEEK_END);
	char *text = buffer_reserve(&line, length);
	fuzz_check(text != NULL && pread(descriptor, text, length, 0) == (ssize_t)length);
	fuzz_check(length > 0 && memchr(text, '\n', length) == text + length - 1);
	fuzz_check(memchr(text, '\r', length) == NULL && memchr(text, '\033', length) == NULL);
	fuzz_check(fuzz_is_utf8(text));
	if (json)
		fuzz_check(fuzz_is_json(text, length));
	buffer_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	char *message = fuzz_text(&in, '\n');
	char *value = fuzz_text(&in, '\0');

	check_line(message, value, false);
	check_line(message, value, true);
	free(message);
	free(value);
	return 0;
}
