package exchange_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// The optional interfaces of a server's writer, each a struct to embed.
type (
	flusher       struct{ called *string }
	hijacker      struct{ called *string }
	readerFrom    struct{ called *string }
	pusher        struct{ called *string }
	stringWriter  struct{ called *string }
	closeNotifier struct{ called *string }
	plain         struct{ header http.Header }
)

func (f flusher) Flush() { *f.called = "Flush" }
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	*h.called = "Hijack"
	return nil, nil, errHijack
}

func (r readerFrom) ReadFrom(io.Reader) (int64, error) {
	*r.called = "ReadFrom"
	return 0, nil
}

func (p pusher) Push(string, *http.PushOptions) error {
	*p.called = "Push"
	return nil
}

func (s stringWriter) WriteString(v string) (int, error) {
	*s.called = "WriteString"
	return len(v), nil
}

func (c closeNotifier) CloseNotify() <-chan bool {
	*c.called = "CloseNotify"
	return nil
}

func (p plain) Header() http.Header         { return p.header }
func (p plain) WriteHeader(int)             {}
func (p plain) Write(b []byte) (int, error) { return len(b), nil }

var errHijack = errors.New("no")

// options are the optional interfaces in the order of the bits in
// shapes_gen.go.
var options = []struct {
	name string
	is   func(http.ResponseWriter) bool
	call func(http.ResponseWriter)
}{
	{"Flush", has[http.Flusher], func(w http.ResponseWriter) { w.(http.Flusher).Flush() }},
	{"Hijack", has[http.Hijacker], func(w http.ResponseWriter) { _, _, _ = w.(http.Hijacker).Hijack() }},
	{"ReadFrom", has[io.ReaderFrom], func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(http.NoBody) }},
	{"Push", has[http.Pusher], func(w http.ResponseWriter) { _ = w.(http.Pusher).Push("/", nil) }},
	{"WriteString", has[io.StringWriter], func(w http.ResponseWriter) { _, _ = w.(io.StringWriter).WriteString("x") }},
	{"CloseNotify", has[http.CloseNotifier], func(w http.ResponseWriter) { w.(http.CloseNotifier).CloseNotify() }}, //nolint:staticcheck // offered because net/http still does
}

func has[T any](w http.ResponseWriter) bool {
	_, ok := w.(T)
	return ok
}

// The writer offers exactly the optional interfaces of the one it wraps, in all
// 64 combinations, and each reaches the one it wraps. A writer that claims
// Flusher where there is none makes Echo panic and SSE libraries go deaf.
func TestShapes(t *testing.T) {
	require.Len(t, writers, 1<<len(options))
	for mask, writer := range writers {
		var called string
		inner := writer(&called)
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			assert.True(t, has[interface{ Unwrap() http.ResponseWriter }](w))
			assert.True(t, has[interface{ FlushError() error }](w))
			for i, o := range options {
				want := mask>>i&1 == 1
				assert.Equal(t, want, o.is(inner), "the test's own writer %d has %s", mask, o.name)
				assert.Equal(t, want, o.is(w), "%d: %s", mask, o.name)
				if want {
					called = ""
					o.call(w)
					assert.Equal(t, o.name, called, "%d", mask)
				}
			}
		})
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		func() {
			defer func() { _ = recover() }()
			entering(nil)(handler).ServeHTTP(inner, r)
		}()
	}
}

// Flushing what cannot be flushed is an error that says so, and commits nothing.
func TestFlushWhereThereIsNone(t *testing.T) {
	rec := plain{http.Header{}}
	entering(func(x *exchange.Exchange) {})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		assert.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
		_, _, err := http.NewResponseController(w).Hijack()
		assert.ErrorIs(t, err, http.ErrNotSupported)
		assert.ErrorIs(t, http.NewResponseController(w).SetReadDeadline(time.Time{}), http.ErrNotSupported)
		assert.ErrorIs(t, http.NewResponseController(w).EnableFullDuplex(), http.ErrNotSupported)
		w.WriteHeader(http.StatusTeapot)
	})).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
}
