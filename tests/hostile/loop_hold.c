/*
 * For LD_PRELOAD: how long the event loop of the responder was held at most between two waits, in
 * microseconds of its thread's processor time, whatever else the machine did meanwhile.  The file
 * that LOOP_HOLD names has the number.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long longest;
static long long woken; /* when the last wait ended; 0: there was none */

static long long
processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void
note(long long held)
{
	const char *path = getenv("LOOP_HOLD");
	int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

	longest = held;
	if (file < 0)
		return;
	dprintf(file, "%lld\n", held);
	close(file);
}

/* libuv calls one or the other; both are the same system call. */
int
epoll_pwait(int epoll, struct epoll_event *events, int most, int timeout, const sigset_t *signals)
{
	bool is_loop = syscall(SYS_gettid) == getpid();
	size_t size = 8; /* of the kernel's set of signals */

	if (is_loop && woken != 0 && processor_time() - woken > longest)
		note(processor_time() - woken);
	int n = (int)syscall(SYS_epoll_pwait, epoll, events, most, timeout, signals, size);
	if (is_loop)
		woken = processor_time();
	return n;
}

int
epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	return epoll_pwait(epoll, events, most, timeout, NULL);
}
