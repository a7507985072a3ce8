package exchange

import (
	"log"
	"net/http"
	"path"
	"runtime"
	"strings"
)

// logSuperfluous reports a misuse of the writer as net/http would, which on
// HTTP/2 is silent. Passed on, net/http would name this package as the caller.
func (x *Exchange) logSuperfluous(method string, hijacked bool) {
	if x.original.ProtoMajor >= 2 {
		return
	}
	what := "superfluous response." + method + " call from"
	if hijacked {
		what = "response." + method + " on hijacked connection from"
	}
	f := caller()
	x.Logf("http: %s %s (%s:%d)", what, f.Function, path.Base(f.File), f.Line)
}

// Logf writes to the server's ErrorLog.
func (x *Exchange) Logf(format string, args ...any) {
	srv, _ := x.Parent().Value(http.ServerContextKey).(*http.Server)
	if srv != nil && srv.ErrorLog != nil {
		srv.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// caller is the first caller outside of net/http and this package.
func caller() runtime.Frame {
	var pc [32]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	var f runtime.Frame
	for more := true; more; {
		f, more = frames.Next()
		if !strings.HasPrefix(f.Function, "net/http.") && !strings.Contains(f.Function, "bulwark/internal/exchange.") {
			return f
		}
	}
	return f
}
