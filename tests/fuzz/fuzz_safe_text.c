/*
 * Any bytes as text for a terminal: what is written shows as it is, is UTF-8, and is cut within the
 * bound and between characters.
 */
#include "fuzz.h"

#include "base/text/safe_text.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct buffer safe = BUFFER_INIT(0);
	size_t cut = safe_text_cut(text, size, size / 2);

	fuzz_check(cut <= size / 2);
	safe_text_write(&safe, text, size);
	fuzz_check(safe_text_is_plain(buffer_text(&safe)));
	fuzz_check(utf8_is_valid(buffer_text(&safe), safe.length));
	buffer_free(&safe);
	return 0;
}
