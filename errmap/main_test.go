package errmap_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errNotFound = errors.New("store: user not found in shard 7")
	errConflict = errors.New("store: version conflict on row 4711")
	errSecret   = errors.New("dial tcp 10.0.0.7:5432: password=hunter2")
)

// fails is a handler that returns err at once.
func fails(err error) func(http.ResponseWriter, *http.Request) error {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

// serve runs h on a recorder.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func get(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/users/1", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// spy is a middleware that sees how a request ended.
type spy struct {
	id    string
	ended chan exchange.Ending
}

func newSpy() *spy { return &spy{ended: make(chan exchange.Ending, 8)} }

func (s *spy) ID() string                                    { return s.id }
func (s *spy) Ended(_ *exchange.Exchange, e exchange.Ending) { s.ended <- e }
func (s *spy) Late(*exchange.Exchange, any, []byte)          {}

func (s *spy) wrap(next http.Handler) http.Handler { return observed(s, next) }

// lateSpy also sees the panic of a handler that outlived its request.
type lateSpy struct {
	*spy
	late chan any
}

func (s lateSpy) Late(_ *exchange.Exchange, panicked any, _ []byte) { s.late <- panicked }
func (s lateSpy) wrap(next http.Handler) http.Handler               { return observed(s, next) }

func observed(o exchange.Observer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, w, r, owner := exchange.Enter(w, r)
		if owner {
			defer x.Leave()
		}
		x.Observe(o)
		next.ServeHTTP(w, r)
		if owner {
			x.Returned()
		}
	})
}

// server starts h with a silent ErrorLog, on HTTP/1 or HTTP/2.
func server(t *testing.T, h http.Handler, http2 bool) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.EnableHTTP2 = http2
	if http2 {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

// onBoth runs f against h on HTTP/1 and on HTTP/2.
func onBoth(t *testing.T, h http.Handler, f func(t *testing.T, srv *httptest.Server)) {
	t.Helper()
	for _, v := range []struct {
		name  string
		http2 bool
	}{{"HTTP1", false}, {"HTTP2", true}} {
		t.Run(v.name, func(t *testing.T) { f(t, server(t, h, v.http2)) })
	}
}

// raw sends a request and returns everything that comes back until the server
// closes.
func raw(t *testing.T, srv *httptest.Server, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n"))
	require.NoError(t, err)
	b, _ := io.ReadAll(bufio.NewReader(conn))
	return string(b)
}

func mapper(rules ...errmap.Rule) *errmap.Mapper { return errmap.New(errmap.Config{Rules: rules}) }

func errorJSON(rules ...errmap.Rule) *errmap.Mapper {
	return errmap.New(errmap.Config{Rules: rules, Render: errmap.ErrorJSON})
}

// logBuffer is an ErrorLog that can be read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) logger() *log.Logger { return log.New(l, "", 0) }

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// deadlined is the context of a request whose deadline has passed.
func deadlined(r *http.Request) *http.Request {
	ctx, cancel := context.WithTimeout(r.Context(), 0)
	cancel()
	return r.WithContext(ctx)
}
