/*
 * API keys that a command prints, such as tokens that live an hour: `key <name> add --command`.
 *
 * What it printed is kept in the database, for every process, until shortly before it expires.
 */
#ifndef KEY_COMMAND_H
#define KEY_COMMAND_H

#include <stdint.h>

struct api_key;
struct buffer;
struct store;

/**
 * See to it that the key has a secret: unless it has one that is valid for a while, run its command
 * and store what it prints.  For a key without a command there is nothing to do.  Blocks for at
 * most KEY_COMMAND_PATIENCE, never on the loop.  Return 0, or 1 if there is a new secret, in the
 * next snapshot of the configuration; or -1: the key is paused, and the reason appended to
 * ${problem}.
 */
int key_command_see_to(struct store *, const struct api_key *, struct buffer *problem);

enum {
	KEY_COMMAND_PATIENCE = 30000, /* ms that a command may take */
	KEY_COMMAND_VALID =
		3000000,           /* ms that a token lives if the command does not tell: 50 min */
	KEY_COMMAND_EARLY = 60000, /* ms before its end in which it is replaced */
	KEY_COMMAND_PAUSE = 60000, /* ms for which a key is paused after its command failed */
	KEY_COMMAND_AGAIN = 5000,  /* ms before the command of a paused key is tried again */
	KEY_COMMAND_MOST = 65536,  /* bytes that it may print */
};

/* What a command printed. */
struct key_token {
	char *text;      /* owned */
	int64_t expires; /* ms since 1970 */
};

/**
 * Read what a command printed at ${now}: the token alone, or JSON with access_token, accessToken or
 * token, and expires_in (s) or expires_on (s since 1970).  Return 0, or -1 and the reason.
 */
int
key_command_read(const char *output, int64_t now, struct key_token *token, struct buffer *problem);

#endif
