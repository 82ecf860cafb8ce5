/*
 * Whose word is taken for who a server is.
 */
#ifndef TRUST_H
#define TRUST_H

/**
 * The system's file with the certificates of authorities: the one that libcurl was built for, or
 * where other systems have it, since a program with its own libcurl may run on any of them.
 * NULL: libcurl knows of none and there is none; it looks by itself.
 */
const char *trust_file(void);

#endif
