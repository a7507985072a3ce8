package bulwarktest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/bulwarktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a testing.TB that keeps what a check reports.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	errors   []string
	fatal    bool
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) {
	r.Errorf("%s", fmt.Sprint(args...))
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// recorded runs check and returns what it reported.
func recorded(t *testing.T, check func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // Fatal ends the goroutine
		defer close(done)
		check(r)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r
}

// protocol is a server and the client for it.
type protocol struct {
	desc string
	http2,
	tls bool
}

var protocols = []protocol{
	{"HTTP/1", false, false},
	{"HTTP/1 over TLS", false, true},
	{"HTTP/2 without TLS", true, false},
	{"HTTP/2", true, true},
}

// onEach runs f with a server for h on each protocol.
func onEach(t *testing.T, h http.Handler, f func(t *testing.T, c bulwarktest.Client, url string)) {
	t.Helper()
	for _, p := range protocols {
		t.Run(p.desc, func(t *testing.T) {
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = p.http2 && p.tls
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(!p.http2)
			s.Config.Protocols.SetHTTP2(p.http2 && p.tls)
			s.Config.Protocols.SetUnencryptedHTTP2(p.http2 && !p.tls)
			c := bulwarktest.Client{HTTP2: p.http2}
			if p.tls {
				s.StartTLS()
				c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			f(t, c, s.URL)
		})
	}
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	return r
}
