// Package endings compares how requests end: each scenario is run against each
// library over a real socket, and the table shows what the client got and what
// was logged.
package endings

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// The times of all scenarios. They are far enough apart for a busy machine: a
// response that came before release came at the deadline.
const (
	limit    = 100 * time.Millisecond  // the deadline, if the scenario is about the deadline
	calm     = 700 * time.Millisecond  // the deadline in all other scenarios
	release  = 600 * time.Millisecond  // when a stuck handler is released
	patience = 1200 * time.Millisecond // when the client hangs up
	watchdog = 10 * time.Second        // when a scenario fails
)

const (
	bodyLimit    = 64 << 10
	decodedLimit = 1 << 20
)

// A Scenario is a handler and a client that together cause a request to end in a
// certain way.
type Scenario struct {
	Name  string
	About string
	// Handler makes the handler of one run.
	Handler func(*run) stacks.Handler
	// Client sends and receives on a connection, and returns what it got.
	Client func(*run, net.Conn) string
	// Log returns what else the log says besides the status. nil: nothing.
	Log func(lines []byte) string
	// Limit is the deadline of a request. 0: calm.
	Limit time.Duration
	// Flight is how many requests may be in flight. 0: any number.
	Flight int
	// WriteTimeout is the server's. 0: none.
	WriteTimeout time.Duration
}

// run is one run of a scenario against one stack.
type run struct {
	started chan struct{} // closed when the handler is running
	begin   sync.Once
	let     chan struct{} // closed when a stuck handler is released
	note    chan string   // what the handler noted
	seen    chan struct{} // closed when the client has got what it waited for
}

// Cell is the result of a scenario with one library.
type Cell struct{ Client, Log string }

// lines is a log. Abandoned handlers may still write to it.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// Run runs a scenario against a stack. It ends within the watchdog.
func (s Scenario) Run(stack stacks.Stack) Cell {
	r := &run{started: make(chan struct{}), let: make(chan struct{}), note: make(chan string, 8), seen: make(chan struct{})}
	log := &lines{}
	h := stack.New(stacks.Config{Limit: cmp.Or(s.Limit, calm), Body: bodyLimit, Decoded: decodedLimit, Flight: s.Flight, Log: log}, r.starts(s.Handler(r)))
	srv, addr, err := listen(h, s.WriteTimeout)
	if err != nil {
		return Cell{Client: err.Error()}
	}
	time.AfterFunc(release, func() { close(r.let) })
	client := s.converse(r, addr)
	srv.end()
	<-r.let // no handler is running any more
	return Cell{client, s.logged(stack, log.bytes())}
}

func (s Scenario) converse(r *run, addr string) string {
	conn, err := dial(addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return s.Client(r, conn)
}

// dial opens a connection with the client's timeout.
func dial(addr string) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// starts tells the client that the handler is running.
func (r *run) starts(h stacks.Handler) stacks.Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		r.begin.Do(func() { close(r.started) })
		return h(w, req)
	}
}
