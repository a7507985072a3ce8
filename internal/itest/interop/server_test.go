package interop_test

import (
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// wrapper is a middleware.
type wrapper = func(http.Handler) http.Handler

// place is a position for a middleware of another project.
type place string

// The places, from the outside in.
const (
	outside place = "outside"        // of everything
	behind  place = "behind logging" // and outside of timeout and limits
	inside  place = "inside"         // of everything, around the handler
)

var places = []place{outside, behind, inside}

// stack is what is between a server and its handler.
type stack struct {
	timeout timeout.Config                                  // Limit: ample
	refuse  func(http.ResponseWriter, *http.Request, error) // ErrorHandler of limits
	body    int64                                           // MaxBodyBytes, default 1 MiB
	errs    *errmap.Mapper                                  // default: that of mapper
	at      place                                           // where mw is
	mw      []wrapper                                       // the first the outermost
	wrap    func(net.Conn) net.Conn                         // of what the listener accepts
	counted bool                                            // CountUpgraded
	hooks   func(logging.Config) logging.Config             // of an adapter
	noisy   bool                                            // the server complains about a second WriteHeader
}

// errNotFound has a rule.
var errNotFound = errors.New("no such row in table users")

// mapper maps the errors of the services of these tests.
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
	at := func(p place) wrapper {
		if st.at != p {
			return bulwark.Chain()
		}
		return bulwark.Chain(st.mw...)
	}
	cfg := logging.Config{Logger: logger, CountUpgraded: st.counted}
	if st.hooks != nil {
		cfg = st.hooks(cfg)
	}
	return bulwark.Chain(
		at(outside),
		logging.New(cfg),
		at(behind),
		timeout.New(st.timeout),
		limits.New(limits.Config{MaxBodyBytes: st.body, ErrorHandler: st.refuse}),
		st.errs.Recover,
		at(inside),
	)(h)
}

// protocol is the version of HTTP that client and server use.
type protocol string

// The protocols of net/http.
const (
	http1 protocol = "HTTP/1"
	http2 protocol = "HTTP/2"
	h2c   protocol = "h2c" // HTTP/2 without TLS
)

var protocols = []protocol{http1, http2, h2c}

// version is the logged version.
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

// server is a server behind the whole stack, a client for it, and its logs.
type server struct {
	url    string
	client *http.Client
	lines  lines
	errors *testhttp.Lines
}

// serve serves h behind the stack on a real socket until the test ends.
func (st stack) serve(t *testing.T, p protocol, h http.Handler) *server {
	t.Helper()
	s := &server{lines: make(lines, 100), errors: new(testhttp.Lines)}
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

// listener calls wrap with the connections that it accepts.
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

// got is what the client saw: how far the response got, and how it broke off.
type got struct {
	status int // 0: none
	proto  string
	header http.Header
	body   string
	err    error // of the request, or of the body
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
	return got{res.StatusCode, res.Proto, res.Header, string(body), err}
}

// whole requires that the response is complete.
func (g got) whole(t *testing.T) got {
	t.Helper()
	require.NoError(t, g.err)
	return g
}
