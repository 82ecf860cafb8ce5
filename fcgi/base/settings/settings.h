/*
 * The settings of SPEC §3, from the environment or else from the .env file; immutable once loaded,
 * counted by references, shared by threads.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log/log.h"

struct buffer;

/* The folder of the service's database, and of its .env file. */
#define SETTINGS_SYSTEM_FOLDER "/var/lib/claude-proxy"

struct settings {
	char *database; /* path; never NULL */
	bool in_home;   /* by default, and below the home folder: the system's is not ours */
	atomic_int references;
	char *env_file;   /* the .env file that was read; NULL if none */
	char *access_key; /* NULL if not set */
	int64_t port;
	char *node_env;
	bool development;  /* NODE_ENV=development */
	char *strategy;    /* "round-robin", "random" or "failover" */
	int log_level;     /* enum log_level */
	int log_json;      /* LOG_FORMAT=json */
	char *log_file;    /* NULL for standard error */
	bool log_requests; /* bodies */
	bool log_responses;
	int64_t log_body_limit;  /* bytes */
	int64_t request_timeout; /* ms; 0 if not set; gives the next two */
	int64_t connect_timeout; /* ms */
	int64_t silence_timeout; /* ms without a byte, the first one included */
	int64_t max_concurrent_requests;
	int64_t max_request_bytes;
	bool cors;
	char *cors_origin;
	char *certificates; /* CA bundle; NULL for the system's */
	bool rate_limit;
	int64_t rate_limit_window; /* ms */
	int64_t rate_limit_max_requests;
	bool health_check;
	char *health_check_path;
	int64_t ping_interval; /* ms */
};

/**
 * Read the settings: from the environment, else from a file: the one that CLAUDE_PROXY_ENV names;
 * else the first that exists of /etc/claude-proxy/claude-proxy.env (where the database is the
 * system's, /var/lib/claude-proxy/claude-proxy.db), .env beside the database, and .env in the
 * current folder.  Return them (give back with settings_release), or NULL and in ${problem} one
 * line that names the variable, its value (secrets excepted) and what is allowed, or the file that
 * cannot be read.
 */
struct settings *settings_load(struct buffer *problem);

/** The settings file that was read, or else where a new one belongs: .env beside the database.
 * Owned; NULL if memory ran out. */
char *settings_env_path(const struct settings *);

/** Append the settings as a JSON object by name, secrets masked; null: not set.  Return 0 or -1. */
int settings_write(const struct settings *, struct buffer *out);

/** Another reference, and giving one back: the last frees.  NULL is allowed in settings_release. */
struct settings *settings_retain(struct settings *);
void settings_release(struct settings *);

#endif
