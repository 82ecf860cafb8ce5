/*
 * What may be put into the configuration; see check.h.
 */
#include "check.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text/safe_text.h"
#include "base/text/url.h"
#include "store/config.h"
#include "translate/claude/request.h"
#include "upstream/search_provider.h"
#include "upstream/service.h"

enum { LONGEST_NAME = 64, LONGEST_KEY = 4096 };

const char *
check_upstream_name(const char *name)
{
	size_t length = strlen(name);
	bool digits = true;

	if (length == 0 || length > LONGEST_NAME)
		return "a name has 1 to 64 characters";
	if (name[0] == '-')
		return "a name does not begin with '-'";
	if (name[0] == ' ' || name[length - 1] == ' ')
		return "a name does not begin or end with a space";
	if (!safe_text_is_plain(name))
		return "a name has no control characters";
	for (const char *c = name; *c != '\0'; c++)
		digits = digits && isdigit((unsigned char)*c);
	return digits ? "a name of digits alone would look like an index" : NULL;
}

const char *
check_model_name(const char *name)
{
	if (name[0] == '\0')
		return "must not be empty";
	if (strlen(name) > CLAUDE_LONGEST_MODEL)
		return "must not be longer than 256 bytes";
	return safe_text_is_plain(name) ? NULL : "must not contain control characters";
}

const char *
check_base_url(const char *url, struct buffer *shown)
{
	/* The parts of something that is not a URL cannot be told apart for certain. */
	if (strchr(url, '@') == NULL && strlen(url) <= SERVICE_LONGEST_URL) {
		buffer_putc(shown, '\'');
		url_write_masked(shown, url);
		buffer_puts(shown, "' ");
	}
	return service_check_base_url(url);
}

const char *
check_search(const char *provider, const char *url, const char *key, struct buffer *shown)
{
	const struct search_provider *p = search_provider_find(provider);
	const char *problem = NULL;

	if (p == NULL)
		return "provider must be searxng, brave or tavily";
	if (url[0] == '\0' && p->url == NULL)
		return "needs a URL";
	if (p->needs_key ? (problem = check_api_key(key)) != NULL : key[0] != '\0') {
		buffer_puts(shown, "key: ");
		return p->needs_key ? problem : "it needs none";
	}
	if (url[0] == '\0')
		return NULL;
	buffer_puts(shown, "url ");
	return check_base_url(url, shown);
}

const char *
check_command(const char *command)
{
	if (command[0] == '\0')
		return "it is empty";
	if (strlen(command) > LONGEST_KEY)
		return "it is longer than 4096 bytes";
	return strpbrk(command, "\r\n") != NULL ? "it has more than one line" : NULL;
}

const char *
check_api_key(const char *key)
{
	if (key[0] == KEY_COMMAND_MARK)
		return "it begins with '!'; a command is given by --command";
	if (key[0] == '\0')
		return "it is empty";
	if (strlen(key) > LONGEST_KEY)
		return "it is longer than 4096 bytes";
	if (strstr(key, "…") != NULL)
		return "it is masked; export --secrets prints whole keys";
	for (const char *c = key; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
			return "it contains spaces or characters that are not ASCII";
	return NULL;
}
