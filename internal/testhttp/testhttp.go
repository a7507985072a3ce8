// Package testhttp has what the tests of this repository share: servers on a socket
// or in memory, on HTTP/1 and HTTP/2, what they log, and connections on which a
// test writes HTTP/1 itself.
//
// It is built on package bulwarktest. The result of a request is a
// [bulwarktest.Result], and [Server.Misbehaving] returns a client of bulwarktest. A
// [Conn] is for what these clients cannot do, such as a second request on a
// connection, or bytes that are not HTTP.
package testhttp

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/bulwarktest"
)

// Patience is how long a test waits for an event that must happen. It matters only
// if a test fails.
const Patience = 20 * time.Second

// Protocol is the major version of HTTP that a server and its client speak.
type Protocol int

// The protocols.
const (
	HTTP1 Protocol = 1
	HTTP2 Protocol = 2
)

// Protocols has both protocols.
var Protocols = []Protocol{HTTP1, HTTP2}

func (p Protocol) String() string {
	if p == HTTP2 {
		return "HTTP/2"
	}
	return "HTTP/1"
}

// Unencrypted returns the protocols of a server that speaks only p, without TLS.
func (p Protocol) Unencrypted() *http.Protocols {
	only := new(http.Protocols)
	only.SetHTTP1(p == HTTP1)
	only.SetUnencryptedHTTP2(p == HTTP2)
	return only
}

// Each runs f in a subtest for each protocol.
func Each(t *testing.T, f func(t *testing.T, p Protocol)) {
	t.Helper()
	for _, p := range Protocols {
		t.Run(p.String(), func(t *testing.T) { f(t, p) })
	}
}

// EachServer runs f in a subtest for each protocol, with a server for h.
func EachServer(t *testing.T, h http.Handler, f func(t *testing.T, s *Server)) {
	t.Helper()
	Each(t, func(t *testing.T, p Protocol) {
		t.Helper()
		f(t, p.Start(t, h))
	})
}

// Server is a running server, what it logs, and a client for it.
type Server struct {
	*httptest.Server

	Log *Lines // its ErrorLog

	protocol  Protocol
	client    *http.Client
	transport *http.Transport // the client's
}

// Start serves h on a socket until the test ends. HTTP/2 uses TLS. The functions in
// changes are called with the server before it starts.
func (p Protocol) Start(t testing.TB, h http.Handler, changes ...func(*httptest.Server)) *Server {
	t.Helper()
	s := p.unstarted(h, changes)
	s.EnableHTTP2 = p == HTTP2
	if p == HTTP2 {
		s.StartTLS()
	} else {
		s.Server.Start()
	}
	s.started(t)
	return s
}

// StartUnencrypted is like Start, but HTTP/2 uses no TLS (prior knowledge).
func (p Protocol) StartUnencrypted(t testing.TB, h http.Handler, changes ...func(*httptest.Server)) *Server {
	t.Helper()
	s := p.unstarted(h, changes)
	s.Config.Protocols = p.Unencrypted()
	s.Server.Start()
	s.started(t)
	s.Transport().Protocols = p.Unencrypted()
	return s
}

func (p Protocol) unstarted(h http.Handler, changes []func(*httptest.Server)) *Server {
	s := &Server{Server: httptest.NewUnstartedServer(h), Log: new(Lines), protocol: p}
	s.Config.ErrorLog = s.Log.Logger()
	for _, change := range changes {
		change(s.Server)
	}
	return s
}

func (s *Server) started(t testing.TB) {
	t.Helper()
	s.client = s.Server.Client()
	s.transport, _ = s.client.Transport.(*http.Transport)
	s.client.Timeout = Patience
	t.Cleanup(s.Close)
	t.Cleanup(s.client.CloseIdleConnections)
}

// Client returns an ordinary client for the server.
func (s *Server) Client() *http.Client { return s.client }

// Transport returns the transport of Client.
func (s *Server) Transport() *http.Transport { return s.transport }

// Misbehaving returns a misbehaving client for the server.
func (s *Server) Misbehaving() bulwarktest.Client {
	return bulwarktest.Client{
		HTTP2: s.protocol == HTTP2, TLS: s.transport.TLSClientConfig, Dial: s.transport.DialContext, Patience: Patience,
	}
}

// Request returns a request for the server. Header lines are "Name: value". The
// request is canceled when the test ends.
func (s *Server) Request(t testing.TB, method, path string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// Get sends a GET request for path.
func (s *Server) Get(t testing.TB, path string) bulwarktest.Result {
	t.Helper()
	return s.Do(s.Request(t, http.MethodGet, path, http.NoBody))
}

// Do sends a request with Client and reads the response to its end.
func (s *Server) Do(r *http.Request) (got bulwarktest.Result) {
	began := time.Now()
	defer func() { got.Took = time.Since(began) }()
	res, err := s.client.Do(r)
	if err != nil {
		return bulwarktest.Result{Err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return bulwarktest.Result{Status: res.StatusCode, Header: res.Header, Body: string(b), Err: err}
}

// Await returns the next value from c. It ends the test if there is none within
// Patience.
func Await[T any](t testing.TB, c <-chan T, what ...any) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Patience):
		t.Fatal(append([]any{"timed out waiting for "}, what...)...)
	}
	return v
}

// Lines collects what is logged.
type Lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Logger returns a logger that writes to l, without a prefix and a time.
func (l *Lines) Logger() *log.Logger { return log.New(l, "", 0) }

func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
