/*
 * Bodies on the log; see log_body.h.
 */
#include "base/log_body.h"

#include "base/buffer.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/settings.h"

void
log_body(const char *what, const char *request_id, const char *text, size_t length, const char *key,
	const struct settings *settings)
{
	size_t most = (size_t)settings->log_body_limit;
	struct buffer once = BUFFER_INIT(0);
	struct buffer twice = BUFFER_INIT(0);

	secret_redact(&once, text, secret_safe_cut(text, length, most), key);
	secret_redact(&twice, buffer_text(&once), once.length, settings->access_key);
	const struct log_field fields[] = {
		{"request_id", request_id, 0},
		{"bytes", NULL, (int64_t)length},
		{"body", buffer_text(&twice), 0},
	};
	log_line(LOG_INFO, what, fields, sizeof(fields) / sizeof(fields[0]));
	buffer_free(&twice);
	buffer_free(&once);
}
