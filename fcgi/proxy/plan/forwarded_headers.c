/*
 * The client's headers for an upstream; see forwarded_headers.h.
 */
#include "proxy/plan/forwarded_headers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "http/web_request.h"
#include "translate/lesson.h"

static void
forward(struct forwarded_headers *f, const char *name, size_t name_length, const char *value)
{
	if (f->count == FORWARDED_HEADERS_MOST)
		return;
	struct forwarded_header header = {strndup(name, name_length), strdup(value)};
	f->failed = f->failed || header.name == NULL || header.value == NULL;
	/* HTTP_ANTHROPIC_BETA is anthropic-beta. */
	for (char *c = header.name; c != NULL && *c != '\0'; c++)
		*c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
	f->list[f->count++] = header;
}

void
forwarded_headers_read(struct forwarded_headers *f, const struct web_request *web)
{
	static const char wanted[] = "HTTP_ANTHROPIC_";
	bool has_version = false;

	for (char *const *p = web_request_parameters(web); p != NULL && *p != NULL; p++) {
		const char *value = strchr(*p, '=');
		if (value == NULL || strncmp(*p, wanted, sizeof(wanted) - 1) != 0)
			continue;
		const char *name = *p + strlen("HTTP_");
		has_version = has_version || strncmp(name, "ANTHROPIC_VERSION=", 18) == 0;
		forward(f, name, (size_t)(value - name), value + 1);
	}
	if (!has_version)
		forward(f, "anthropic-version", strlen("anthropic-version"), "2023-06-01");
}

void
forwarded_headers_withhold(struct forwarded_headers *f, const struct lessons *lessons)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct forwarded_header *header = &f->list[i];
		struct buffer value = BUFFER_INIT(0);
		bool known = header->name != NULL && header->value != NULL;
		if (known && strcmp(header->name, "anthropic-beta") == 0) {
			lesson_write_header(lessons, header->name, header->value, &value);
			free(header->value);
			header->value = buffer_take(&value);
			f->failed = f->failed || value.failed;
		}
		if (known && (lesson_withholds(lessons, header->name) || header->value == NULL ||
				     *header->value == '\0')) {
			free(header->name);
			free(header->value);
			continue;
		}
		f->list[kept++] = *header;
	}
	f->count = kept;
}

void
forwarded_headers_free(struct forwarded_headers *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->list[i].name);
		free(f->list[i].value);
	}
}
