package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// wrapper is a middleware, which is what all of this is about.
type wrapper = func(http.Handler) http.Handler

// place is where a middleware of somebody else's can stand.
type place string

// The places, from the outside in.
const (
	outside place = "outside"        // of everything
	behind  place = "behind logging" // and outside of timeout and limits
	inside  place = "inside"         // of everything, around the handler
)

var places = []place{outside, behind, inside}

// stack is what stands between a server and its handler.
type stack struct {
	timeout timeout.Config                                  // Limit: ample
	logging logging.Config                                  // Logger: that of the server
	refuse  func(http.ResponseWriter, *http.Request, error) // ErrorHandler of limits
	body    int64                                           // MaxBodyBytes, default 1 MiB
	errs    *errmap.Mapper                                  // default: that of mapper
	at      place                                           // where mw stands
	mw      []wrapper                                       // the first the outermost
	wrap    func(net.Conn) net.Conn                         // of what the listener accepts
	noisy   bool                                            // the server has something to say about a second WriteHeader
}

// errNotFound has a rule.
var errNotFound = errors.New("no such row in table users")

// mapper is what the services of these tests make of errors.
func mapper(rules ...errmap.Rule) *errmap.Mapper {
	return errmap.New(errmap.Config{Rules: append(rules,
		errmap.Is(errNotFound, errmap.Problem{Status: http.StatusNotFound, Detail: "no such user"}))})
}

// around puts the whole stack, in the documented order, around h.
func (st stack) around(h http.Handler, logger *slog.Logger) http.Handler {
	if st.errs == nil {
		st.errs = mapper()
	}
	if st.timeout.Limit == 0 {
		st.timeout.Limit = ample
	}
	if st.timeout.ErrorHandler == nil {
		st.timeout.ErrorHandler = st.errs.Write
	}
	if st.refuse == nil {
		st.refuse = st.errs.Write
	}
	if st.body == 0 {
		st.body = 1 << 20
	}
	st.logging.Logger = logger
	at := func(p place) wrapper {
		if st.at != p {
			return bulwark.Chain()
		}
		return bulwark.Chain(st.mw...)
	}
	return bulwark.Chain(
		at(outside),
		logging.New(st.logging),
		at(behind),
		timeout.New(st.timeout),
		limits.New(limits.Config{MaxBodyBytes: st.body, ErrorHandler: st.refuse}),
		st.errs.Recover,
		at(inside),
	)(h)
}

// protocol is what client and server speak.
type protocol string

// The protocols of net/http.
const (
	http1 protocol = "HTTP/1"
	http2 protocol = "HTTP/2"
	h2c   protocol = "h2c" // HTTP/2 without TLS
)

var protocols = []protocol{http1, http2, h2c}

// version is how a line says it.
func (p protocol) version() string {
	if p == http1 {
		return "1.1"
	}
	return "2"
}

// each runs f once for each of the values.
func each[T ~string](t *testing.T, values []T, f func(t *testing.T, v T)) {
	for _, v := range values {
		t.Run(string(v), func(t *testing.T) { f(t, v) })
	}
}

// server is a server behind the whole stack, a client for it, and what it said.
type server struct {
	url    string
	client *http.Client
	lines  lines
	errors *text
}

// serve serves h behind the stack on a real socket until the test ends.
func (st stack) serve(t *testing.T, p protocol, h http.Handler) *server {
	t.Helper()
	s := &server{lines: make(lines, 100), errors: new(text)}
	srv := httptest.NewUnstartedServer(st.around(h, s.lines.logger()))
	srv.Config.ErrorLog = log.New(s.errors, "", 0)
	if st.wrap != nil {
		srv.Listener = listener{srv.Listener, st.wrap}
	}
	switch p {
	case http1:
		srv.Start()
	case http2:
		srv.EnableHTTP2 = true
		srv.StartTLS()
	case h2c:
		srv.Config.Protocols = new(http.Protocols)
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		srv.Start()
		tr := srv.Client().Transport.(*http.Transport)
		tr.Protocols = srv.Config.Protocols
	}
	t.Cleanup(func() {
		srv.Close()
		if !st.noisy {
			assert.NotContains(t, s.errors.String(), "superfluous")
		}
	})
	s.url, s.client = srv.URL, srv.Client()
	s.client.Timeout = watchdog
	return s
}

// upstream is another server, without a stack.
func upstream(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// listener lets wrap see what it accepts.
type listener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// got is what the client saw: how far the answer got, and how it broke.
type got struct {
	status int // 0: none
	proto  string
	header http.Header
	body   string
	err    error // of the request, or of the body
	res    *http.Response
}

// request makes one, with header fields as "Name: value". A body that is not a
// *strings.Reader is sent without its length.
func (s *server) request(t *testing.T, method, path string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	require.NoError(t, err)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return req
}

func (s *server) get(t *testing.T, path string, header ...string) got {
	t.Helper()
	return s.do(s.request(t, http.MethodGet, path, nil, header...))
}

func (s *server) post(t *testing.T, path string, body io.Reader, header ...string) got {
	t.Helper()
	return s.do(s.request(t, http.MethodPost, path, body, header...))
}

func (s *server) do(req *http.Request) got {
	res, err := s.client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return got{res.StatusCode, res.Proto, res.Header, string(body), err, res}
}

// whole requires that the answer came to its end.
func (g got) whole(t *testing.T) got {
	t.Helper()
	require.NoError(t, g.err)
	return g
}

// line is what a line of the log says, as far as these tests look.
type line struct {
	Msg       string  `json:"msg"`
	Level     string  `json:"level"`
	Method    string  `json:"http.request.method"`
	Path      string  `json:"url.path"`
	Route     string  `json:"http.route"`
	Status    int     `json:"http.response.status_code"`
	Intended  int     `json:"status_intended"`
	In        int64   `json:"http.request.body.size"`
	Out       int64   `json:"http.response.body.size"`
	Seconds   float64 `json:"http.server.request.duration"`
	Client    string  `json:"client.address"`
	Proto     string  `json:"network.protocol.version"`
	Outcome   string  `json:"outcome"`
	RequestID string  `json:"request_id"`
	Upstream  string  `json:"request_id_upstream"`
	TraceID   string  `json:"trace_id"`
	SpanID    string  `json:"span_id"`
	Error     string  `json:"error.message"`
	ErrorType string  `json:"error.type"`
	Panic     string  `json:"exception.message"`
	Stack     string  `json:"exception.stacktrace"`
	Abandoned bool    `json:"abandoned"`
	TTFB      float64 `json:"ttfb"`
}

// lines are those of the requests of a server, in their order. The notes that
// end a handler which outlived its request come whenever they like.
type lines chan line

func (l lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// Write takes a line: a slog.JSONHandler makes one call for each.
func (l lines) Write(p []byte) (int, error) {
	var parsed line
	if err := json.Unmarshal(p, &parsed); err != nil {
		return 0, err
	}
	if parsed.Msg != "http handler ended late" {
		l <- parsed
	}
	return len(p), nil
}

// next waits for the next line.
func (l lines) next(t *testing.T) line {
	t.Helper()
	select {
	case got := <-l:
		return got
	case <-time.After(watchdog):
		require.Fail(t, "no line")
		return line{}
	}
}

// logged waits for the line of a request and looks at what every one must have.
func (s *server) logged(t *testing.T, status int, outcome logging.Outcome) line {
	t.Helper()
	got := s.lines.next(t)
	assert.Equal(t, status, got.Status, "status in the line")
	assert.Equal(t, string(outcome), got.Outcome)
	assert.NotEmpty(t, got.RequestID)
	return got
}

// quiet asserts that no further line was written.
func (s *server) quiet(t *testing.T) {
	t.Helper()
	assert.Empty(t, s.lines)
}

// text is a buffer for any goroutine.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits for c to be closed, or for something to come.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(watchdog):
		require.Fail(t, "it does not happen")
	}
	return v
}

// pass waits until d has passed, which is what the test is about.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// same compares bodies that nobody wants to see in the output.
func same(t *testing.T, want, got string) {
	t.Helper()
	assert.Len(t, got, len(want))
	assert.Equal(t, sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)))
}

// without is a JSON object without one of its members.
func without(t *testing.T, object, member string) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(object), &m), object)
	assert.Contains(t, m, member)
	delete(m, member)
	out, err := json.Marshal(m)
	require.NoError(t, err)
	return string(out)
}

// onlyReader reads text, and does not say how long it is.
func onlyReader(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

func textLog(to *text) *log.Logger { return log.New(to, "", 0) }
