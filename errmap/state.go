package errmap

import (
	"net/http"
	"reflect"
	"sync"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// stateOf returns the state of the response that w writes, and whether w writes to
// the exchange's response.
//
// It does if Unwrap leads to the exchange's writer. It also does if w has no Unwrap
// method but has the exchange's header map: then w embeds the writer, as body
// loggers for Gin usually do. Such a writer may buffer, so the state of its tracker
// counts as well. Any other w writes another response, whose state is only in a
// tracker: the response of a recorder, or the one at the deadline, which is written
// on another goroutine while the handler runs.
func stateOf(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) (s exchange.ResponseState, own bool) {
	if x.Response().Owns(w) || !x.Expired() && sameHeader(w, x) {
		s, own = x.Response().State(), true
	}
	if t := tracked(w); t != nil && s.Status == 0 {
		s.Status, s.Taken = t.Status, s.Taken || t.taken
		s.Complete = t.Status == http.StatusNoContent || t.Status == http.StatusNotModified ||
			t.Status != 0 && r.Method == http.MethodHead
	}
	return s, own
}

// sameHeader reports whether w has the header map of the exchange's writer. It must
// be called on the handler's goroutine.
func sameHeader(w http.ResponseWriter, x *exchange.Exchange) bool {
	h := w.Header()
	return h != nil && reflect.ValueOf(h).Pointer() == reflect.ValueOf(x.Response().Writer().Header()).Pointer()
}

// answers is state of a request that cannot be kept in its writer: the other
// writers that an answer was written to, and the running calls of Render. Render
// may wrap its writer in one without Unwrap.
type answers struct {
	mu        sync.Mutex
	rendering int // calls of Render that have not returned
	writers   []http.ResponseWriter
}

func answersOf(x *exchange.Exchange) *answers {
	if a, ok := x.Notes.Local().(*answers); ok {
		return a
	}
	a, _ := x.Notes.SetLocal(new(answers)).(*answers)
	return a
}

// firstAnswer reports whether no answer was written to w yet.
func firstAnswer(x *exchange.Exchange, w http.ResponseWriter) bool {
	a := answersOf(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, known := range a.writers {
		if sameWriter(known, w) {
			return false
		}
	}
	a.writers = append(a.writers, w)
	return true
}

// sameWriter compares writers of any type.
func sameWriter(a, b http.ResponseWriter) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() &&
		reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// maxRendering bounds the concurrent calls of Render for one request. A handler may
// serve parts of a request on several goroutines. More calls than this mean that
// Render calls Write.
const maxRendering = 100

func enterRender(x *exchange.Exchange) bool {
	if x == nil {
		return true
	}
	a := answersOf(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rendering >= maxRendering {
		return false
	}
	a.rendering++
	return true
}

func leaveRender(x *exchange.Exchange) {
	if x == nil {
		return
	}
	a := answersOf(x)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rendering--
}
