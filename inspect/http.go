package inspect

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ServeHTTP serves the page, or JSON if the Accept header asks for it. It changes
// nothing. The query can have
//
//	sort=age|left|route|activity|bytes   the order of the requests; default: age
//	route=PATTERN                        only this route
//	key=KEY                              one request, with the stack of its handler
//
// Only operators should be able to reach the page, because it shows what the log
// shows. Mount it beside pprof, for example.
func (in *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	values := r.URL.Query()
	status, body := in.answer(values)
	if !wantsJSON(r.Header["Accept"]) {
		in.page.serve(w, status, body, in.stacks.app, values)
		return
	}
	text, err := json.Marshal(body)
	if err != nil { // impossible: the types are our own
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// answer returns a report or, if the query has a key, a detail.
func (in *Inspector) answer(values url.Values) (status int, body any) {
	if values.Has("key") {
		d := in.detail(values.Get("key"))
		if d.Request == nil {
			return http.StatusNotFound, d
		}
		return http.StatusOK, d
	}
	q := query{order: orders[values.Get("sort")]}
	if q.order == nil {
		q.order = byAge
	}
	if values.Has("route") {
		route := values.Get("route")
		q.route = &route
	}
	return http.StatusOK, in.report(q)
}

// orders are the orders of requests, by their names in the query.
var orders = map[string]order{"age": byAge, "left": byLeft, "route": byRoute, "activity": byActivity, "bytes": byBytes}

// wantsJSON reports whether a client asks for JSON. Browsers do not.
func wantsJSON(accept []string) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			if t, _, err := mime.ParseMediaType(item); err == nil && t == "application/json" {
				return true
			}
		}
	}
	return false
}

// detail is one request with its stacks.
type detail struct {
	Time       time.Time `json:"time"`
	Request    *request  `json:"request"` // nil if the request has ended
	Goroutines []stack   `json:"goroutines"`
	Error      string    `json:"error,omitempty"`
}

// stack is the stack of one or more goroutines.
type stack struct {
	Count   int     `json:"count"`
	Handler bool    `json:"handler"` // the goroutine runs the handler
	Frames  []frame `json:"frames"`
}

func (in *Inspector) detail(key string) *detail {
	now := time.Now()
	d := &detail{Time: now, Goroutines: []stack{}}
	e, ok := in.slots.find(key)
	if !ok {
		return d
	}
	r := look(e).request(now)
	d.Request = &r
	all, handler, err := in.stacks.of(in.slots.value(e.slot))
	if err != nil {
		d.Error = err.Error()
		return d
	}
	for i, g := range all {
		d.Goroutines = append(d.Goroutines, stack{g.count, handler && i == 0, g.frames})
	}
	if _, still := in.slots.find(key); !still { // the stacks may be those of another request
		return &detail{Time: now, Goroutines: []stack{}}
	}
	return d
}
