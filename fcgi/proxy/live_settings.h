/*
 * The settings in force in this process: replaced as a whole when they are read again (SIGHUP,
 * POST /admin/config/reload in any process).  Thread-safe.
 */
#ifndef LIVE_SETTINGS_H
#define LIVE_SETTINGS_H

#include <stdint.h>

struct buffer;
struct live_settings;
struct settings;

/** Begin with ${settings}, read when config.reloads was ${reloads}.  NULL if memory ran out. */
struct live_settings *live_settings_new(struct settings *, int64_t reloads);
void live_settings_free(struct live_settings *);

/** A reference for one request, to be given back with settings_release.  Where ${reloads} has
 * changed, the owner has asked for a reload, which this process does first. */
struct settings *live_settings_get(struct live_settings *, int64_t reloads);

/**
 * Read the settings again and reopen the log.  Return a reference to them, or NULL and one line in
 * ${problem}: then they stay as they were.  Both are logged.
 */
struct settings *live_settings_reload(struct live_settings *, struct buffer *problem);

#endif
