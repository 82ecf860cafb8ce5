/*
 * The records that a web server sends (FastCGI 1.0 §3.3): where the head of a request ends, and
 * what of the bytes behind it is its body.
 *
 * libfcgi reads only by waiting, and loses the header of a record that is cut between two reads. So
 * it gets the head when that is whole, and the rest is read here, as it comes.
 */
#ifndef FCGI_RECORDS_H
#define FCGI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * How many of ${length} bytes are the head of a request: up to the empty record that ends its
 * parameters.  0: it is not whole; -1: that is no head.
 */
ssize_t fcgi_head_length(const unsigned char *bytes, size_t length);

/* The records behind a head, in pieces of any size. */
struct fcgi_records {
	int request_id;
	bool ended;  /* the body is whole */
	bool broken; /* the web server gave up, or sends what are no records */
	bool is_body;
	unsigned char header[8];
	size_t header_length; /* bytes of it that have come */
	size_t content;       /* bytes left of the record */
	size_t padding;
};

/** Move what of the ${length} bytes is the body's to their beginning; how many bytes that is. */
size_t fcgi_records_body(struct fcgi_records *, unsigned char *bytes, size_t length);

#endif
