/*
 * Any lines as the head of an upstream's response, as libcurl brings them: it is bounded, each
 * header is found by its name, and what of it comes back to a client is a head of whole lines.
 */
#include "fuzz.h"

#include <strings.h>

#include "head_lines.h"
#include "proxy/passed_head.h"
#include "upstream/response_head.h"
#include "upstream/transfer.h"

enum { MOST_BYTES = 256 * 1024, MOST_PASSED = 4096 };

/* ---- a transfer that is nothing but a head ---- */

struct transfer {
	struct response_head head;
};

int
transfer_status(struct transfer *t)
{
	return t != NULL ? 200 : 0;
}

const char *
transfer_content_type(struct transfer *t)
{
	return response_head_find(&t->head, "content-type");
}

void
transfer_each_header(struct transfer *t,
	void (*take)(void *context, const char *name, const char *value), void *context)
{
	response_head_each(&t->head, take, context);
}

/* ---- what must be true ---- */

static void
check_header(void *context, const char *name, const char *value)
{
	const struct response_head *head = context;
	const char *found = response_head_find(head, name);

	/* The first of that name, which is this one or came before it. */
	fuzz_check(found != NULL && found <= value);
	fuzz_check(strchr(name, '\n') == NULL && strchr(value, '\n') == NULL);
}

static void
check_passed(struct transfer *t)
{
	static const char extra[] = "request-id: req_1\r\n";
	struct buffer out = BUFFER_INIT(0);

	fuzz_check(passed_head_write(&out, t, extra) == 200);
	fuzz_check(out.length <= MOST_PASSED);
	const char *end = head_lines_check(buffer_text(&out));
	fuzz_check(strcmp(end, "\r\n") == 0);
	buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	struct transfer transfer = {0};
	const char *wrong = NULL;

	while (in.left > 0 && wrong == NULL) {
		const char *end = memchr(in.at, '\n', in.left);
		size_t length = end != NULL ? (size_t)(end - in.at) + 1 : in.left;
		wrong = response_head_add(&transfer.head, in.at, length);
		in.at += length;
		in.left -= length;
	}
	fuzz_check(transfer.head.fields.length <= MOST_BYTES);
	if (wrong == NULL) {
		response_head_each(&transfer.head, check_header, &transfer.head);
		check_passed(&transfer);
	}
	response_head_free(&transfer.head);
	return 0;
}
