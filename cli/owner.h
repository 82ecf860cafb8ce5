/*
 * Whose database it is: the command acts as the user that the responder runs as, or reports who
 * that is.
 */
#ifndef OWNER_H
#define OWNER_H

struct settings;

/**
 * To be called before the database is opened.  Root becomes the owner of the database's folder, so
 * that the responder can open whatever is made there; files that root alone can read are opened
 * before.  Anybody else is stopped where the default
 * would be a new database in the home folder although the machine has one for the service: changes
 * there would have no effect.  Return 0, or -1 (reported).
 */
int owner_become(const struct settings *);

#endif
