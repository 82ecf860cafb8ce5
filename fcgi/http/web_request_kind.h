/*
 * What a kind of gateway (FastCGI, CGI) implements; see web_request.h for what each function does.
 */
#ifndef GATEWAY_KIND_H
#define GATEWAY_KIND_H

#include "http/web_request.h"

struct gateway_kind {
	const char *(*parameter)(const struct gateway *, const char *name);
	char *const *(*parameters)(const struct gateway *);
	/** Read up to ${size} bytes; 0: the end; -1: nothing more will come. */
	ssize_t (*read)(struct gateway *, char *data, size_t size);
	ssize_t (*write)(struct gateway *, const char *data, size_t length, bool last);
	int (*descriptor)(const struct gateway *);
	bool (*is_gone)(struct gateway *);
	bool (*end)(struct gateway *);
	void (*free)(struct gateway *);
	bool tells_by_reading;
};

/* The first member of every kind's own struct. */
struct gateway {
	const struct gateway_kind *kind;
};

#endif
