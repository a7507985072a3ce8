package respwriter_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/respwriter"
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

// through is a Writer that only passes on calls.
type through struct{ inner http.ResponseWriter }

func (w *through) Header() http.Header         { return w.inner.Header() }
func (w *through) Write(p []byte) (int, error) { return w.inner.Write(p) }
func (w *through) WriteHeader(code int)        { w.inner.WriteHeader(code) }
func (w *through) Unwrap() http.ResponseWriter { return w.inner }
func (w *through) FlushError() error           { return http.NewResponseController(w.inner).Flush() }
func (w *through) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.inner.(http.Hijacker).Hijack()
}
func (w *through) ReadFrom(r io.Reader) (int64, error) { return w.inner.(io.ReaderFrom).ReadFrom(r) }
func (w *through) Push(t string, o *http.PushOptions) error {
	return w.inner.(http.Pusher).Push(t, o)
}
func (w *through) WriteString(v string) (int, error) { return io.WriteString(w.inner, v) }
func (w *through) CloseNotify() <-chan bool {
	return w.inner.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // offered because net/http still does
}
func (w *through) SetReadDeadline(time.Time) error  { return http.ErrNotSupported }
func (w *through) SetWriteDeadline(time.Time) error { return http.ErrNotSupported }
func (w *through) EnableFullDuplex() error          { return http.ErrNotSupported }

// A wrapper has exactly the optional interfaces of the writer that it wraps, in all 64
// combinations, and each reaches that writer.
func TestWrapKeepsTheOptionalInterfaces(t *testing.T) {
	require.Len(t, writers, 1<<len(options))
	for mask, writer := range writers {
		var called string
		inner := writer(&called)
		w := respwriter.Wrap(inner, &through{inner})
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
	}
}

func TestWrapAllocatesNothingForNetHTTP(t *testing.T) {
	for _, mask := range []int{1<<0 | 1<<1 | 1<<2 | 1<<4 | 1<<5, 1<<0 | 1<<3 | 1<<4 | 1<<5} {
		var called string
		inner := writers[mask](&called)
		p := &through{inner}
		assert.Zero(t, testing.AllocsPerRun(100, func() { respwriter.Wrap(inner, p) }), "%b", mask)
	}
}

// loop unwraps to itself.
type loop struct{ plain }

func (l loop) Unwrap() http.ResponseWriter { return l }

// wrapped hides everything of its writer but Unwrap.
type wrapped struct {
	plain
	inner http.ResponseWriter
}

func (w wrapped) Unwrap() http.ResponseWriter { return w.inner }

func TestFind(t *testing.T) {
	var called string
	server := writers[1](&called) // a Flusher
	p := &through{server}
	own := respwriter.Wrap(server, p)
	outer := wrapped{inner: wrapped{inner: own}}

	got, ok := respwriter.Find[*through](outer)
	assert.True(t, ok)
	assert.Same(t, p, got)
	_, ok = respwriter.Is[*through](outer)
	assert.False(t, ok)
	_, ok = respwriter.Find[*through](loop{})
	assert.False(t, ok)
	assert.Equal(t, server, respwriter.Innermost(outer))
	assert.True(t, respwriter.CanFlush(outer))
	assert.False(t, respwriter.CanFlush(loop{}))
	assert.True(t, respwriter.ReportsFlush(outer))
	assert.False(t, respwriter.ReportsFlush(server))
	assert.False(t, respwriter.ReportsFlush(wrapped{inner: server}))
	assert.False(t, respwriter.ReportsFlush(loop{}))
}
