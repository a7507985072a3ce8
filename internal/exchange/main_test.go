package exchange_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	limit    = 60 * time.Millisecond
	watchdog = 10 * time.Second
)

// entering makes every request an exchange, which it hands to f beforehand.
func entering(f func(*exchange.Exchange)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, w, r, owner := exchange.Enter(w, r)
			if f != nil {
				f(x)
			}
			if owner {
				defer x.Leave()
			}
			next.ServeHTTP(w, r)
			if owner {
				x.Returned()
			}
		})
	}
}

// observer hands on what it is told.
type observer struct {
	ended chan exchange.Ending
	late  chan any
}

func newObserver() *observer {
	return &observer{make(chan exchange.Ending, 8), make(chan any, 8)}
}

func (o *observer) ID() string                                    { return "" }
func (o *observer) Ended(_ *exchange.Exchange, e exchange.Ending) { o.ended <- e }
func (o *observer) Late(_ *exchange.Exchange, v any, _ []byte)    { o.late <- v }

func (o *observer) watch(next http.Handler) http.Handler {
	return entering(func(x *exchange.Exchange) { x.Observe(o) })(next)
}

func (o *observer) ending(t *testing.T) exchange.Ending {
	t.Helper()
	select {
	case e := <-o.ended:
		return e
	case <-time.After(watchdog):
		require.FailNow(t, "nobody was told of an end")
		panic("unreachable")
	}
}

// server is a server on a real socket, with what it logged.
type server struct {
	*httptest.Server
	log *lines
}

func start(t *testing.T, major int, h http.Handler) *server {
	t.Helper()
	s := &server{httptest.NewUnstartedServer(h), new(lines)}
	s.Config.ErrorLog = log.New(s.log, "", 0)
	if major == 2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	s.Client().Timeout = watchdog
	return s
}

// everywhere runs f for each protocol.
func everywhere(t *testing.T, f func(t *testing.T, major int)) {
	t.Helper()
	t.Run("HTTP/1", func(t *testing.T) { f(t, 1) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, 2) })
}

func (s *server) do(t *testing.T, method string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	return s.doCtx(t.Context(), t, method, body)
}

func (s *server) doCtx(ctx context.Context, t *testing.T, method string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, s.URL, body)
	require.NoError(t, err)
	res, err := s.Client().Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
