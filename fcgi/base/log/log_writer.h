/*
 * Where the lines of the log go: to a descriptor, at once, or through a thread, so that nobody
 * waits for a reader of the log, or for a disk.  For log.c alone.
 */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct buffer;

/* Bytes that may wait for the thread; lines beyond it are lost, and counted. */
enum { LOG_WRITER_MOST_WAITING = 8 << 20 };

/** Write to ${descriptor} from now on; takes it, unless it is standard error. */
void log_writer_use(int descriptor);

/** Write a whole line, with its line break. */
void log_writer_put(const char *line, size_t length);

/**
 * Let a thread write.  When lines were lost and others can be written again, ${tell_lost} makes the
 * line that says how many.  Return 0, or -1 if there can be no thread.
 */
int log_writer_start(void (*tell_lost)(struct buffer *line, uint64_t lost));

/** Give the thread ${patience} ms for what still waits, and end it. */
void log_writer_stop(int patience);

#endif
