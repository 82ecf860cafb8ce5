/*
 * Secrets in what people may see; see secret.h.
 */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/buffer.h"

enum { LONGEST_SECRET = 1024 };

void
secret_mask(const char *secret, char mask[SECRET_MASK_SIZE])
{
	size_t length = strlen(secret);
	int shown = length >= 16 ? 4 : length >= 8 ? 2 : 0;

	/* Keys are ASCII; anything else is not cut in the middle of a character but hidden. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)secret[i] >= 0x80 || (unsigned char)secret[i] < 0x20)
			shown = 0;
	snprintf(mask, SECRET_MASK_SIZE, "%.*s…%s", shown, secret, secret + length - shown);
}

int
secret_write_mask(struct buffer *b, const char *text, size_t length)
{
	char copy[512];
	char mask[SECRET_MASK_SIZE];

	/* Of a very long one only the ends show: they are all that the mask takes. */
	if (length >= sizeof(copy)) {
		memcpy(copy, text, 256);
		memcpy(copy + 256, text + length - 255, 255);
		length = 511;
	} else {
		memcpy(copy, text, length);
	}
	copy[length] = '\0';
	secret_mask(copy, mask);
	secret_erase(copy, sizeof(copy));
	return buffer_puts(b, mask);
}

static bool
is_key_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '*';
}

static size_t
key_length(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && is_key_character(text[n]))
		n++;
	while (n > 0 && (text[n - 1] == '.' || text[n - 1] == '-'))
		n--;
	return n;
}

/* The length of what looks like an API key at the start of the text, else 0. */
static size_t
looks_like_key(const char *text, size_t length)
{
	static const char *const prefixes[] = {"sk-", "AIza", "gsk_", "xai-"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t prefix = strlen(prefixes[i]);
		if (length <= prefix || memcmp(text, prefixes[i], prefix) != 0)
			continue;
		size_t n = key_length(text, length);
		if (n >= 16)
			return n;
	}
	return 0;
}

/* The length of the secret if the text begins with it, else 0. */
static size_t
begins_with_secret(const char *text, size_t length, const char *secret)
{
	size_t n = secret != NULL ? strlen(secret) : 0;

	return n > 0 && length >= n && memcmp(text, secret, n) == 0 ? n : 0;
}

static size_t
begins_with_any(const char *text, size_t length, const char *secret, const char *const *others)
{
	size_t found = begins_with_secret(text, length, secret);

	for (; found == 0 && others != NULL && *others != NULL; others++)
		if (strlen(*others) >= SECRET_LEAST)
			found = begins_with_secret(text, length, *others);
	return found;
}

int
secret_redact(struct buffer *b, const char *text, size_t length, const char *secret,
	const char *const *others)
{
	bool in_word = false;
	size_t plain = 0;
	size_t i = 0;

	while (i < length) {
		size_t found = begins_with_any(text + i, length - i, secret, others);
		if (found == 0 && !in_word)
			found = looks_like_key(text + i, length - i);
		if (found == 0) {
			in_word = is_key_character(text[i++]);
			continue;
		}
		buffer_append(b, text + plain, i - plain);
		secret_write_mask(b, text + i, found);
		i += found;
		plain = i;
		in_word = true;
	}
	return buffer_append(b, text + plain, length - plain);
}

size_t
secret_safe_cut(const char *text, size_t length, size_t most)
{
	size_t cut = most;

	if (length <= most)
		return length;
	while (cut > 0 && most - cut < LONGEST_SECRET && is_key_character(text[cut - 1]))
		cut--;
	return cut;
}

bool
secret_equal(const char *given, const char *expected)
{
	size_t given_length = strlen(given);
	size_t expected_length = strlen(expected);
	volatile unsigned char difference = given_length != expected_length;

	for (size_t i = 0; i < given_length; i++) {
		unsigned char e = (unsigned char)(expected_length > 0
							  ? expected[i % expected_length]
							  : 1);
		difference = (unsigned char)(difference | ((unsigned char)given[i] ^ e));
	}
	return difference == 0;
}

void
secret_forbid_dumps(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
	/* The limit does not count where the kernel hands core dumps to a program. */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

void
secret_erase(void *data, size_t length)
{
	/*
	 * explicit_bzero, memset_s, explicit_memset: each system has another.  What a volatile
	 * pointer points to the compiler cannot know, so the call stays.
	 */
	static void *(*const volatile overwrite)(void *, int, size_t) = memset;

	overwrite(data, 0, length);
}
