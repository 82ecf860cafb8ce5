/*
 * Arrays that grow by one element at a time.
 */
#ifndef ARRAY_H
#define ARRAY_H

#include <stddef.h>

/**
 * Add an element of ${size} bytes, zeroed, to the array that the pointer at ${array} points to, and
 * count it.  Return it, valid until the next one is added; or NULL if memory ran out: then nothing
 * has changed.
 */
void *array_add(void *array, size_t *count, size_t size);

#endif
