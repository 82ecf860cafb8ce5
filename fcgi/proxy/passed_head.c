/*
 * The head of a response that is passed through; see passed_head.h.
 */
#include "proxy/passed_head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text/safe_text.h"
#include "http/response.h"
#include "upstream/transfer.h"

/* nginx takes a head of 4 KiB unless configured otherwise, and ours has lines of its own. */
enum { LONGEST_LINE = 256, MOST_OF_FAMILY = 2048 }; /* bytes */

/* Those that come back in any case, each once, and the family that does while there is room. */
static const char *const passed[] = {"request-id", "retry-after", "x-should-retry", "content-type"};
static const char family[] = "anthropic-";

struct head {
	struct buffer *out;
	const char *extra;
	unsigned seen; /* bits: which of ${passed} */
	size_t room;   /* bytes left for the family */
};

/* Do our own lines say it? */
static bool
is_ours(const struct head *head, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = head->extra; *line != '\0';) {
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return true;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return false;
}

/* Does a header of ${length} bytes come back, as far as its name says?  Then it is counted. */
static bool
has_place(struct head *head, const char *name, size_t length)
{
	for (unsigned i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		if (strcasecmp(name, passed[i]) != 0)
			continue;
		bool first = (head->seen & 1U << i) == 0;
		head->seen |= 1U << i;
		return first;
	}
	if (strncasecmp(name, family, sizeof(family) - 1) != 0 || length > head->room)
		return false;
	head->room -= length;
	return true;
}

static void
pass_header(void *context, const char *name, const char *value)
{
	struct head *head = context;
	size_t length = strlen(name) + strlen(value) + sizeof(": \r\n") - 1;

	if (length > LONGEST_LINE || !safe_text_is_header(name) || !safe_text_is_header(value) ||
		is_ours(head, name) || !has_place(head, name, length))
		return;
	buffer_printf(head->out, "%s: %s\r\n", name, value);
}

int
passed_head_write(struct buffer *out, struct transfer *transfer, const char *extra)
{
	struct head head = {.out = out, .extra = extra, .room = MOST_OF_FAMILY};
	const char *type = transfer_content_type(transfer);
	int status = transfer_status(transfer);

	response_write_status(out, status);
	transfer_each_header(transfer, pass_header, &head);
	if (type != NULL && strncasecmp(type, "text/event-stream", 17) == 0)
		buffer_puts(out, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
	buffer_puts(out, extra);
	buffer_puts(out, "\r\n");
	return status;
}
