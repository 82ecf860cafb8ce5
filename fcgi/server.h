/*
 * The responder: acceptor threads, the event loop, signals, shutdown (fcgi/DESIGN.md).
 */
#ifndef SERVER_H
#define SERVER_H

struct settings;
struct store;

/**
 * Let the signals that server_run hears wait until it hears them.  Before FCGX_Init: its handlers
 * would take them, and the process would neither serve nor end.
 */
void server_hold_signals(void);

/**
 * Serve FastCGI requests from the listening socket that is standard input, until SIGTERM, SIGINT or
 * SIGUSR1; then finish what is in flight, within bounds.  SIGHUP reads the settings again and
 * reopens the log.  Return the exit status.  What still works then and cannot be told to end (a
 * wait for the database, the lookup of a name) ends with the process, which this call ends itself.
 */
int server_run(struct store *, struct settings *);

/** Serve the one request of a CGI program.  As above. */
int server_run_cgi(struct store *, struct settings *);

#endif
