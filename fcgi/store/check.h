/*
 * The state of the database itself, for `claude-proxy-admin doctor`.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stdbool.h>

struct store;

struct store_report {
	bool writable;
	char journal[16];  /* "wal", "delete" */
	char problem[256]; /* what PRAGMA integrity_check found first; "": nothing */
};

/** Look at everything: may take seconds for a large database. */
void store_check(struct store *, struct store_report *);

#endif
