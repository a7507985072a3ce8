package exchange

import (
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime/pprof"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// These tests are of net/http and runtime/pprof alone. Each fails if they no longer
// behave as docs/reliance.md says.

func serveBare(t *testing.T, p testhttp.Protocol, h http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	s := p.StartUnencrypted(t, h)
	return s.Client(), s.URL
}

// The sizes of the server's buffers decide whether the head of an aborted response is
// sent.
func TestServerBuffersAsMuchAsWeCount(t *testing.T) {
	abort := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	broken := func(w http.ResponseWriter) {
		_ = http.NewResponseController(w).SetWriteDeadline(expired)
		abort(w)
	}
	for _, tt := range []struct {
		desc string
		p    testhttp.Protocol
		size int
		end  func(http.ResponseWriter)
		want bool // the head is sent
	}{
		{"HTTP/1, a full buffer", testhttp.HTTP1, bufferedHTTP1, abort, false},
		{"HTTP/1, one byte more", testhttp.HTTP1, bufferedHTTP1 + 1, abort, true},
		{"HTTP/1, one byte more, broken", testhttp.HTTP1, bufferedHTTP1 + 1, broken, false},
		{"HTTP/1, both buffers full, broken", testhttp.HTTP1, bufferedHTTP1 + bufferedConn + 1, broken, true},
		{"HTTP/2, a full buffer", testhttp.HTTP2, bufferedHTTP2, abort, false},
		{"HTTP/2, one byte more", testhttp.HTTP2, bufferedHTTP2 + 1, abort, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			client, url := serveBare(t, tt.p, func(w http.ResponseWriter, _ *http.Request) {
				for range tt.size { // byte by byte: a large write would pass the buffers
					_, _ = w.Write([]byte{'x'})
				}
				tt.end(w)
			})
			res, err := client.Get(url)
			assert.Equal(t, tt.want, err == nil, "%v", err)
			if err == nil {
				_ = res.Body.Close()
			}
		})
	}
}

// On HTTP/2 reads and writes that fail because the connection has ended fail with an
// error that net/http does not export. Most of many writes do.
func TestServerNamesADisconnectedClient(t *testing.T) {
	const streams = 60
	begun, reads, writes := make(chan struct{}, streams), make(chan error, streams), make(chan error, streams)
	client, url := serveBare(t, testhttp.HTTP2, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		_, err := r.Body.Read(make([]byte, 1))
		reads <- err
		<-r.Context().Done()
		_, err = w.Write(make([]byte, 2*bufferedHTTP2))
		writes <- err
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	conn := make(chan io.Closer, 1)
	client.Transport.(*http.Transport).DialContext = dialOnce(conn)
	for range streams {
		body, open := io.Pipe() // never ends
		t.Cleanup(func() { _ = open.Close() })
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
		require.NoError(t, err)
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		<-begun
	}
	require.NoError(t, (<-conn).Close())
	known := 0
	for range streams {
		if err := <-writes; err != nil && connectionEnded(err) {
			known++
		}
		err := <-reads
		require.Error(t, err)
		assert.True(t, connectionEnded(err), "%v", err)
	}
	assert.Positive(t, known)
}

// On HTTP/2 a write to a stream that the client has reset fails with an error that
// net/http does not export either.
func TestServerNamesAResetStream(t *testing.T) {
	wrote := make(chan error, 1)
	client, url := serveBare(t, testhttp.HTTP2, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		_, err := w.Write(make([]byte, 2*bufferedHTTP2))
		wrote <- err
	})
	res, err := client.Get(url)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.EqualError(t, <-wrote, streamClosed)
}

// dialOnce dials and passes the connection on.
func dialOnce(to chan<- io.Closer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			to <- conn
		}
		return conn, err
	}
}

// Only the server's own HTTP/1 writer may lend its header map to a handler.
func TestServersHTTP1WriterIsKnown(t *testing.T) {
	for _, p := range testhttp.Protocols {
		got := make(chan bool, 1)
		client, url := serveBare(t, p, func(w http.ResponseWriter, _ *http.Request) { got <- isHTTP1Writer(reflect.TypeOf(w)) })
		res, err := client.Get(url)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, p == testhttp.HTTP1, <-got, p)
	}
}

// runtime/pprof asks a context for its labels with one key, and takes nothing for
// labels that is not of its own type.
func TestProfilerLabelsOfAContext(t *testing.T) {
	assert.True(t, new(listener).hears())
	assert.NotEqual(t, any(exchangeKey{}), labelKey)
	x := &Exchange{}
	x.ctx.Init(t.Context(), (*parentWatch)(x))
	defer pprof.SetGoroutineLabels(t.Context())
	pprof.SetGoroutineLabels(x)
	_, found := pprof.Label(x, "any")
	assert.False(t, found)
	pprof.ForLabels(x, func(string, string) bool { return assert.Fail(t, "there are none") })
	pprof.Do(x, pprof.Labels("mine", "1"), func(ctx context.Context) {
		value, _ := pprof.Label(ctx, "mine")
		assert.Equal(t, "1", value)
	})
}
