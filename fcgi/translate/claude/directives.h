/*
 * What newer clients say beside the conversation, as the other services can follow it: tools that
 * are offered late or withdrawn, system turns for one turn only, the effort of a turn, and what is
 * meant for Anthropic's own service alone.
 */
#ifndef CLAUDE_DIRECTIVES_H
#define CLAUDE_DIRECTIVES_H

struct claude_request;

/**
 * Change ${system}, ${messages}, ${tools} and ${effort} of a checked request to what is in force
 * for its answer.  The body stays as it is.  Return 0, or -1 if memory ran out.
 */
int claude_follow_directives(struct claude_request *);

#endif
