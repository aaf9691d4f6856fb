package signalstack

/*
#include <signal.h>
#include <string.h>
static volatile sig_atomic_t seen;
static void note(int sig) { seen = sig; }
static void catch(int sig) { signal(sig, note); }
static int watch(int sig) {
	struct sigaction act;
	memset(&act, 0, sizeof act);
	act.sa_handler = note;
	return sigaction(sig, &act, NULL);
}
static int begin(void) { return watch(SIGUSR1); }
*/
import "C" // want signal-stack:warning, signal-stack:warning

func start() int {
	C.catch(C.SIGUSR2)
	return int(C.begin())
}

var _ = start
