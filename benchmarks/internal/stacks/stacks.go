// Package stacks has Bulwark and the middleware that people use today, each as its
// own documentation shows it: whole stacks, and single parts that do what one of
// Bulwark's packages does.
package stacks

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Handler is the handler of all stacks. Each stack turns its error into a response
// in its usual way: the framework, Bulwark's rules, or the function answered.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Config has the settings of a stack. A stack ignores what it cannot do.
type Config struct {
	Limit   time.Duration // for a request
	Body    int64         // the largest body, in bytes
	Decoded int64         // the largest decoded body, in bytes; 0: bodies are not decoded
	Flight  int           // requests at once; 0: any number
	Log     io.Writer     // gets a line of JSON for each request
}

// A Stack is what is between a server and its handlers.
type Stack struct {
	Name string
	// New serves h for GET and POST of measure.Path, behind the router of Framework.
	New func(cfg Config, h Handler) http.Handler
	// Bare returns the same framework around the same handler, with nothing else.
	Bare      func(h Handler) http.Handler
	Framework string
	// Status is the path of the status in a log record. "": there is no log.
	Status string
	// Outcome is the key of the outcome in a log record, if there is one.
	Outcome string
	// Message is the message of a request's log record. Bulwark needs it, because a
	// second record may follow for an abandoned handler. "": any message.
	Message string
}

// The names of the stacks that bounds refer to.
const (
	Bulwark = "Bulwark"
	Floor   = "by hand"
	NetHTTP = "net/http: slog-http, TimeoutHandler, MaxBytesHandler"
	Chi     = "chi: httplog, Timeout, RequestSize"
	Gin     = "Gin: slog-gin, gin-contrib/timeout"
	Echo5   = "Echo v5: RequestLogger, ContextTimeout, BodyLimit"
	Echo4   = "Echo v4: RequestLogger, ContextTimeout, BodyLimit"
	Hlog    = "hlog, TimeoutHandler, MaxBytesHandler"
)

// NetHTTPOnly is the framework of stacks without a framework.
const NetHTTPOnly = "net/http"

// Whole returns the stacks that log, have a deadline and bound the body.
func Whole() []Stack {
	return []Stack{
		bulwarkStack(), floorStack(), netHTTPStack(), chiStack(), ginStack(), echo5Stack(), echo4Stack(), hlogStack(),
		bulwarkInGin(), bulwarkInEcho(),
	}
}

// Endings returns the stacks for the comparison of endings: those of libraries,
// without the code by hand.
func Endings() []Stack {
	return []Stack{bulwarkStack(), netHTTPStack(), chiStack(), ginStack(), echo4Stack(), echo5Stack(), hlogStack(), failsafeStack()}
}

// jsonTo returns the logger for all stacks that log with slog.
func jsonTo(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

var nowhere = slog.New(slog.DiscardHandler)
