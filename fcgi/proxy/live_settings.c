/*
 * The settings in force in this process; see live_settings.h.
 */
#include "proxy/live_settings.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/log/log.h"
#include "base/settings/settings.h"

struct live_settings {
	pthread_mutex_t lock;
	struct settings *settings;
	int64_t reloads;
};

struct live_settings *
live_settings_new(struct settings *settings, int64_t reloads)
{
	struct live_settings *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return NULL;
	pthread_mutex_init(&live->lock, NULL);
	live->settings = settings_retain(settings);
	live->reloads = reloads;
	return live;
}

void
live_settings_free(struct live_settings *live)
{
	if (live == NULL)
		return;
	settings_release(live->settings);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

/* The lock is held. */
static int
reload(struct live_settings *live, struct buffer *problem)
{
	struct settings *fresh = settings_load(problem);

	if (fresh == NULL) {
		log_error("the settings stay as they were: %s", buffer_text(problem));
		return -1;
	}
	const struct log_options options = {fresh->log_level, fresh->log_json, fresh->log_file};
	log_open(&options);
	settings_release(live->settings);
	live->settings = fresh;
	log_info("settings read again");
	return 0;
}

struct settings *
live_settings_get(struct live_settings *live, int64_t reloads)
{
	struct buffer problem = BUFFER_INIT(0);

	pthread_mutex_lock(&live->lock);
	if (reloads != live->reloads) {
		live->reloads = reloads;
		reload(live, &problem);
	}
	struct settings *settings = settings_retain(live->settings);
	pthread_mutex_unlock(&live->lock);
	buffer_free(&problem);
	return settings;
}

struct settings *
live_settings_reload(struct live_settings *live, struct buffer *problem)
{
	struct settings *fresh = NULL;

	pthread_mutex_lock(&live->lock);
	if (reload(live, problem) == 0)
		fresh = settings_retain(live->settings);
	pthread_mutex_unlock(&live->lock);
	return fresh;
}
