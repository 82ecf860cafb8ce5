/*
 * Bodies on the log; see log_body.h.
 */
#include "base/log/log_body.h"

#include "base/buffer.h"
#include "base/log/log.h"
#include "base/secret.h"
#include "base/settings/settings.h"

void
log_body(const char *what, const char *request_id, const char *text, size_t length,
	const char *const *secrets, const struct settings *settings)
{
	size_t most = (size_t)settings->log_body_limit;
	struct buffer body = BUFFER_INIT(0);

	secret_redact(
		&body, text, secret_safe_cut(text, length, most), settings->access_key, secrets);
	const struct log_field fields[] = {
		{"request_id", request_id, 0},
		{"bytes", NULL, (int64_t)length},
		{"body", buffer_text(&body), 0},
	};
	log_line(LOG_INFO, what, fields, sizeof(fields) / sizeof(fields[0]));
	buffer_free(&body);
}
