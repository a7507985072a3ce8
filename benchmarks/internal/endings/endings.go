// Package endings compares how requests end: each scenario is run against each
// library over a real socket, and what stands in the table is what the client
// got and what the log said.
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

// The times of every scenario. They lie far enough apart for a busy machine: what
// has come before release came at the deadline.
const (
	limit    = 100 * time.Millisecond  // the deadline where that is the ending
	calm     = 700 * time.Millisecond  // the deadline where it is not
	release  = 600 * time.Millisecond  // when a handler that is stuck is let go
	patience = 1200 * time.Millisecond // of the client, after which it hangs up
	watchdog = 10 * time.Second        // of a scenario
)

const (
	bodyLimit    = 64 << 10
	decodedLimit = 1 << 20
)

// A Scenario is a handler and a client, and the ending that they make together.
type Scenario struct {
	Name  string
	About string
	// Handler makes the handler of one run.
	Handler func(*run) stacks.Handler
	// Client does its part on a connection and says what it got.
	Client func(*run, net.Conn) string
	// Log says what else than the status is looked for in the lines; nil: nothing.
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
	let     chan struct{} // closed when a handler that is stuck is let go
	note    chan string   // what the handler has to say about it
	seen    chan struct{} // closed when the client has seen what it waited for
}

// Cell is what became of a scenario with one library.
type Cell struct{ Client, Log string }

// lines is a log that handlers left behind may still write to.
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
	<-r.let // no handler is left behind
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

// dial opens a connection that is as patient as a client.
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
