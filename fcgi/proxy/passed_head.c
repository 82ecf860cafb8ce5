/*
 * The head of a response that is passed through; see passed_head.h.
 */
#include "proxy/passed_head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "upstream/transfer.h"
#include "http/response.h"

struct head {
	struct buffer *out;
	const char *extra;
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

static void
pass_header(void *context, const char *name, const char *value)
{
	static const char *const passed[] = {
		"request-id", "retry-after", "x-should-retry", "content-type"};
	const struct head *head = context;
	bool pass = strncasecmp(name, "anthropic-", 10) == 0;

	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		pass = pass || strcasecmp(name, passed[i]) == 0;
	if (pass && !is_ours(head, name))
		buffer_printf(head->out, "%s: %s\r\n", name, value);
}

int
passed_head_write(struct buffer *out, struct transfer *transfer, const char *extra)
{
	struct head head = {out, extra};
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
