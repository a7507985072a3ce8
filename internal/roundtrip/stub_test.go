package roundtrip_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/roundtrip"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// outcome describes what the caller of a call sees.
func outcome(res *http.Response, err error) string {
	var s strings.Builder
	fmt.Fprintf(&s, "err %v", err)
	if res != nil {
		fmt.Fprintf(&s, "; status %d, length %d, nil header %t, nil body %t", res.StatusCode, res.ContentLength, res.Header == nil, res.Body == nil)
		if res.Body != nil {
			b, err := io.ReadAll(res.Body)
			fmt.Fprintf(&s, ", body %q, %v, %v", b, err, res.Body.Close())
		}
	}
	return s.String()
}

// A mistake of a RoundTripper or of a caller ends as without the transports: with
// net/http's error, and not with a panic.
func TestIncompleteRequestsAndResponses(t *testing.T) {
	respond := func(res *http.Response, err error) http.RoundTripper {
		return stub(func(*http.Request) (*http.Response, error) {
			if res == nil {
				return nil, err
			}
			again := *res
			return &again, err
		})
	}
	u := &url.URL{Scheme: "http", Host: "localhost:1", Path: "/"}
	dead := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errBoom }}
	plain := http.Request{Method: "GET", URL: u, Header: http.Header{}}
	for _, tc := range []struct {
		desc string
		base http.RoundTripper
		req  http.Request
	}{
		{"no response, no error", respond(nil, nil), plain},
		{"nil Body", respond(&http.Response{StatusCode: 200, Header: http.Header{}}, nil), plain},
		{"nil Body and a length", respond(&http.Response{StatusCode: 200, ContentLength: 5}, nil), plain},
		{"nil Body and a length over the limit", respond(&http.Response{StatusCode: 200, ContentLength: 1 << 20}, nil), plain},
		{"nil Body of a HEAD", respond(&http.Response{StatusCode: 200, ContentLength: 5}, nil), http.Request{Method: "HEAD", URL: u, Header: http.Header{}}},
		{"nil Header of the response", respond(&http.Response{StatusCode: 200, Body: http.NoBody}, nil), plain},
		{"NoBody", respond(&http.Response{StatusCode: 204, Body: http.NoBody}, nil), plain},
		{"nil Body of a 101", respond(&http.Response{StatusCode: 101}, nil), plain},
		{"a response and an error", respond(&http.Response{StatusCode: 200, Body: http.NoBody}, errBoom), plain},
		{"the zero Response", respond(&http.Response{}, nil), plain},
		{"nil Header", dead, http.Request{Method: "GET", URL: u}},
		{"nil Header, a stub", respond(&http.Response{StatusCode: 200, Body: http.NoBody}, nil), http.Request{Method: "GET", URL: u}},
		{"nil URL", dead, http.Request{Method: "GET", Header: http.Header{}}},
		{"nil URL, a stub", respond(&http.Response{StatusCode: 200, Body: io.NopCloser(failing{io.EOF})}, nil), http.Request{Header: http.Header{}}},
		{"the zero Request", dead, http.Request{}},
		{"the zero Request, a stub", respond(&http.Response{StatusCode: 200, Body: http.NoBody}, nil), http.Request{}},
		{"no host", dead, http.Request{URL: &url.URL{Scheme: "http"}, Header: http.Header{}}},
		{"no scheme", dead, http.Request{URL: &url.URL{Host: "localhost"}, Header: http.Header{}}},
		{"a header that is none", dead, http.Request{URL: u, Header: http.Header{"a b": {"c"}}}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			call := func(tr transport) (direct, client string) {
				req := tc.req.WithContext(t.Context())
				direct = outcome(tr.wrap(tc.base).RoundTrip(req))
				if req.URL == nil {
					return direct, "" // http.Client refuses it
				}
				res, err := (&http.Client{Transport: tr.wrap(tc.base)}).Do(req)
				client = outcome(res, err)
				return direct, strings.NewReplacer("roundtrip_test.stub", "T", "*roundtrip.Transport", "T").Replace(client)
			}
			direct, client := call(bare)
			each(t, func(t *testing.T, tr transport) {
				d, c := call(tr)
				assert.Equal(t, direct, d)
				assert.Equal(t, client, c)
			})
		})
	}
}

// The caller gets the response that the RoundTripper below made, with the caller's own
// request.
func TestOneResponse(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		made := &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("x")), ContentLength: -1}
		req := newRequest(t, http.MethodGet, "http://test/", nil)
		res, err := tr.wrap(stub(func(r *http.Request) (*http.Response, error) {
			made.Request = r
			return made, nil
		})).RoundTrip(req)
		require.NoError(t, err)
		assert.Same(t, made, res)
		assert.Same(t, req, res.Request)
		made.Trailer = http.Header{"Late": {"x"}}
		assert.Equal(t, "x", res.Trailer.Get("Late"))
		require.NoError(t, res.Body.Close())
	})
}

// The caller's request is not modified, and the RoundTripper below gets all of it.
func TestRequestIsPassedOn(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		req := newRequest(t, http.MethodPost, "http://u:p@test/path?q", strings.NewReader("body"))
		req.Header.Set("A", "b")
		req.Host, req.Close, req.Pattern = "other", true, "/p"
		req.Trailer = http.Header{"T": nil}
		req.TransferEncoding = []string{"chunked"}
		before := req.Clone(t.Context())
		body := req.Body
		var got *http.Request
		_, err := tr.wrap(stub(func(r *http.Request) (*http.Response, error) {
			got = r
			return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
		})).RoundTrip(req)
		require.NoError(t, err)
		assert.Equal(t, before.Header, req.Header)
		assert.Same(t, req.URL, got.URL)
		assert.Equal(t, "b", got.Header.Get("A"))
		assert.Equal(t, req.Trailer, got.Trailer)
		got.Trailer.Set("T", "set")
		assert.Equal(t, "set", req.Trailer.Get("T"), "one map")
		assert.Equal(t, body, req.Body)
		assert.EqualValues(t, 4, got.ContentLength)
		assert.Equal(t, []any{"other", true, "/p", "POST"}, []any{got.Host, got.Close, got.Pattern, got.Method})
		assert.Equal(t, req.TransferEncoding, got.TransferEncoding)
		again, err := got.GetBody()
		require.NoError(t, err)
		b, _ := io.ReadAll(again)
		assert.Equal(t, "body", string(b))
	})
}

func TestNoBodyStaysNoBody(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		for _, body := range []io.ReadCloser{nil, http.NoBody} {
			req := newRequest(t, http.MethodPost, "http://test/", nil)
			req.Body = body
			_, err := tr.wrap(stub(func(r *http.Request) (*http.Response, error) {
				assert.Equal(t, body, r.Body)
				return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
			})).RoundTrip(req)
			require.NoError(t, err)
		}
	})
}

// countedBody counts how often it is closed.
type countedBody struct {
	io.Reader
	closes atomic.Int32
}

func (b *countedBody) Close() error {
	b.closes.Add(1)
	return nil
}

// Every body is closed once, also if the call fails or is refused.
func TestBodiesAreClosedOnce(t *testing.T) {
	past, cancel := context.WithTimeout(context.Background(), -1)
	defer cancel()
	for _, tc := range []struct {
		desc     string
		ctx      context.Context
		err      error
		length   int64
		fails    bool
		response bool // there is one to close
	}{
		{"answered", context.Background(), nil, -1, false, true},
		{"failed", context.Background(), errBoom, 0, true, false},
		{"the deadline has passed", past, nil, -1, true, false},
		{"over the limit", context.Background(), nil, 1 << 20, true, true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			sent, received := &countedBody{Reader: strings.NewReader("x")}, &countedBody{Reader: strings.NewReader("y")}
			rt := transports[3].wrap(stub(func(r *http.Request) (*http.Response, error) {
				_ = r.Body.Close() // as a RoundTripper must
				if tc.err != nil {
					return nil, tc.err
				}
				return &http.Response{StatusCode: 200, ContentLength: tc.length, Body: received}, nil
			}))
			req := newRequest(t, http.MethodPost, "http://test/", sent).WithContext(tc.ctx)
			res, err := rt.RoundTrip(req)
			assert.Equal(t, tc.fails, err != nil, "%v", err)
			if err == nil {
				require.NoError(t, res.Body.Close())
			}
			assert.EqualValues(t, 1, sent.closes.Load())
			if tc.response {
				assert.EqualValues(t, 1, received.closes.Load())
			}
		})
	}
}

// timeoutError is an error of a lower layer, with all methods that callers look for.
type timeoutError struct{}

func (timeoutError) Error() string   { return "mine" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// Errors of the lower layers, from RoundTrip and from the body, are passed on
// unchanged, also the errors of their deadlines.
func TestErrorsAreUnchanged(t *testing.T) {
	for _, want := range []error{
		errBoom, io.ErrUnexpectedEOF, net.ErrClosed, context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		timeoutError{}, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded},
		fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
		&timeout.Error{Limit: 1, Phase: timeout.PhaseHandler}, http.ErrHandlerTimeout,
	} {
		t.Run(fmt.Sprintf("%T %v", want, want), func(t *testing.T) {
			each(t, func(t *testing.T, tr transport) {
				_, err := tr.wrap(stub(func(*http.Request) (*http.Response, error) { return nil, want })).
					RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil))
				assert.Equal(t, want, err)
				res, err := tr.wrap(stub(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("x"), failing{want}))}, nil
				})).RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil))
				require.NoError(t, err)
				b, err := io.ReadAll(res.Body)
				assert.Equal(t, "x", string(b))
				assert.Equal(t, want, err)
				require.NoError(t, res.Body.Close())
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A body with a WriteTo method is written through the transports in one write.
func TestWriterTo(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		rt := tr.wrap(stub(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader(strings.Repeat("x", 40000)))}, nil
		}))
		res, err := rt.RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil))
		require.NoError(t, err)
		w := new(writes)
		n, err := io.Copy(w, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.EqualValues(t, 40000, n)
		assert.Equal(t, writes{40000}, *w)

		// A write error is not an error of the body.
		res, err = rt.RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil))
		require.NoError(t, err)
		_, err = io.Copy(failingWriter{}, res.Body)
		assert.Equal(t, errBoom, err)
		require.NoError(t, res.Body.Close())
	})
}

// The limit of package limits holds for a body with a WriteTo method.
func TestWriterToIsLimited(t *testing.T) {
	rt := limits.NewTransport(limits.TransportConfig{MaxResponseBytes: 5, Base: stub(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader("0123456789"))}, nil
	})})
	res, err := rt.RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil))
	require.NoError(t, err)
	var b strings.Builder
	_, err = io.Copy(&b, res.Body)
	var e *limits.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "01234", b.String())
	_, err = res.Body.Read(make([]byte, 1))
	assert.Equal(t, e, err, "it stays")
	require.NoError(t, res.Body.Close())
}

type writes []int

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, len(p))
	return len(p), nil
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errBoom }

// The default transport may be replaced by one that wraps it. Users of net/http assign
// to http.DefaultTransport in main.
func TestReplacingTheDefaultTransport(t *testing.T) {
	s := testhttp.HTTP1.Start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = &http.Transport{}
	for _, tr := range transports {
		http.DefaultTransport = tr.wrap(nil)
	}
	res, err := http.Get(s.URL)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, "hello", string(b))
	http.DefaultClient.CloseIdleConnections()
}

// A wrong Base is found when the transport is made.
func TestWrongBase(t *testing.T) {
	for _, base := range []http.RoundTripper{(*http.Transport)(nil), stub(nil)} {
		want := fmt.Sprintf("Base must not be a nil %T", base)
		assert.PanicsWithValue(t, "timeout: "+want+"; Limit must not be negative", func() {
			timeout.NewTransport(timeout.TransportConfig{Base: base, Limit: -1})
		})
		assert.PanicsWithValue(t, "limits: "+want+"; MaxResponseBytes must not be negative", func() {
			limits.NewTransport(limits.TransportConfig{Base: base, MaxResponseBytes: -1})
		})
		assert.PanicsWithValue(t, "logging: "+want+"; RequestIDHeader \"a b\" is not a valid header name", func() {
			logging.NewTransport(logging.TransportConfig{Base: base, RequestIDHeader: "a b"})
		})
	}
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = nil
	_, err := roundtrip.Base(nil)
	assert.EqualError(t, err, "Base is nil, and so is http.DefaultTransport")
}

// If a RoundTripper below panics, the call ends, the panic is passed on, and no timer
// is left.
func TestPanicBelow(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		var ctx context.Context
		rt := tr.wrap(stub(func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			panic(errBoom)
		}))
		assert.PanicsWithValue(t, errBoom, func() { _, _ = rt.RoundTrip(newRequest(t, http.MethodGet, "http://test/", nil)) })
		if tr.desc == "timeout" {
			assert.ErrorIs(t, ctx.Err(), context.Canceled)
		}
	})
}
