/*
 * What a command works with: settings, database and configuration; see command.h.
 */
#include "base/buffer.h"
#include "base/settings/settings.h"
#include "command.h"
#include "terminal/output.h"
#include "owner.h"
#include "store/config.h"
#include "store/store.h"

int
admin_open(struct admin *a)
{
	struct buffer problem = BUFFER_INIT(0);

	a->settings = settings_load(&problem);
	if (a->settings == NULL) {
		fail("%s", buffer_text(&problem));
		buffer_free(&problem);
		return -1;
	}
	if (owner_become(a->settings) == 0)
		a->store = store_open(a->settings->database);
	if (a->store != NULL)
		a->config = store_config(a->store);
	return a->config != NULL ? 0 : -1;
}

void
admin_close(struct admin *a)
{
	config_release(a->config);
	store_close(a->store);
	settings_release(a->settings);
}
