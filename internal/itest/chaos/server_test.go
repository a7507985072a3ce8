package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/internal/frameworks"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// place is a framework and where the stack is.
type place struct {
	frameworks.Setup

	route  bool // on the route, else around the engine
	stream bool // with an idle limit for responses that have begun
}

var places = func() (all []place) {
	for _, s := range frameworks.All {
		switch s.Name {
		case "net/http", "Gin", "Echo v5":
			all = append(all, place{Setup: s}, place{Setup: s, stream: true}, place{Setup: s, route: true})
		}
	}
	return all
}()

// The configuration of the servers. A scenario that needs a short time sets it itself:
// on a busy machine a short limit for all would end requests that have nothing to do
// with it.
const (
	maxBody    = 16 << 10
	maxURI     = 2000
	maxHeader  = 8 << 10
	maxFields  = 64
	bodyRate   = 1000
	bodyGrace  = 1500 * time.Millisecond
	silence    = 2 * time.Second // of a stream
	headTime   = 2 * time.Second
	serverHead = 32 << 10 // net/http's own limit
	gateRooms  = 2        // in flight through the gate, and as many waiting
	maxText    = 64 << 10
)

// maxDecoded lets the ratio be the first to cut a zip bomb off, and with an idle
// limit the size.
func (p place) maxDecoded() int64 {
	if p.stream {
		return 512 << 10
	}
	return 4 << 20
}

// gate is a limit that all servers share.
type gate struct {
	frameworks.Middleware

	inside atomic.Int32
}

func newGate() *gate {
	return &gate{Middleware: limits.New(limits.Config{
		MaxInFlight: gateRooms, MaxQueue: gateRooms, MaxWait: 50 * time.Millisecond,
		ErrorHandler: errmap.New(errmap.Config{Render: render}).Write,
	})}
}

// world is a server.
type world struct {
	place

	name   string
	errs   *errmap.Mapper
	gate   *gate
	addr   string
	server *http.Server
	served chan error
}

var (
	errMissing = errors.New("no such item")
	errBroken  = errors.New("db-1.internal: password authentication failed")
)

func (c *chaos) build(t *testing.T, p place, g *gate) *world {
	w := &world{place: p, gate: g, name: p.Name + " around the engine", served: make(chan error, 1)}
	switch {
	case p.route:
		w.name = p.Name + " on the route"
	case p.stream:
		w.name = p.Name + " with an idle limit"
	}
	w.errs = errmap.New(errmap.Config{Render: render, Rules: []errmap.Rule{
		errmap.Is(errMissing, errmap.Problem{Status: http.StatusNotFound}),
	}})
	w.server = &http.Server{
		Handler: c.handler(w), ReadHeaderTimeout: headTime, MaxHeaderBytes: serverHead,
		ErrorLog: log.New(&c.complaints, "", 0), Protocols: new(http.Protocols),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10) // so that a client that does not read soon blocks the writes
			return ctx
		},
	}
	w.server.Protocols.SetHTTP1(true)
	w.server.Protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.addr = listener.Addr().String()
	go func() { w.served <- w.server.Serve(listener) }()
	return w
}

// permits is as many as there are ever requests at a time.
func permits() int { return *workers * burst }

func (c *chaos) handler(w *world) http.Handler {
	settings := timeout.Config{
		Limit: patience / 2, ErrorHandler: w.errs.Write,
		TrustCaller: func(*http.Request) bool { return true },
		Detach:      !w.route, // watch takes nothing back
	}
	if w.stream {
		settings.Stream = silence
	}
	stack := bulwark.Chain(
		logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(c.journal, nil))}),
		timeout.New(settings),
		limits.New(limits.Config{
			MaxBodyBytes: maxBody, MaxDecodedBytes: w.maxDecoded(), MinBodyRate: bodyRate, BodyGrace: bodyGrace,
			MaxURIBytes: maxURI, MaxHeaderBytes: maxHeader, MaxHeaderFields: maxFields,
			MaxInFlight: permits(), ErrorHandler: w.errs.Write,
		}),
		w.errs.Recover,
	)
	watched := func(next http.Handler) http.Handler { return c.watch(stack(next)) }
	var routes []frameworks.Route
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		routes = append(routes, frameworks.Route{Method: method, Pattern: "/act/{id}", Handler: c.serve})
	}
	var h http.Handler
	if w.route {
		h = w.Build(w.errs, watched, routes, &c.complaints)
	} else {
		h = watched(w.Build(w.errs, nil, routes, &c.complaints))
	}
	return h
}

// watch sees what comes to the stack. It passes on what the server gave it, so
// that the stack is the first to touch it.
func (c *chaos) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := c.find(r.URL.Path)
		if a == nil {
			c.fault(fmt.Sprintf("no client sent %s %q", r.Method, r.URL.Path))
			return
		}
		if a.reached.Add(1) == 1 {
			defer close(a.returned)
		}
		next.ServeHTTP(w, r)
	})
}

// find returns the act that a path belongs to, or nil.
func (c *chaos) find(path string) *act {
	id, ok := strings.CutPrefix(path, "/act/")
	if !ok {
		return nil
	}
	a, _ := c.acts.Load(id)
	found, _ := a.(*act)
	return found
}

// serve is the handler of all routes.
func (c *chaos) serve(w http.ResponseWriter, r *http.Request) error {
	a := c.find(r.URL.Path)
	if id := logging.RequestID(r.Context()); id != a.id && !a.renamed {
		a.faultf("the handler has the request of %q", id)
	}
	logging.Add(r.Context(), slog.String("mark", a.id))
	go logging.Add(r.Context(), slog.String("stray", a.id)) // now or never
	defer close(a.ended)
	close(a.entered)
	return a.handler(a, w, r)
}

// render says whose error it is.
func render(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
	text := errorText(logging.RequestID(r.Context()), p.Status)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(p.Status)
	_, _ = io.WriteString(w, text)
}

// close waits for all connections to end.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("%s: shutting down: %w", w.name, err)
	}
	if err := <-w.served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// permitsAreBack lets as many requests in as there are permits, all at once.
func (c *chaos) permitsAreBack() {
	for some := range slices.Chunk(c.worlds, 3) { // all at once are more than two cores serve in time
		var busy sync.WaitGroup
		for _, w := range some {
			busy.Go(func() { c.fill(w) })
		}
		busy.Wait()
	}
}

func (c *chaos) fill(w *world) {
	const perConnection = 100
	all, in := make(chan struct{}), atomic.Int32{}
	s := &scenario{name: "permit", make: func(_ *draw, a *act) {
		a.handler = func(a *act, w http.ResponseWriter, _ *http.Request) error {
			if int(in.Add(1)) == permits() {
				close(all)
			}
			a.await(all, "as many requests at once as there are permits")
			return a.write(w, 200, 10)
		}
		a.ok(200, a.text(10))
	}}
	var busy sync.WaitGroup
	for first := 0; first < permits(); first += perConnection {
		e := &entry{n: -1, world: w, http2: true}
		for i := first; i < min(first+perConnection, permits()); i++ {
			a := newAct(e, s, fmt.Sprintf("permit-%p-%d", w, i))
			s.make(nil, a)
			e.acts = append(e.acts, a)
		}
		busy.Go(func() { c.play(e) })
	}
	busy.Wait()
}
