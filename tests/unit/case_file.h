/* Reads the files of tests/cases (tests/cases/README.md has their form). */
#ifndef CASE_FILE_H
#define CASE_FILE_H

#include "unit.h"

#include <ctype.h>

#include "base/buffer.h"

enum { CASE_MOST_PARTS = 24 /* settings, and sections, of a case */ };

/* `name: value`, or `--- name` and the lines below it; lent by the file's text. */
struct case_part {
	const char *name;
	char *text;
	long offset; /* of a section's lines in the file */
	long length;
	int line;
	bool compared; /* with what was found */
};

/* A case, or what stands before the first: that counts for every one. */
struct test_case {
	struct case_file *file;
	char *name; /* the file's, and what it says of itself */
	int line;
	struct case_part settings[CASE_MOST_PARTS], sections[CASE_MOST_PARTS];
	size_t setting_count, section_count;
};

struct case_file {
	const char *path;
	const char *service; /* its folder's name */
	char *text;          /* with NULs where names and sections end */
	struct test_case common;
	struct test_case *cases;
	size_t count;
};

static inline char *
case_read_all(const char *path, size_t *length)
{
	struct buffer text = BUFFER_INIT(0);
	char piece[65536];
	size_t count;
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		fail_msg("%s cannot be opened", path);
	while ((count = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_append(&text, piece, count);
	fclose(file);
	*length = text.length;
	return buffer_take(&text);
}

static inline bool
case_is_setting(const char *line)
{
	size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz-");

	return name > 0 && line[name] == ':' && (line[name + 1] == ' ' || line[name + 1] == '\0');
}

/* The next of a list that has room for it. */
static inline struct case_part *
case_add(struct case_part *list, size_t *count, const char *name, int line)
{
	assert_true(*count < CASE_MOST_PARTS);
	list[*count] = (struct case_part){.name = name, .line = line};
	return &list[(*count)++];
}

/* A section is over before ${end}: the empty lines at its end are none of it. */
static inline void
case_end_section(struct case_part *section, char *end)
{
	if (section == NULL || section->text == NULL)
		return;
	while (end > section->text && end[-1] == '\n')
		end--;
	section->length = end - section->text;
	*end = '\0';
}

static inline struct test_case *
case_begin(struct case_file *f, const char *title, int line)
{
	const char *base = strrchr(f->path, '/') + 1;
	struct buffer name = BUFFER_INIT(0);

	f->cases = realloc(f->cases, (f->count + 1) * sizeof(*f->cases));
	buffer_printf(&name, "%s/%.*s: %s", f->service, (int)strcspn(base, "."), base, title);
	f->cases[f->count] = (struct test_case){
		.file = f, .name = buffer_take(&name), .line = line};
	return &f->cases[f->count++];
}

/* Where a reader of a file is. */
struct case_reader {
	struct case_file *file;
	struct test_case *test;
	struct case_part *section;
	int line;
};

static inline void
case_take_line(struct case_reader *r, char *line, char *next)
{
	struct test_case *test = r->test;

	if (strncmp(line, "=== ", 4) == 0) {
		case_end_section(r->section, line);
		r->section = NULL;
		r->test = case_begin(r->file, line + 4, r->line);
	} else if (strncmp(line, "--- ", 4) == 0) {
		case_end_section(r->section, line);
		r->section = case_add(test->sections, &test->section_count, line + 4, r->line);
		r->section->text = next;
		r->section->offset = next - r->file->text;
	} else if (r->section == NULL && case_is_setting(line)) {
		char *colon = strchr(line, ':');
		*colon = '\0';
		struct case_part *setting = case_add(
			test->settings, &test->setting_count, line, r->line);
		setting->text = colon + 1 + strspn(colon + 1, " ");
	} else if (r->section == NULL && *line != '\0' && test != &r->file->common) {
		fail_msg("%s:%d: neither a setting nor a section", r->file->path, r->line);
	}
}

/* Only the lines that are no part of a section end in NUL. */
static inline void
case_read_lines(struct case_file *f, size_t length)
{
	struct case_reader r = {.file = f, .test = &f->common};
	char *end = f->text + length;

	for (char *line = f->text; line < end;) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *next = newline != NULL ? newline + 1 : end;
		bool mark = strncmp(line, "=== ", 4) == 0 || strncmp(line, "--- ", 4) == 0;
		r.line++;
		if ((mark || r.section == NULL) && newline != NULL)
			*newline = '\0';
		case_take_line(&r, line, next);
		line = next;
	}
	case_end_section(r.section, end);
}

/* ${path} is lent. */
static inline void
case_file_read(struct case_file *f, const char *path)
{
	size_t length;
	const char *base = strrchr(path, '/');
	const char *folder = base;

	while (folder > path && folder[-1] != '/')
		folder--;
	*f = (struct case_file){.path = path};
	f->service = strndup(folder, (size_t)(base - folder));
	f->text = case_read_all(path, &length);
	f->common.file = f;
	case_read_lines(f, length);
}

static inline void
case_file_free(struct case_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->cases[i].name);
	free(f->cases);
	free(f->text);
	free((char *)f->service);
}

static inline struct case_part *
case_find(struct case_part *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

/* The case's own section, else its file's; NULL: there is none. */
static inline struct case_part *
case_section(struct test_case *t, const char *name)
{
	struct test_case *all = &t->file->common;
	struct case_part *own = case_find(t->sections, t->section_count, name);

	return own != NULL ? own : case_find(all->sections, all->section_count, name);
}

static inline const char *
case_text(struct test_case *t, const char *name)
{
	struct case_part *section = case_section(t, name);

	return section != NULL ? section->text : NULL;
}

static inline const char *
case_setting(struct test_case *t, const char *name, const char *otherwise)
{
	struct test_case *all = &t->file->common;
	struct case_part *found = case_find(t->settings, t->setting_count, name);

	if (found == NULL)
		found = case_find(all->settings, all->setting_count, name);
	return found != NULL ? found->text : otherwise;
}

/* ---- UPDATE=1 ---- */

static inline void
case_move_parts(struct case_part *list, size_t count, long behind, long by)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].offset > behind)
			list[i].offset += by;
}

/* Put ${text} into the file in the place of the section's lines. */
static inline void
case_rewrite(struct case_file *f, struct case_part *section, const char *text)
{
	size_t length;
	char *old = case_read_all(f->path, &length);
	FILE *file = fopen(f->path, "wb");
	long more = (long)strlen(text);
	long end = section->offset + section->length;

	fwrite(old, 1, (size_t)section->offset, file);
	fwrite(text, 1, strlen(text), file);
	if (section->length == 0) /* the line end that the section's name has is all there was */
		more += fputc('\n', file) == '\n';
	fwrite(old + end, 1, length - (size_t)end, file);
	fclose(file);
	free(old);
	more -= section->length;
	section->length = (long)strlen(text);
	section->text = strdup(text); /* never freed: this run is no test */
	case_move_parts(f->common.sections, f->common.section_count, section->offset, more);
	for (size_t i = 0; i < f->count; i++)
		case_move_parts(
			f->cases[i].sections, f->cases[i].section_count, section->offset, more);
}

#endif
