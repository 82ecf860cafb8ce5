/*
 * Arrays that grow by one element at a time; see array.h.
 */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

void *
array_add(void *array, size_t *count, size_t size)
{
	void *list;

	memcpy(&list, array, sizeof(list));
	char *grown = reallocarray(list, *count + 1, size);
	if (grown == NULL)
		return NULL;
	memcpy(array, &grown, sizeof(grown));
	return memset(grown + size * (*count)++, 0, size);
}
