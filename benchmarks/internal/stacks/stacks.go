// Package stacks has Bulwark and what people use today, each put together as its
// own documentation has it: whole stacks of one service each, and in the files
// beside it the parts that stand in for one of Bulwark's packages.
package stacks

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Handler is what all of them serve. What it returns becomes a response as is
// usual where it is served: by the framework, by Bulwark's table, or by answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Config is what a stack is asked for; one that cannot do something does not.
type Config struct {
	Limit   time.Duration // for a request
	Body    int64         // the largest, in bytes
	Decoded int64         // the largest after decoding, in bytes; 0: nothing is decoded
	Flight  int           // requests at once; 0: any number
	Log     io.Writer     // gets JSON, a line a request
}

// A Stack is all that stands between a server and its handlers.
type Stack struct {
	Name string
	// New serves h for GET and POST of /.
	New func(cfg Config, h Handler) http.Handler
	// Bare is the same framework around the same handler, with nothing else.
	Bare func(h Handler) http.Handler
	// Status is the path of the status in a line of the log; "": there is no log.
	Status string
	// Outcome is the key of what else the line says of the ending, if anything.
	Outcome string
	// Message is that of the line of a request, where others may follow it: Bulwark
	// notes the end of handlers that come back late. "": any.
	Message string
}

// Names of those that bounds speak of.
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

// Whole are the stacks that log, have a deadline and bound the body.
func Whole() []Stack {
	return []Stack{
		bulwarkStack(), floorStack(), netHTTPStack(), chiStack(), ginStack(), echo5Stack(), echo4Stack(), hlogStack(),
		bulwarkInGin(), bulwarkInEcho(),
	}
}

// Endings are those whose endings are compared: the libraries, without what is
// written by hand.
func Endings() []Stack {
	return []Stack{bulwarkStack(), netHTTPStack(), chiStack(), ginStack(), echo4Stack(), echo5Stack(), hlogStack(), failsafeStack()}
}

// jsonTo is the logger of all that write to slog.
func jsonTo(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

var nowhere = slog.New(slog.DiscardHandler)
