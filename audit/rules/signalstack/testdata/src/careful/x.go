// Package careful has handlers that run on a stack of their own, or none.
package careful

/*
#include <signal.h>
#include <string.h>
static volatile sig_atomic_t seen;
static void note(int sig) { seen = sig; }
static int watch(int sig) {
	struct sigaction act;
	memset(&act, 0, sizeof act);
	act.sa_handler = note;
	act.sa_flags = SA_ONSTACK | SA_RESTART;
	return sigaction(sig, &act, NULL);
}
static void ignore(int sig) { signal(sig, SIG_IGN); }
static int usual(int sig) {
	struct sigaction act;
	memset(&act, 0, sizeof act);
	act.sa_handler = SIG_DFL;
	return sigaction(sig, &act, NULL);
}
static inline void unused(int sig) { signal(sig, note); } // nobody calls it
*/
import "C"

func start() int {
	C.ignore(C.SIGPIPE)
	return int(C.watch(C.SIGUSR1)) + int(C.usual(C.SIGUSR2))
}

var _ = start
