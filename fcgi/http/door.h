/*
 * The front door: the connections that web servers open, until their requests can be served without
 * waiting for anybody.
 *
 * One thread at a time looks after all who wait; it leaves with the first that may go on, and the
 * next thread takes its place.  So whoever says nothing, or little, or slowly, holds no thread.
 */
#ifndef DOOR_H
#define DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct door;

enum {
	DOOR_MOST_HEAD = 65536, /* bytes; a longer head is none */
	DOOR_MOST_SILENT = 256, /* connections without a head; one more, and the oldest is closed */
	DOOR_MOST_UNWANTED = 1024, /* parked ones; of others the caller has a bound of its own */
	DOOR_HEAD_PATIENCE = 5000, /* ms from the connection to the whole head */
};

/* Who may go on: what was parked, or else a connection, which the caller owns from now on. */
struct door_guest {
	void *parked; /* NULL: a connection, with the following */
	int descriptor;
	size_t head_length; /* of a request: the first ${length} bytes begin with it */
	size_t length;
	unsigned char bytes[DOOR_MOST_HEAD];
};

/** The door of the ${listener}, which other processes may share, and whose connections are accepted
 * without waiting from now on.  NULL, which was logged: there is no memory or descriptor. */
struct door *door_new(int listener);

/** Only when there are no guests, and every thread has left door_wait for good. */
void door_free(struct door *);

/** Wait for the next who may go on.  False: the door is closed.  For any number of threads. */
bool door_wait(struct door *, struct door_guest *);

/**
 * Let ${parked} wait, until ${descriptor} is readable or its ${deadline} (of clock_monotonic_ms)
 * has come.  One that is not ${wanted} waits only while few do.  Return 0, or -1: it must go on as
 * it is.
 */
int door_park(struct door *, int descriptor, int64_t deadline, bool wanted, void *parked);

/** A guest of door_wait is served, or gone; one that was parked again is not. */
void door_leave(struct door *);

/** How many there are: those who wait, and those who were let in and have not left. */
size_t door_guests(struct door *);

/** Let nobody in any more; those without a head get a second to send it. */
void door_shut(struct door *);

/** Send every thread away. */
void door_close(struct door *);

#endif
