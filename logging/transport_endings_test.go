package logging_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// outboundOver is outbound over one version of HTTP.
func outboundOver(t *testing.T, p testhttp.Protocol, h http.HandlerFunc) (*http.Client, string, *lines) {
	t.Helper()
	s := p.StartUnencrypted(t, h)
	l := newLines()
	return &http.Client{Transport: logging.NewTransport(logging.TransportConfig{Base: s.Transport(), Logger: l.logger()})}, s.URL, l
}

// http.Client.Timeout cancels a call in two ways at once. Whichever is first, the call
// ended at its deadline: before the head, in the body, after a redirect, or while
// nothing is read.
func TestClientTimeoutIsADeadline(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		plain, url, _ := outboundOver(t, p, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/redirect":
				http.Redirect(w, r, "/head", http.StatusFound)
				return
			case "/body":
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		base := plain.Transport
		for _, path := range []string{"/head", "/body", "/unread", "/redirect"} {
			records := make(chan logging.Record, 2)
			c := &http.Client{Timeout: 30 * time.Millisecond, Transport: logging.NewTransport(logging.TransportConfig{
				Base: base, Logger: slog.New(slog.DiscardHandler), OnRecord: func(_ context.Context, r logging.Record) { records <- r },
			})}
			res, err := c.Get(url + strings.Replace(path, "/unread", "/body", 1))
			if err == nil {
				defer res.Body.Close()
				if path != "/unread" {
					_, err = io.ReadAll(res.Body)
					assert.Error(t, err)
				}
			}
			r := <-records
			if r.Path == "/redirect" && r.Status == http.StatusFound {
				assert.Equal(t, logging.OutcomeOK, r.Outcome)
				r = <-records
			}
			assert.Equal(t, logging.OutcomeDeadline, r.Outcome, "%s: %v", path, r.Cause)
		}
	})
}

// A cancellation by the deprecated Request.Cancel is an abort.
func TestRequestCancelIsAborted(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		asked := make(chan struct{}, 1)
		c, url, l := outboundOver(t, p, func(_ http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		})
		r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		cancel := make(chan struct{})
		r.Cancel = cancel //nolint:staticcheck // callers still use it, http.Client among them
		go func() {
			<-asked
			close(cancel)
		}()
		_, err := c.Do(r)
		require.Error(t, err)
		assert.Equal(t, "aborted", l.next(t)["outcome"])
	})
}

// A decoder that has its value does not read the end of the body. The call is complete
// if there was nothing more.
func TestDecodeAndClose(t *testing.T) {
	for _, tc := range []struct {
		path, outcome string
	}{{"/declared", "ok"}, {"/flushed", "ok"}, {"/gzip", "ok"}, {"/more", "aborted"}, {"/endless", "aborted"}} {
		t.Run(tc.path, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				c, url, l := outboundOver(t, p, func(w http.ResponseWriter, r *http.Request) {
					out := io.Writer(w)
					if r.URL.Path == "/gzip" {
						w.Header().Set("Content-Encoding", "gzip")
						gz := gzip.NewWriter(w)
						defer gz.Close()
						out = gz
					}
					_, _ = io.WriteString(out, `{"a":1}`)
					if r.URL.Path == "/declared" {
						return
					}
					_ = http.NewResponseController(w).Flush()
					if r.URL.Path == "/more" {
						_, _ = io.WriteString(out, strings.Repeat("x", 1<<20))
					}
					if r.URL.Path == "/endless" {
						<-r.Context().Done()
					}
				})
				res, err := c.Get(url + tc.path)
				require.NoError(t, err)
				var v struct{ A int }
				require.NoError(t, json.NewDecoder(res.Body).Decode(&v))
				assert.Equal(t, 1, v.A)
				began := time.Now()
				require.NoError(t, res.Body.Close())
				assert.Less(t, time.Since(began), 5*time.Second)
				m := l.next(t)
				assert.Equal(t, tc.outcome, m["outcome"], "%s", m["raw"])
				assert.Equal(t, "INFO", m["level"])
			})
		})
	}
}

// A response without content is complete at its head, whatever length it declares.
func TestNoContentIsComplete(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		c, url, l := outboundOver(t, p, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusNotModified)
			}
		})
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r, _ := http.NewRequestWithContext(t.Context(), method, url, nil)
			res, err := c.Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			m := l.next(t)
			assert.Equal(t, "ok", m["outcome"], "%s", m["raw"])
		}
	})
}

// stubBase is a RoundTripper made of a function.
type stubBase func(*http.Request) (*http.Response, error)

func (f stubBase) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// send sends a request with the body through a transport and returns its record.
func send(t *testing.T, base http.RoundTripper, r *http.Request) (rec logging.Record, err error) {
	t.Helper()
	rt := logging.NewTransport(logging.TransportConfig{
		Base: base, Logger: slog.New(slog.DiscardHandler), OnRecord: func(_ context.Context, r logging.Record) { rec = r },
	})
	res, err := rt.RoundTrip(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	return rec, err
}

// replayable is a request whose body can be had again, but is not in memory.
func replayable(t *testing.T, url string) *http.Request {
	t.Helper()
	again := func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(strings.NewReader("hello"))), nil }
	body, _ := again()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, body)
	require.NoError(t, err)
	r.GetBody, r.ContentLength = again, 5
	r.Header.Set("Idempotency-Key", "1") // net/http sends it again only then
	return r
}

// A body that is sent again is counted once.
func TestReplaysAreCounted(t *testing.T) {
	for _, first := range []int64{0, 2, 5} {
		rec, err := send(t, stubBase(func(r *http.Request) (*http.Response, error) {
			_, _ = io.CopyN(io.Discard, r.Body, first)
			_ = r.Body.Close()
			again, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			_, _ = io.Copy(io.Discard, again)
			return &http.Response{StatusCode: 204, Body: http.NoBody}, again.Close()
		}), replayable(t, "http://test/"))
		require.NoError(t, err)
		assert.EqualValues(t, 5, rec.BytesOut, "after %d bytes", first)
	}
}

// The same by net/http, which sends a request again if the idle connection that it
// took is closed.
func TestNetHTTPsReplayIsCounted(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			br := bufio.NewReader(conn)
			for answered := 0; ; answered++ {
				r, err := http.ReadRequest(br)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, r.Body)
				if n == 0 && answered == 1 {
					break // closed while it was asked again
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	for range 2 {
		rec, err := send(t, base, replayable(t, "http://"+ln.Addr().String()))
		require.NoError(t, err)
		assert.EqualValues(t, 5, rec.BytesOut)
		assert.Equal(t, 204, rec.Status)
	}
}

// A body in memory is left to net/http as it is, and counted all the same.
func TestBodiesInMemoryAreCounted(t *testing.T) {
	release := make(chan struct{})
	s := testhttp.HTTP1.Start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/slow" {
			<-release
		}
	}))
	defer close(release)
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	for _, tc := range []struct {
		desc, url, expect string
		size              int
		fails             bool
		want              int64
	}{
		{"answered", s.URL, "", 5, false, 5},
		{"large", s.URL, "", 1 << 20, false, 1 << 20},
		{"not read", s.URL + "/early", "", 5, false, 5},
		{"no answer in time", s.URL + "/slow", "", 5, true, 5},
		{"no connection", "http://127.0.0.1:1", "", 5, true, 0},
		{"not wanted", s.URL + "/early", "100-continue", 5, false, 0},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, tc.url, strings.NewReader(strings.Repeat("x", tc.size)))
			require.NoError(t, err)
			if tc.expect != "" {
				r.Header.Set("Expect", tc.expect)
				base.ExpectContinueTimeout = 10 * time.Second
			}
			if strings.HasSuffix(tc.url, "/slow") {
				time.AfterFunc(200*time.Millisecond, cancel)
			}
			rec, err := send(t, base, r)
			assert.Equal(t, tc.fails, err != nil, "%v", err)
			assert.Equal(t, tc.want, rec.BytesOut)
		})
	}
}

// A hook that panics loses its own result and nothing else.
func TestOutboundHooksThatPanic(t *testing.T) {
	base := stubBase(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: 1, Body: io.NopCloser(strings.NewReader("x"))}, nil
	})
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.DiscardHandler)) // where the panics are reported
	for _, tc := range []struct {
		desc string
		cfg  logging.TransportConfig
		line bool
	}{
		{"OnRecord", logging.TransportConfig{OnRecord: func(context.Context, logging.Record) { panic("hook") }}, true},
		{"Level", logging.TransportConfig{Level: func(logging.Record) slog.Level { panic("hook") }}, true},
		{"PassIDs", logging.TransportConfig{PassIDs: func(*http.Request) bool { panic("hook") }}, true},
		{"the slog handler", logging.TransportConfig{Logger: slog.New(panicking{})}, false},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			l := newLines()
			tc.cfg.Base = base
			if tc.cfg.Logger == nil {
				tc.cfg.Logger = l.logger()
			}
			rt := logging.NewTransport(tc.cfg)
			logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				out, _ := http.NewRequestWithContext(r.Context(), "GET", "http://inside/", nil)
				res, err := rt.RoundTrip(out)
				assert.NoError(t, err)
				b, err := io.ReadAll(res.Body)
				assert.NoError(t, err)
				assert.Equal(t, "x", string(b))
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			if tc.line {
				assert.Equal(t, "ok", l.next(t)["outcome"])
			}
		})
	}
}

// The report of a panic prints its value as the log record of a request does: an
// endless value does not end the process, and no secret of a request is printed.
func TestReportOfAnOutboundHookThatPanics(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	secret := httptest.NewRequest(http.MethodGet, "http://inside/", http.NoBody)
	secret.Header.Set("Authorization", "hunter2")
	defer slog.SetDefault(slog.Default())
	for _, value := range []any{cyclic, secret} {
		var out strings.Builder
		slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
		rt := logging.NewTransport(logging.TransportConfig{
			Logger:   slog.New(slog.DiscardHandler),
			OnRecord: func(context.Context, logging.Record) { panic(value) },
			Base:     stubBase(func(*http.Request) (*http.Response, error) { return nil, errors.New("away") }),
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://inside/", http.NoBody)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req)
		require.Error(t, err)
		assert.Contains(t, out.String(), "in=OnRecord")
		assert.NotContains(t, out.String(), "hunter2")
	}
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool { panic("handler") }

// No lock is held while OnRecord runs: it may end the call again.
func TestOnRecordMayCloseTheBody(t *testing.T) {
	var res *http.Response
	calls := 0
	rt := logging.NewTransport(logging.TransportConfig{
		Logger: slog.New(slog.DiscardHandler),
		Base: stubBase(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader("x"))}, nil
		}),
		OnRecord: func(context.Context, logging.Record) {
			calls++
			_ = res.Body.Close()
		},
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://test/", nil)
	res, _ = rt.RoundTrip(r)
	_, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
}

// A call whose RoundTripper returns no response has a record as well.
func TestNoResponseIsAnError(t *testing.T) {
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://test/", nil)
	rec, err := send(t, stubBase(func(*http.Request) (*http.Response, error) { return nil, errors.New("boom") }), r)
	require.Error(t, err)
	assert.Equal(t, logging.OutcomeError, rec.Outcome)

	l := newLines()
	rt := logging.NewTransport(logging.TransportConfig{Logger: l.logger(), Base: stubBase(func(*http.Request) (*http.Response, error) {
		return nil, nil //nolint:nilnil // that is the case
	})})
	res, err := rt.RoundTrip(r)
	assert.Nil(t, res)
	assert.NoError(t, err)
	assert.Equal(t, "error", l.next(t)["outcome"])

	rt = logging.NewTransport(logging.TransportConfig{Logger: l.logger(), Base: stubBase(func(*http.Request) (*http.Response, error) { panic("boom") })})
	assert.PanicsWithValue(t, "boom", func() { _, _ = rt.RoundTrip(r) })
	assert.Equal(t, "error", l.next(t)["outcome"])
}
