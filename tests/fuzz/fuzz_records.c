/*
 * Any bytes as the records that a web server sends: the head is within them, and the body behind
 * it does not depend on where they were cut.
 */
#include "fuzz.h"

#include "http/fcgi_records.h"

enum { MOST_AT_ONCE = 256 };

/* The body that the records carry; a ${seed} of 0: they come in pieces that are full. */
static struct buffer
read_body(const char *text, size_t size, uint32_t seed)
{
	struct fcgi_records records = {.request_id = 1};
	struct buffer body = BUFFER_INIT(0);
	unsigned char bytes[MOST_AT_ONCE];

	for (size_t at = 0, piece; at < size; at += piece) {
		size_t most = size - at < MOST_AT_ONCE ? size - at : MOST_AT_ONCE;
		piece = seed == 0 ? most : fuzz_cut(&seed, most);
		memcpy(bytes, text + at, piece);
		size_t length = fcgi_records_body(&records, bytes, piece);
		fuzz_check(length <= piece);
		buffer_append(&body, bytes, length);
	}
	return body;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	uint32_t seed = fuzz_byte(&in) + 1;
	ssize_t head = fcgi_head_length((const unsigned char *)in.at, in.left);

	fuzz_check(head <= (ssize_t)in.left);
	if (head > 0) {
		in.at += head;
		in.left -= (size_t)head;
	}
	struct buffer whole = read_body(in.at, in.left, 0);
	struct buffer cut = read_body(in.at, in.left, seed);
	fuzz_check(fuzz_same(&whole, &cut));
	buffer_free(&whole);
	buffer_free(&cut);
	return 0;
}
