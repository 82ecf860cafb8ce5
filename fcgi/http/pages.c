/*
 * What the program says of itself; see pages.h.
 */
#include "http/pages.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/settings.h"
#include "store/config.h"
#include "store/config_json.h"

/* Can a request be sent: is there a current upstream with a key that is enabled? */
static bool
is_usable(const struct config *config)
{
	if (config == NULL || config->current == NULL)
		return false;
	for (size_t i = 0; i < config->current->key_count; i++)
		if (config->current->keys[i].enabled)
			return true;
	return false;
}

static void
write_config(struct buffer *out, const struct config *config, const struct settings *settings)
{
	buffer_puts(out, "{\"upstreamCount\":");
	buffer_put_uint(out, config != NULL ? config->upstream_count : 0);
	buffer_puts(out, ",\"currentUpstream\":");
	json_write_text(
		out, config != NULL && config->current != NULL ? config->current->name : NULL);
	buffer_puts(out, ",\"loadBalance\":");
	json_write_text(out, config_strategy_name(config, settings->strategy));
	buffer_putc(out, '}');
}

int
status_write_health(struct buffer *out, const struct config *config, bool readable,
	const struct settings *settings, int64_t uptime)
{
	bool healthy = readable && is_usable(config);

	buffer_printf(out, "{\"status\":\"%s\",\"timestamp\":\"", healthy ? "healthy" : "degraded");
	clock_write_timestamp(out);
	buffer_puts(out, "\",\"uptime\":");
	clock_write_duration(out, uptime);
	buffer_puts(out, ",\"config\":");
	write_config(out, config, settings);
	buffer_putc(out, '}');
	return healthy ? 200 : 503;
}

void
status_write_reload(
	struct buffer *out, const struct config *config, const struct settings *settings)
{
	buffer_puts(out, "{\"status\":\"reloaded\",\"settings\":");
	settings_write(settings, out);
	buffer_puts(out, ",\"config\":");
	write_config(out, config, settings);
	buffer_putc(out, '}');
}

void
status_write_dev_info(struct buffer *out, const struct dev_info *info)
{
	const struct settings *settings = info->settings;

	buffer_puts(out, "{\"version\":\"" VERSION "\",\"process\":{\"id\":");
	buffer_put_uint(out, (uint64_t)getpid());
	buffer_printf(out, ",\"mode\":\"%s\",\"uptime\":", info->is_cgi ? "cgi" : "fastcgi");
	clock_write_duration(out, info->uptime);
	buffer_puts(out, ",\"inFlight\":");
	buffer_put_uint(out, (uint64_t)info->in_flight);
	buffer_puts(out, ",\"envFile\":");
	json_write_text(out, settings->env_file);
	buffer_puts(out, "},\"settings\":");
	settings_write(settings, out);
	buffer_puts(out, ",\"config\":");
	if (info->config != NULL) {
		buffer_putc(out, '{');
		config_json_config(out, info->config,
			config_strategy_name(info->config, settings->strategy), info->now,
			url_write_origin);
		buffer_putc(out, '}');
	} else {
		buffer_puts(out, "null");
	}
	buffer_putc(out, '}');
}
