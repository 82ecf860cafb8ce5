/*
 * The .env file; see env_file.h.
 */
#include "base/settings/env_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/secret.h"

struct variable {
	char *name;
	char *value;
};

struct env_file {
	struct variable *variables;
	size_t count;
};

static char *
skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t')
		at++;
	return at;
}

/* Does the quote that stands before the text end in it? */
static bool
is_closed(const char *text, char quote)
{
	for (; *text != '\0' && *text != quote; text++)
		if (quote == '"' && *text == '\\' && text[1] != '\0')
			text++;
	return *text == quote;
}

/* Undo the quoting of a value in place; ${quote} stands before it, and ends in it. */
static void
unquote(char *value, char quote)
{
	char *out = value;

	for (char *in = value; *in != quote; in++) {
		if (quote == '"' && *in == '\\' && in[1] != '\0') {
			in++;
			*out++ = *in;
			if (*in == 'n' || *in == 't')
				out[-1] = *in == 'n' ? '\n' : '\t';
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* A bare value ends at a comment and at the spaces before it. */
static void
trim_bare(char *value)
{
	for (char *at = value; *at != '\0'; at++)
		if (*at == '#' && (at == value || isblank((unsigned char)at[-1])))
			*at-- = '\0';
	size_t length = strlen(value);
	while (length > 0 && isspace((unsigned char)value[length - 1]))
		value[--length] = '\0';
}

/* Split a line into name and value, in place.  False: it sets nothing. */
static bool
split_line(char *line, char **name, char **value)
{
	/* Some editors begin a file with a byte order mark. */
	*name = skip_blanks(strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line);
	if (strncmp(*name, "export ", 7) == 0)
		*name = skip_blanks(*name + 7);
	char *end = *name;
	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	char *equals = skip_blanks(end);
	if (end == *name || *equals != '=')
		return false;
	*end = '\0';

	*value = skip_blanks(equals + 1);
	char quote = **value;
	if ((quote == '"' || quote == '\'' || quote == '`') && is_closed(*value + 1, quote))
		unquote(++*value, quote);
	else
		trim_bare(*value);
	return true;
}

static int
add_variable(struct env_file *file, const char *name, const char *value)
{
	struct variable *grown = reallocarray(
		file->variables, file->count + 1, sizeof(*file->variables));
	if (grown == NULL)
		return -1;
	file->variables = grown;
	struct variable *v = &grown[file->count];
	v->name = strdup(name);
	v->value = strdup(value);
	file->count++;
	return v->name != NULL && v->value != NULL ? 0 : -1;
}

struct env_file *
env_file_read(const char *path)
{
	FILE *stream = fopen(path, "re");
	struct env_file *file = NULL;
	char *line = NULL;
	size_t size = 0;
	char *name;
	char *value;

	if (stream == NULL)
		return NULL;
	file = calloc(1, sizeof(*file));
	if (file == NULL)
		goto err0;
	while (getline(&line, &size, stream) >= 0)
		if (split_line(line, &name, &value) && add_variable(file, name, value) != 0)
			goto err1;
	if (ferror(stream))
		goto err1;
	if (line != NULL)
		secret_erase(line, size);
	free(line);
	fclose(stream);
	return file;

err1:
	free(line);
	env_file_free(file);
err0:
	fclose(stream);
	return NULL;
}

void
env_file_free(struct env_file *file)
{
	if (file == NULL)
		return;
	for (size_t i = 0; i < file->count; i++) {
		free(file->variables[i].name);
		free(file->variables[i].value);
	}
	free(file->variables);
	free(file);
}

const char *
env_file_get(const struct env_file *file, const char *name)
{
	if (file == NULL)
		return NULL;
	for (size_t i = file->count; i-- > 0;)
		if (strcmp(file->variables[i].name, name) == 0)
			return file->variables[i].value;
	return NULL;
}
