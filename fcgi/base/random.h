/*
 * Randomness from the system.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { RANDOM_ID_LENGTH = 24 };

/**
 * Write ${prefix} and RANDOM_ID_LENGTH random base62 characters into ${id}, NUL-terminated, cut at
 * ${size} bytes: random_id(id, sizeof(id), "msg_").  Never fails.
 */
void random_id(char *id, size_t size, const char *prefix);

/** A number from 0 to ${bound} - 1, each equally likely; 0 when ${bound} is 0. */
uint32_t random_below(uint32_t bound);

#endif
