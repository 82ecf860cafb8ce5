/*
 * libcurl's multi interface on a libuv loop: curl says which sockets and which timer it waits for,
 * and is called when one of them is due.
 */
#ifndef CURL_LOOP_H
#define CURL_LOOP_H

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;
struct watches;

/* What is called after each round, in which curl did all that was due. */
struct curl_loop_owner {
	void (*ended)(void *context, CURL *easy, CURLcode code); /* for each that has ended */
	void (*round_end)(void *context);
	void *context;
};

/** ${multi} is taken; it is set up but for its sockets and timer.  NULL if memory ran out. */
struct curl_loop *
curl_loop_new(CURLM *multi, uv_loop_t *, struct watches *, const struct curl_loop_owner *);

/** Free it, with the multi handle, from which all transfers have been removed. */
void curl_loop_free(struct curl_loop *);

/** Begin a transfer; the next round is at once. */
CURLMcode curl_loop_add(struct curl_loop *, CURL *);

/** Let a round begin as soon as the loop goes on. */
void curl_loop_wake(struct curl_loop *);

#endif
