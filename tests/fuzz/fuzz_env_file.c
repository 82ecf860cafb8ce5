/*
 * Any bytes as a .env file: each line stands for itself, so one that is added at the end counts
 * whatever stands before it.
 */
#include "fuzz.h"

#include "base/settings/env_file.h"
#include "memory_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char last[] = "\nADDED='as it is' # not this\n";
	struct buffer text = BUFFER_INIT(0);
	char path[MEMORY_FILE_PATH];

	buffer_append(&text, data, size);
	buffer_puts(&text, last);
	memory_file_write(buffer_text(&text), text.length, path);
	struct env_file *file = env_file_read(path);
	fuzz_check(file != NULL);
	const char *added = env_file_get(file, "ADDED");
	fuzz_check(added != NULL && strcmp(added, "as it is") == 0);
	fuzz_check(env_file_get(file, "") == NULL);
	env_file_get(file, "PROXY_ACCESS_KEY");
	env_file_free(file);
	buffer_free(&text);
	return 0;
}
