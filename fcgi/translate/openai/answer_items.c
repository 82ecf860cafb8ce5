/*
 * Items of an answer of Responses; see answer_items.h.
 */
#include "translate/openai/answer_items.h"

#include <stdlib.h>

#include "base/json/json.h"

enum { FIRST_CAPACITY = 16, MOST_ITEMS = 4096 };

void
answer_items_free(struct answer_items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		restated_free(&items->list[i]->text);
		free(items->list[i]->name);
		free(items->list[i]);
	}
	free(items->list);
	text_map_free(&items->by_index);
	text_map_free(&items->by_id);
	*items = (struct answer_items){0};
}

enum item_kind
answer_item_kind(const struct json *object)
{
	const struct json *type = json_member(object, "type");

	if (json_is_text(type, "message"))
		return ITEM_MESSAGE;
	if (json_is_text(type, "reasoning"))
		return ITEM_REASONING;
	if (json_is_text(type, "function_call"))
		return ITEM_CALL;
	return json_is_text(type, "web_search_call") ? ITEM_SEARCH : ITEM_OTHER;
}

/* ---- what an item is known by ---- */

static struct answer_item *
at(const struct answer_items *items, const struct text_map *map, const void *key, size_t length)
{
	uint64_t position;

	return text_map_get(map, key, length, &position) ? items->list[position] : NULL;
}

static struct answer_item *
by_index(const struct answer_items *items, int64_t index)
{
	return index >= 0 ? at(items, &items->by_index, &index, sizeof(index)) : NULL;
}

static struct answer_item *
by_id(const struct answer_items *items, const struct json *id)
{
	size_t length = json_content_length(id);

	return length > 0 ? at(items, &items->by_id, json_content(id), length) : NULL;
}

/* By the item's own id, or a call's. */
static struct answer_item *
by_any_id(const struct answer_items *items, const struct json *object)
{
	struct answer_item *item = by_id(items, json_member(object, "id"));

	return item != NULL ? item : by_id(items, json_member(object, "call_id"));
}

static int
remember_index(struct answer_items *items, const struct answer_item *item, int64_t index)
{
	if (index < 0)
		return 0;
	items->last = NULL;
	return text_map_set(&items->by_index, &index, sizeof(index), item->number);
}

static int
remember_id(struct answer_items *items, const struct answer_item *item, const struct json *id)
{
	if (json_content_length(id) == 0)
		return 0;
	return text_map_set(&items->by_id, json_content(id), json_content_length(id), item->number);
}

static int
grow(struct answer_items *items)
{
	size_t capacity = items->capacity > 0 ? 2 * items->capacity : FIRST_CAPACITY;
	struct answer_item **grown = reallocarray(
		(void *)items->list, capacity, sizeof(struct answer_item *));

	if (grown == NULL)
		return -1;
	items->list = grown;
	items->capacity = capacity;
	return 0;
}

static struct answer_item *
add(struct answer_items *items, enum item_kind kind)
{
	if (items->count == MOST_ITEMS || (items->count == items->capacity && grow(items) != 0))
		return NULL;
	struct answer_item *item = calloc(1, sizeof(*item));
	if (item == NULL)
		return NULL;
	item->kind = kind;
	item->number = items->count;
	item->part = -1;
	items->list[items->count++] = item;
	return item;
}

/* ---- by order ---- */

/* The last of that kind of which more may come. */
static struct answer_item *
last_open(const struct answer_items *items, enum item_kind kind)
{
	for (size_t i = items->count; i-- > 0;)
		if (items->list[i]->kind == kind && !items->list[i]->whole)
			return items->list[i];
	return NULL;
}

/* May the object be that item, for all that is known of a call? */
static bool
is_like(const struct answer_item *item, enum item_kind kind, const struct json *name)
{
	return item->kind == kind &&
	       (kind != ITEM_CALL || item->name == NULL || json_is_text(name, item->name));
}

/* The first like the object that was not told whole, or not in the list at the end. */
static struct answer_item *
first_like(const struct answer_items *items, const struct json *object, bool in_list)
{
	enum item_kind kind = answer_item_kind(object);
	const struct json *name = json_member(object, "name");

	for (size_t i = 0; i < items->count; i++) {
		struct answer_item *item = items->list[i];
		bool told = in_list ? item->repeated : item->whole;
		if (!told && is_like(item, kind, name))
			return item;
	}
	return NULL;
}

/* ---- which item it is ---- */

struct answer_item *
answer_items_of_piece(struct answer_items *items, const struct json *index, const struct json *id,
	enum item_kind kind)
{
	int64_t number = json_int(index, -1);

	if (items->last != NULL && items->last_index == number && items->last->kind == kind)
		return items->last;
	struct answer_item *item = by_index(items, number);
	bool unknown = number < 0 || item != NULL;
	if (item != NULL && item->kind == kind) {
		items->last = item;
		items->last_index = number;
		return item;
	}
	item = by_id(items, id);
	if (item != NULL && item->kind == kind)
		return item;
	/* No call begins with its arguments. */
	bool by_order = unknown && (json_content_length(id) == 0 || kind == ITEM_CALL);
	item = by_order ? last_open(items, kind) : NULL;
	if (item == NULL)
		item = add(items, kind);
	if (item == NULL || remember_index(items, item, number) != 0 ||
		remember_id(items, item, id) != 0)
		return NULL;
	return item;
}

/* Is the item that has the object's number the object's?  Some give all of them the same. */
static bool
is_same(const struct answer_items *items, const struct answer_item *item, const struct json *object,
	bool whole)
{
	const struct answer_item *known = by_any_id(items, object);

	if (item->kind != answer_item_kind(object))
		return false;
	if (known == item)
		return true;
	/* What has begun does not begin again under another id, and what is complete is over. */
	return !item->whole && (whole || !item->begun);
}

static struct answer_item *
find_object(struct answer_items *items, int64_t index, const struct json *object, bool whole)
{
	struct answer_item *item = by_index(items, index);
	bool unknown = index < 0 || item != NULL;

	if (item != NULL && is_same(items, item, object, whole))
		return item;
	item = by_any_id(items, object);
	if (item != NULL && item->kind == answer_item_kind(object))
		return item;
	return unknown && whole ? first_like(items, object, false) : NULL;
}

static struct answer_item *
remember(struct answer_items *items, struct answer_item *item, const struct json *object)
{
	if (item == NULL || remember_id(items, item, json_member_string(object, "id")) != 0 ||
		remember_id(items, item, json_member_string(object, "call_id")) != 0)
		return NULL;
	if (item->kind == ITEM_CALL && item->name == NULL)
		item->name = json_copy(json_member(object, "name"));
	return item;
}

struct answer_item *
answer_items_of_object(
	struct answer_items *items, const struct json *index, const struct json *object, bool whole)
{
	int64_t number = json_int(index, -1);
	struct answer_item *item = find_object(items, number, object, whole);

	if (item == NULL)
		item = add(items, answer_item_kind(object));
	if (item == NULL || remember_index(items, item, number) != 0)
		return NULL;
	item->begun = true;
	return remember(items, item, object);
}

struct answer_item *
answer_items_of_list(struct answer_items *items, const struct json *object)
{
	struct answer_item *item = by_any_id(items, object);

	if (item == NULL || item->repeated || item->kind != answer_item_kind(object))
		item = first_like(items, object, true);
	if (item == NULL)
		item = add(items, answer_item_kind(object));
	if (item != NULL)
		item->repeated = true;
	return remember(items, item, object);
}
