//go:build wire

package faults_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// errorHandlers are unusual ErrorHandlers of a deadline.
var errorHandlers = []struct {
	desc   string
	do     func(http.ResponseWriter, *http.Request, error)
	status int
	header http.Header // without Connection
	body   string
}{
	{"Connection: close", func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(504)
		w.Write([]byte("late"))
	}, 504, http.Header{"Content-Length": {"4"}, "Content-Type": {"text/plain"}}, "late"},
	{"Connection: close in small letters, with Keep-Alive", func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.Header()["connection"] = []string{"Close"}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(503)
		w.Write([]byte("late"))
	}, 503, http.Header{"Content-Length": {"4"}, "Content-Type": {"text/plain"}}, "late"},
	{"204", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(204) }, 204, http.Header{}, ""},
	{"204 with a body", func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(204)
		w.Write([]byte("none"))
	}, 204, http.Header{}, ""},
	{"304", func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(304)
	}, 304, http.Header{"Etag": {`"1"`}}, ""},
	{"a status without a body", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(503) }, 503, http.Header{"Content-Length": {"0"}}, ""},
	{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 504,
		http.Header{"Content-Length": {"16"}, "Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"}}, "Gateway Timeout\n"},
	{"a 1xx first", func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(103)
		w.WriteHeader(503)
	}, 503, http.Header{"Content-Length": {"0"}}, ""},
}

// TestAnswersOfAnErrorHandler: on HTTP/2 no ErrorHandler ends the connection, which has
// other streams, and a status without a body has no length.
func TestAnswersOfAnErrorHandler(t *testing.T) {
	for _, e := range errorHandlers {
		for _, h := range lateHandlers {
			for _, method := range []string{"GET", "HEAD"} {
				t.Run(e.desc+"/"+method+"/"+h.desc, func(t *testing.T) {
					t.Parallel()
					each(t, every, []stack{stacks[0], whole}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
						release := make(latch)
						srv, records := serve(t, s, o, timeout.Config{Limit: limit, ErrorHandler: e.do}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
							if r.URL.Path != "/next" {
								h.wait(r.Context(), release)
							}
						}))
						t.Cleanup(release.open)
						c := raw.Dial(t, srv.Addr, proto)
						got := raw.Do(t, c, &raw.Request{Method: method})
						header, want := got.Stable().Header, e.header.Clone()
						header.Del("Connection")
						body := e.body
						if method == "HEAD" {
							header.Del("Content-Length")
							want.Del("Content-Length")
							body = ""
						}
						assert.Equal(t, [3]any{e.status, want, body}, [3]any{got.Status, header, got.Body})
						if proto != "2" || !o.touches {
							assert.Equal(t, raw.Whole, got.End)
						}
						if s.logs {
							l := h.line(recordOf(t, records, "/"))
							if e.status == 504 {
								l.Intended = 0
							}
							assert.Equal(t, line{Status: e.status, Outcome: "deadline"}, l)
						}
						if c2, ok := c.(*raw.HTTP2); ok {
							assert.Empty(t, got.Field("Connection"))
							next := raw.Do(t, c, &raw.Request{Path: "/next"})
							assert.Equal(t, [2]any{200, raw.Whole}, [2]any{next.Status, next.End})
							assert.False(t, c2.GoneAway(), "GOAWAY")
						} else {
							assert.NoError(t, c.Ended())
						}
					})
				})
			}
		}
	}
}

// TestRefusalsOnHTTP2: refusals do not end the connection either.
func TestRefusalsOnHTTP2(t *testing.T) {
	closing := func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(503)
	}
	for _, c := range []struct {
		desc string
		mw   middleware
		req  raw.Request
	}{
		{"a budget that is spent", timeout.New(timeout.Config{
			Limit: time.Minute, TrustCaller: func(*http.Request) bool { return true }, ErrorHandler: closing,
		}), raw.Request{Header: []string{"grpc-timeout: 0S"}}},
		{"limits", limits.New(limits.Config{MaxBodyBytes: 1, ErrorHandler: closing}), raw.Request{Method: "POST", Body: "12345"}},
	} {
		t.Run(c.desc, func(t *testing.T) {
			t.Parallel()
			records := raw.NewRecords()
			srv := raw.Start(t, &http.Server{Handler: bulwark.Chain(logging.New(records.Config()), c.mw)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))})
			client := raw.DialHTTP2(t, srv.Addr, 1<<20)
			got := raw.Do(t, client, &c.req)
			assert.Equal(t, [3]any{503, "", raw.Whole}, [3]any{got.Status, got.Field("Connection"), got.End})
			assert.Equal(t, line{Status: 503, Outcome: "refused"}, lineOf(records.Next(t)))
			next := raw.Do(t, client, &raw.Request{Path: "/next"})
			assert.Equal(t, [2]any{200, raw.Whole}, [2]any{next.Status, next.End})
			assert.False(t, client.GoneAway(), "GOAWAY")
		})
	}
}
