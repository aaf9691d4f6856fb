// Package signalstack holds the rule signal-stack. Its page is docs/checks/audit/signal-stack.md.
package signalstack

import (
	"maps"
	"slices"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C functions that Go calls and that set a signal handler which runs on the stack of whatever is interrupted.
var Analyzer = native.Rule("signal-stack", run)

func run(p *native.Pass) {
	reached := map[string]bool{}
	for _, name := range p.Calls() {
		maps.Copy(reached, p.CReach(name))
	}
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		if fn := p.C.Funcs[name]; fn != nil && sets(fn.Body) {
			p.Report(native.Warning, p.Import(), "C.%s sets a signal handler without SA_ONSTACK: on a thread of Go's it runs on the stack of a goroutine, and the program ends", name)
		}
	}
}

// sets reports whether a body sets a handler of its own, and says nowhere on which stack.
func sets(body []string) bool {
	if slices.Contains(body, "SA_ONSTACK") {
		return false
	}
	for i, w := range body {
		switch w {
		case "signal": // signal(SIGINT, handler)
			if i+5 < len(body) && body[i+1] == "(" && body[i+3] == "," && own(body[i+4]) && body[i+5] == ")" {
				return true
			}
		case "sa_handler", "sa_sigaction": // act.sa_handler = handler;
			if i+3 < len(body) && body[i+1] == "=" && body[i+3] == ";" && own(body[i+2]) && slices.Contains(body, "sigaction") {
				return true
			}
		}
	}
	return false
}

func own(handler string) bool {
	return !slices.Contains([]string{"SIG_IGN", "SIG_DFL", "SIG_ERR", "NULL", "0"}, handler)
}
