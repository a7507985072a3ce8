package exchange_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// fault is the state of a request's body after it was read to its end.
type fault struct {
	kind exchange.BodyFault
	err  error
	read error
}

// faults reads each request's body and reports its state in the exchange.
func faults(limit int64) (http.Handler, chan fault) {
	seen := make(chan fault, 1)
	h := entering(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		x := exchange.From(r.Context())
		_, read := io.ReadAll(r.Body)
		kind, err := x.Body().Fault()
		seen <- fault{kind, err, read}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if limit > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
		}
		h.ServeHTTP(w, r)
	}), seen
}

func TestBodyFaultOnHTTP1(t *testing.T) {
	const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, tt := range []struct {
		desc, request string
		limit         int64
		want          exchange.BodyFault
	}{
		{"none", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab", 0, exchange.BodyFine},
		{"no body", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, exchange.BodyFine},
		{"a chunked body", chunked + "2\r\nab\r\n0\r\n\r\n", 0, exchange.BodyFine},
		{"empty", chunked + "0\r\n\r\n", 0, exchange.BodyEmpty},
		{"a chunk size that is no number", chunked + "ZZ\r\nab\r\n", 0, exchange.BodyMalformed},
		{"a chunk longer than its size", chunked + "2\r\nabcd\r\n", 0, exchange.BodyMalformed},
		{"a chunk size that overflows", chunked + strings.Repeat("f", 17) + "\r\n", 0, exchange.BodyMalformed},
		{"ended early", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", 0, exchange.BodyTruncated},
		{"a chunk that ended early", chunked + "5\r\nab", 0, exchange.BodyTruncated},
		{"no last chunk", chunked + "2\r\nab\r\n", 0, exchange.BodyTruncated},
		{"too large", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde", 4, exchange.BodyTooLarge},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			h, seen := faults(tt.limit)
			s := testhttp.HTTP1.Start(t, h)
			c := s.Dial(t)
			c.Send(t, tt.request)
			c.HalfClose(t)
			f := <-seen
			assert.Equal(t, tt.want, f.kind)
			if f.read != nil {
				assert.Equal(t, f.read, f.err, "it is what the reader got")
			}
		})
	}
}

func TestBodyFaultOfTheServersReadTimeout(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		h, seen := faults(0)
		s := p.StartUnencrypted(t, h, func(s *httptest.Server) { s.Config.ReadTimeout = 200 * time.Millisecond })

		body, w := io.Pipe()
		req := s.Request(t, http.MethodPost, "/", body)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Do(req)
		}()
		_, err := io.WriteString(w, "ab")
		require.NoError(t, err)
		assert.Equal(t, exchange.BodyTimeout, (<-seen).kind)
		require.NoError(t, w.Close())
		<-done
	})
}

func TestBodyFaultIsTheFirst(t *testing.T) {
	h := entering(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, first := io.ReadAll(r.Body)
		_, second := r.Body.Read(make([]byte, 1))
		kind, err := exchange.From(r.Context()).Body().Fault()
		assert.Equal(t, exchange.BodyTooLarge, kind)
		assert.Equal(t, first, err)
		assert.Error(t, second)
	}))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("abc"))
	w := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(w, r.Body, 1)
	h.ServeHTTP(w, r)
}

func TestLocalKeepsTheFirst(t *testing.T) {
	entering(func(x *exchange.Exchange) {
		assert.Nil(t, x.Notes.Local())
		assert.Equal(t, 1, x.Notes.SetLocal(1))
		assert.Equal(t, 1, x.Notes.SetLocal(2))
		assert.Equal(t, 1, x.Notes.Local())
	})(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestWireIsComplete(t *testing.T) {
	for _, tt := range []struct {
		desc, method string
		write        func(http.ResponseWriter)
		want         bool
	}{
		{"nothing", http.MethodGet, func(http.ResponseWriter) {}, false},
		{"204", http.MethodGet, func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		{"304", http.MethodGet, func(w http.ResponseWriter) { w.WriteHeader(304) }, true},
		{"HEAD", http.MethodHead, func(w http.ResponseWriter) { w.WriteHeader(200) }, true},
		{"a body of unknown length", http.MethodGet, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "ab") }, false},
		{"half of its length", http.MethodGet, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "ab")
		}, false},
		{"all of its length", http.MethodGet, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ab")
		}, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			entering(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tt.write(w)
				assert.Equal(t, tt.want, exchange.From(r.Context()).Response().State().Complete)
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(tt.method, "/", nil))
		})
	}
}

// On HTTP/2 net/http ends the body of a disconnected client first, and its context a
// little later. A handler that is faster must not count as one whose client is there.
func TestBodyOfADisconnectedClient(t *testing.T) {
	for _, tt := range []struct {
		major int
		want  exchange.Outcome
	}{
		{2, exchange.Gone},
		{1, exchange.OK}, // not an error of HTTP/1, so it is the application's
	} {
		o := newObserver()
		r := httptest.NewRequest(http.MethodPost, "/", iotest.ErrReader(errors.New("client disconnected")))
		r.ProtoMajor = tt.major
		o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			assert.Error(t, err)
			w.WriteHeader(http.StatusBadRequest)
		})).ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, tt.want, o.ending(t).Outcome, "HTTP/%d", tt.major)
	}
}
