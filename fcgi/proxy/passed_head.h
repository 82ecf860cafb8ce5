/*
 * The head of a response that is passed through (PROTOCOL.md §B.4).
 */
#ifndef PASSED_HEAD_H
#define PASSED_HEAD_H

struct buffer;
struct transfer;

/**
 * Append the upstream's status and those of its headers that come back unchanged, ${extra} lines of
 * ours (may be empty), and the empty line.  What is too long, has control characters, or comes when
 * there is enough, is left out.  Return the status.
 */
int passed_head_write(struct buffer *, struct transfer *, const char *extra);

#endif
