/*
 * Whether and how hard to think; see thinking.h.
 */
#include "translate/openai/thinking.h"

#include <stddef.h>

#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/translator.h"

/* ---- what is asked for ---- */

/* Is a tool forced that this model calls only while it does not think? */
static bool
is_off_for_choice(const struct claude_request *r, const struct model_facts *f)
{
	bool forced = r->tool_choice == CLAUDE_CHOICE_ANY || claude_forces_function(r);

	return forced && !r->forces_search && model_facts_is(f, MODEL_CHOOSES_AT_OFF) &&
	       claude_has_functions(r);
}

static enum effort
wanted_effort(const struct claude_request *r)
{
	enum effort told = effort_find(json_content(r->effort), json_content_length(r->effort));

	if (told != EFFORTS || r->thinking != CLAUDE_THINKING_ENABLED || r->thinking_budget == 0)
		return told;
	return effort_of_budget(r->thinking_budget);
}

/* The efforts that the model takes beside the tools of this request. */
static unsigned
accepted_efforts(const struct claude_request *r, const struct model_facts *f,
	enum openai_interface interface)
{
	unsigned accepted = f->model->efforts;

	if (interface == OPENAI_RESPONSES && r->web_search != NULL &&
		model_facts_is(f, MODEL_NO_SEARCH_AT_MINIMAL))
		accepted &= ~(1U << EFFORT_MINIMAL);
	return accepted;
}

/* Where none is known, nothing is sent to hosts that may not know the member. */
static bool
takes_effort(const struct model_facts *f)
{
	return f->host->control != CONTROL_NONE &&
	       (f->host->control != CONTROL_TEMPLATE || model_facts_is(f, MODEL_EFFORT_ANYWHERE));
}

static enum effort
effort_to_send(const struct claude_request *r, const struct model_facts *f,
	const struct openai_thinking *t, enum openai_interface interface)
{
	unsigned accepted = accepted_efforts(r, f, interface);

	if (!takes_effort(f))
		return EFFORTS;
	/* OpenRouter serves Chat from whatever takes both. */
	if (interface == OPENAI_CHAT && model_facts_is(f, MODEL_TOOLS_AT_NONE) &&
		claude_has_functions(r) && f->host->control != CONTROL_REASONING)
		return EFFORT_NONE;
	if (t->off)
		return effort_nearest(accepted, EFFORT_NONE);
	return t->wanted != EFFORTS ? effort_nearest(accepted, t->wanted) : EFFORTS;
}

struct openai_thinking
openai_thinking_of(const struct claude_request *r, const struct translate_target *target,
	enum openai_interface interface)
{
	const struct model_facts *facts = &target->facts;
	struct openai_thinking t = {
		.off = r->thinking == CLAUDE_THINKING_DISABLED || target->reasoning_off ||
		       is_off_for_choice(r, facts) ||
		       (target->builtin_search && model_facts_is(facts, MODEL_CHOOSES_AT_OFF)),
		.wanted = wanted_effort(r),
		.budget = r->thinking == CLAUDE_THINKING_ENABLED ? r->thinking_budget : 0,
	};

	t.asked = !t.off && (r->thinking == CLAUDE_THINKING_ENABLED ||
				    r->thinking == CLAUDE_THINKING_ADAPTIVE || t.wanted != EFFORTS);
	t.effort = effort_to_send(r, facts, &t, interface);
	return t;
}

bool
openai_takes_sampling(const struct model_facts *f, const struct openai_thinking *t)
{
	if (model_facts_is(f, MODEL_NO_SAMPLING))
		return false;
	if (!model_facts_is(f, MODEL_SAMPLES_AT_NONE))
		return true;
	return t->effort == EFFORT_NONE ||
	       (t->effort == EFFORTS && model_facts_is(f, MODEL_OFF_BY_DEFAULT));
}

/* ---- telling it ---- */

static void
put_effort(struct json_writer *w, const struct openai_thinking *t)
{
	if (t->effort != EFFORTS)
		json_put_text_member(w, "reasoning_effort", effort_word(t->effort));
}

/* `thinking: {type}`; no effort is allowed beside "disabled". */
static void
put_type(struct json_writer *w, const struct model_facts *f, const struct openai_thinking *t)
{
	const char *on = model_facts_is(f, MODEL_ADAPTIVE) ? "adaptive" : "enabled";

	if (model_facts_is(f, MODEL_CAN_BE_OFF) && (t->off || t->asked)) {
		json_open_object_member(w, "thinking");
		json_put_text_member(w, "type", t->off ? "disabled" : on);
		json_close_object(w);
		if (t->off)
			return;
	}
	put_effort(w, t);
}

static void
put_enable(struct json_writer *w, const struct model_facts *f, const struct openai_thinking *t)
{
	if (model_facts_is(f, MODEL_CAN_BE_OFF) && (t->off || t->asked))
		json_put_bool_member(w, "enable_thinking", !t->off);
	if (t->off)
		return;
	if (f->model->efforts != 0)
		put_effort(w, t);
	else if (t->budget > 0 && model_facts_is(f, MODEL_THINKS))
		json_put_int_member(w, "thinking_budget", t->budget);
}

/* OpenRouter takes one of a budget, which must be less than the output, an effort and a switch. */
static void
put_reasoning(struct json_writer *w, const struct claude_request *r, const struct model_facts *f,
	const struct openai_thinking *t)
{
	bool always = model_facts_is(f, MODEL_THINKS) && !model_facts_is(f, MODEL_CAN_BE_OFF);

	if (!t->off && !t->asked)
		return;
	json_open_object_member(w, "reasoning");
	if (t->off && (!always || t->effort == EFFORTS))
		json_put_bool_member(w, "enabled", false);
	else if (!t->off && t->budget > 0 && t->budget < r->max_tokens)
		json_put_int_member(w, "max_tokens", t->budget);
	else if (t->effort != EFFORTS || t->wanted != EFFORTS)
		json_put_text_member(
			w, "effort", effort_word(t->effort != EFFORTS ? t->effort : t->wanted));
	else
		json_put_bool_member(w, "enabled", true);
	json_close_object(w);
}

static void
put_switch(struct json_writer *w, const struct model_facts *f, const struct openai_thinking *t)
{
	if (model_facts_is(f, MODEL_CAN_BE_OFF) && (t->off || t->asked)) {
		json_open_object_member(w, "reasoning");
		json_put_bool_member(w, "enabled", !t->off);
		json_close_object(w);
	}
	if (!t->off || !model_facts_is(f, MODEL_CAN_BE_OFF))
		put_effort(w, t);
}

/* Templates call it by either name, and ignore the other. */
static void
put_template(struct json_writer *w, const struct model_facts *f, const struct openai_thinking *t)
{
	if (t->off && model_facts_is(f, MODEL_TEMPLATE_SWITCH)) {
		json_open_object_member(w, "chat_template_kwargs");
		json_put_bool_member(w, "enable_thinking", false);
		json_put_bool_member(w, "thinking", false);
		json_close_object(w);
	}
	put_effort(w, t);
}

void
openai_put_thinking(struct json_writer *w, const struct claude_request *r,
	const struct model_facts *f, const struct openai_thinking *t)
{
	if (model_facts_host_is(f, HOST_PARSED_REASONING) && model_facts_is(f, MODEL_CAN_BE_OFF))
		json_put_text_member(w, "reasoning_format", "parsed");
	switch (f->host->control) {
	case CONTROL_NONE:
		break;
	case CONTROL_EFFORT:
		put_effort(w, t);
		break;
	case CONTROL_TYPE:
		put_type(w, f, t);
		break;
	case CONTROL_ENABLE:
		put_enable(w, f, t);
		break;
	case CONTROL_REASONING:
		put_reasoning(w, r, f, t);
		break;
	case CONTROL_SWITCH:
		put_switch(w, f, t);
		break;
	case CONTROL_TEMPLATE:
		put_template(w, f, t);
		break;
	}
}
