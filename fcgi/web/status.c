/*
 * What the program says of itself; see status.h.
 */
#include "web/status.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/settings.h"
#include "store/config.h"

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
	if (config != NULL && config->current != NULL)
		json_write_text(out, config->current->name);
	else
		buffer_puts(out, "null");
	buffer_puts(out, ",\"loadBalance\":");
	json_write_text(out, config != NULL && config->has_strategy
				     ? strategy_name(config->strategy)
				     : settings->strategy);
	buffer_putc(out, '}');
}

int
status_write_health(struct buffer *out, const struct config *config, bool readable,
	const struct settings *settings, int64_t uptime)
{
	bool healthy = readable && is_usable(config);

	buffer_printf(out, "{\"status\":\"%s\",\"timestamp\":\"", healthy ? "healthy" : "degraded");
	clock_write_timestamp(out);
	buffer_printf(out, "\",\"uptime\":%lld.%03lld,\"config\":", (long long)(uptime / 1000),
		(long long)(uptime % 1000));
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
