/*
 * What the fuzz targets share.  A target checks properties, not only that nothing crashes:
 * fuzz_check aborts, and libFuzzer keeps the input.  All that the targets know of JSON stands here.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "base/text/utf8.h"

/* Called by libFuzzer with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ---- the input, taken piece by piece ---- */

struct fuzz_input {
	const char *at;
	size_t left;
};

static inline struct fuzz_input
fuzz_input(const uint8_t *data, size_t size)
{
	return (struct fuzz_input){(const char *)data, size};
}

/** The next byte, 0 after the end. */
static inline unsigned
fuzz_byte(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return (unsigned char)*in->at++;
}

/** The next bytes up to ${end}, which is skipped, as a text that the caller frees. */
static inline char *
fuzz_text(struct fuzz_input *in, char end)
{
	const char *found = in->left > 0 ? memchr(in->at, end, in->left) : NULL;
	size_t length = found != NULL ? (size_t)(found - in->at) : in->left;
	char *text = malloc(length + 1);

	fuzz_check(text != NULL);
	memcpy(text, length > 0 ? in->at : "", length);
	text[length] = '\0';
	in->at += length + (found != NULL);
	in->left -= length + (found != NULL);
	return text;
}

/* ---- cuts ---- */

/** The length of the next piece of ${left} bytes: mostly a few.  ${seed} decides, and changes. */
static inline size_t
fuzz_cut(uint32_t *seed, size_t left)
{
	*seed = *seed * 1664525 + 1013904223;
	size_t length = (*seed >> 28 == 0 ? *seed >> 16 & 1023 : *seed >> 16 & 7) + 1;
	return length < left ? length : left;
}

/* ---- JSON ---- */

/** The value of a text, lent by ${document}; NULL: it is not valid JSON. */
static inline const struct json *
fuzz_json(struct json_document *document, const char *text, size_t length)
{
	struct json_problem problem;
	const struct json *value = json_read(
		document, text, length, JSON_MAX_REQUEST_VALUES, &problem);

	if (value == NULL)
		fuzz_check(problem.what != NULL && problem.offset <= length);
	return value;
}

static inline bool
fuzz_is_json(const char *text, size_t length)
{
	struct json_document document = {0};
	bool valid = fuzz_json(&document, text, length) != NULL;

	json_document_free(&document);
	return valid;
}

static inline bool
fuzz_same(const struct buffer *a, const struct buffer *b)
{
	return a->length == b->length && memcmp(buffer_text(a), buffer_text(b), a->length) == 0;
}

static inline bool
fuzz_is_utf8(const char *text)
{
	return utf8_is_valid(text, strlen(text));
}

/** What is logged does not matter here. */
static inline void
fuzz_quiet(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};

	log_open(&quiet);
}

#endif
