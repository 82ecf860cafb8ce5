/*
 * What the program says of itself; see pages.h.
 */
#include "http/pages.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json_writer.h"
#include "base/settings/settings.h"
#include "store/config.h"
#include "store/config_json.h"

/* Can a request be sent: is there a current upstream with a key that is enabled? */
static bool
is_usable(const struct config *config)
{
	return config != NULL && config->current != NULL &&
	       upstream_enabled_key(config->current) != NULL;
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

void
status_write_front_page(struct buffer *out, const char *base_url)
{
	buffer_printf(out,
		"claude-proxy " VERSION " is running.\n"
		"\n"
		"It answers the Claude Messages API from any model service.  Its base URL:\n"
		"\n"
		"  %s\n"
		"\n"
		"Claude Code:\n"
		"\n"
		"  export ANTHROPIC_BASE_URL=%s\n"
		"  export ANTHROPIC_AUTH_TOKEN=<the access key>\n"
		"  claude\n"
		"\n"
		"The access key is the proxy's PROXY_ACCESS_KEY: ask its owner.\n"
		"The owner manages it with claude-proxy-admin (setup, show, test, doctor).\n"
		"\n"
		"  POST %s/v1/messages\n"
		"  GET  %s/v1/models\n"
		"  GET  %s/health\n",
		base_url, base_url, base_url, base_url, base_url);
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
