/*
 * Where to find the CA bundle used to verify servers.
 */
#ifndef CA_BUNDLE_H
#define CA_BUNDLE_H

/**
 * The system's CA bundle: the one that libcurl was built for, or
 * where other systems have it, since a program with its own libcurl may run on any of them.
 * NULL: libcurl knows of none and there is none; it looks by itself.
 */
const char *ca_bundle_file(void);

#endif
