/*
 * What a Chat service tells of the web: each in a member of its own, beside or inside the message
 * (PROTOCOL.md §C.5).  Each function takes a member that may be absent or of another kind, of which
 * nothing is taken then, and returns 0, or -1 if memory ran out.
 */
#ifndef CHAT_FINDINGS_H
#define CHAT_FINDINGS_H

struct json;
struct reader;

/** `annotations` of a message or a delta: what the text cites (OpenAI, OpenRouter). */
int chat_findings_take_annotations(struct reader *, const struct json *annotations);

/** `executed_tools` of a message or a delta: searches with their pages (Groq). */
int chat_findings_take_executed(struct reader *, const struct json *tools);

/** `web_search` beside the choices: pages (GLM). */
int chat_findings_take_found(struct reader *, const struct json *pages);

/** `citations` beside the choices: addresses of pages (xAI). */
int chat_findings_take_addresses(struct reader *, const struct json *addresses);

#endif
