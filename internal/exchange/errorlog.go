package exchange

import (
	"log"
	"path"
	"runtime"
	"strings"
)

// logSuperfluous reports a misuse of the writer as net/http does for HTTP/1.
// net/http itself would name this package as the caller.
func (x *Exchange) logSuperfluous(method string, hijacked bool) {
	if x.http2() {
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
	if srv := x.server(); srv != nil && srv.ErrorLog != nil {
		srv.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}

// caller returns the first caller outside net/http and this package.
func caller() runtime.Frame {
	var pc [32]uintptr
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc[:])])
	var f runtime.Frame
	for more := true; more; {
		f, more = frames.Next()
		if !strings.HasPrefix(f.Function, "net/http.") && !strings.Contains(f.Function, "bulwark/internal/exchange.") && !strings.Contains(f.Function, "bulwark/internal/respwriter.") {
			return f
		}
	}
	return f
}

// LogIfUnobservedf writes to the server's ErrorLog if the request has no observer.
func (x *Exchange) LogIfUnobservedf(format string, args ...any) {
	if !x.observed() {
		x.Logf(format, args...)
	}
}
