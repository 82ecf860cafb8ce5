/*
 * The .env file: NAME=value lines, as the Node world writes them.
 */
#ifndef ENV_FILE_H
#define ENV_FILE_H

struct env_file;

/**
 * Read the file: `NAME=value`, optionally after `export`, the value bare (a ` #` begins a comment),
 * in 'single' quotes as it stands or in "double" quotes with \n, \t, \" and \\.  Other lines are
 * skipped.  Return it, or NULL with errno set.
 */
struct env_file *env_file_read(const char *path);
void env_file_free(struct env_file *);

/** The value of the last line that sets ${name}, lent; NULL if none.  ${file} may be NULL. */
const char *env_file_get(const struct env_file *file, const char *name);

#endif
