/*
 * The rows of model_facts.c, for model_lookup.c alone.  In each table the first row that matches
 * counts, and the last one matches everything.
 */
#ifndef MODEL_ROWS_H
#define MODEL_ROWS_H

#include "translate/model_facts.h"

extern const struct host_facts model_hosts[];
extern const struct host_facts model_own_host; /* for a service without a host */
extern const struct model_row model_rows[];

#endif
