/*
 * What the commands of claude-proxy-admin share: the table's row, and what each is given.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct known_service;
struct settings;
struct store;
struct upstream;

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What a command works with.  Lives as long as the program. */
struct admin {
	struct settings *settings;
	struct store *store;
	struct config *config; /* as it was when the command began */
	bool json;             /* --json */
	bool yes;              /* --yes */
	const char *upstream;  /* --upstream NAME, or NULL */
	const char *to;        /* --to SERVICETYPE, or NULL */
	bool response;         /* --response */
	const char *since;     /* --since TIME, or NULL */
	const char *by;        /* --by upstream|key|model|day, or NULL */
	bool secrets;          /* --secrets */
	const char *model;     /* --model NAME, or NULL */
	bool all;              /* --all */
	bool first;            /* --first */
	const char *before;    /* --before ROUTE, or NULL */
	const char *command;   /* --command SHELL-COMMAND, or NULL */
};

struct command {
	const char *name;
	const char *arguments; /* as help shows them */
	const char *summary;
	int least, most; /* arguments; most -1: any number */
	/** Run with the arguments after the name.  Return the exit status. */
	int (*run)(struct admin *, int count, char **arguments);
	const char *details; /* more lines for its own help, or NULL */
	bool alone;          /* opens settings and database itself, if it needs them */
};

/**
 * Open what commands work with: settings, database and configuration.  Return 0, or -1 (reported).
 * Either way close with admin_close.  Only commands that work `alone` call it themselves.
 */
int admin_open(struct admin *);
void admin_close(struct admin *);

/** Report on standard error what went wrong, `claude-proxy-admin: …`.  Return EXIT_FAILED or
 * EXIT_USAGE. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Read the configuration again after a change.  Return 0, or -1 (reported). */
int refresh(struct admin *);

/** Report that there is no such service type, and which there are.  Return EXIT_USAGE. */
int unknown_service(const char *name);

/** The upstream of that name or index, or NULL if there is none (reported). */
const struct upstream *find_upstream(const struct admin *, const char *name_or_index);

/** Run the commands of the upstream's enabled keys whose secrets are due, report those that fail,
 * and read the configuration again.  Return the upstream in it, or NULL (reported). */
const struct upstream *keys_fetch(struct admin *, const struct upstream *);

/** Add an upstream and see to its key, for `add` and `setup`.  Return the exit status. */
int add_known(struct admin *, const struct known_service *);
int add_unknown(struct admin *, const char *name, char *url, const char *service_type);

/** Ask on the terminal for an API key of the upstream, and store it; none is fine.  Return the exit
 * status. */
int keys_ask(struct admin *, const struct upstream *);

/* The commands; see the table in main.c. */
int run_add(struct admin *, int, char **);
int run_remove(struct admin *, int, char **);
int run_use(struct admin *, int, char **);
int run_balance(struct admin *, int, char **);
int run_set(struct admin *, int, char **);
int run_clear(struct admin *, int, char **);
int run_key(struct admin *, int, char **);
int run_route(struct admin *, int, char **);
int run_show(struct admin *, int, char **);
int run_translate(struct admin *, int, char **);
int run_usage(struct admin *, int, char **);
int run_import(struct admin *, int, char **);
int run_export(struct admin *, int, char **);
int run_test(struct admin *, int, char **);
int run_doctor(struct admin *, int, char **);
int run_setup(struct admin *, int, char **);
int run_learned(struct admin *, int, char **);
int run_search(struct admin *, int, char **);
int run_models(struct admin *, int, char **);

#endif
