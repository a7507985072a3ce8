package errmap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// bodyLog is a typical writer of services that log bodies. It has no Unwrap.
type bodyLog struct {
	http.ResponseWriter
	copied bytes.Buffer
}

func (b *bodyLog) Write(p []byte) (int, error) {
	b.copied.Write(p)
	return b.ResponseWriter.Write(p)
}

func logsBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&bodyLog{ResponseWriter: w}, r)
	})
}

// records buffers the response and sends it at the end.
func records(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// The cause and the id of an error response belong to the request, whatever writer is
// in between. https://github.com/samber/slog-echo/pull/107,
// https://github.com/elastic/apm-agent-go/pull/1707
func TestWritersWithoutUnwrap(t *testing.T) {
	m := mapper(is(errNotFound, 404))
	for desc, between := range map[string]func(http.Handler) http.Handler{"a body log": logsBodies, "a recorder": records} {
		for way, h := range map[string]http.Handler{
			"Handler": m.Handler(fails(errSecret)),
			"Write":   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Write(w, r, errSecret) }),
			"Write, and again": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m.Write(w, r, errSecret)
				m.Write(w, r, errNotFound)
				m.Write(w, r, errSecret)
			}),
			"Write in a Handler": m.Handler(func(w http.ResponseWriter, r *http.Request) error {
				m.Write(w, r, errSecret)
				return errNotFound
			}),
			"a panic": m.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errSecret) })),
		} {
			t.Run(desc+"/"+way, func(t *testing.T) {
				s := newSpy()
				testhttp.EachServer(t, s.wrap(between(h)), func(t *testing.T, srv *testhttp.Server) {
					res, err := srv.Client().Get(srv.URL)
					require.NoError(t, err)
					defer res.Body.Close()
					var doc struct{ Instance string }
					dec := json.NewDecoder(res.Body)
					require.NoError(t, dec.Decode(&doc))
					assert.Equal(t, 500, res.StatusCode)
					assert.ErrorIs(t, dec.Decode(&doc), io.EOF, "one document")
					e := <-s.ended
					assert.Equal(t, "urn:uuid:"+e.ProblemID, doc.Instance)
					if e.Panic == nil {
						assert.ErrorIs(t, e.Cause, errSecret)
					} else {
						assert.Equal(t, any(errSecret), e.Panic)
					}
				})
			})
		}
	}
}

// Nothing is appended to a success that was written through such a writer, even if the
// writer buffers it.
func TestLateErrorsBehindWritersWithoutUnwrap(t *testing.T) {
	m := mapper()
	late := func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "hello")
		return errSecret
	}
	written := func(w http.ResponseWriter, r *http.Request) {
		if err := late(w, r); err != nil {
			m.Write(w, r, err)
		}
	}
	panics := func(w http.ResponseWriter, r *http.Request) {
		_ = late(w, r)
		panic("boom")
	}
	for desc, h := range map[string]http.Handler{
		"a body log, Handler": logsBodies(m.Handler(late)),
		"a body log, Write":   logsBodies(http.HandlerFunc(written)),
		"a body log, Recover": logsBodies(m.Recover(http.HandlerFunc(panics))),
		"two body logs":       logsBodies(logsBodies(m.Handler(late))),
		"a body log between":  m.Recover(logsBodies(m.Handler(late))),
		"a recorder, Handler": records(m.Handler(late)),
		"a recorder, Recover": records(m.Recover(http.HandlerFunc(panics))),
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			testhttp.EachServer(t, s.wrap(h), func(t *testing.T, srv *testhttp.Server) {
				res, err := srv.Client().Get(srv.URL)
				var body []byte
				if err == nil {
					defer res.Body.Close()
					body, err = io.ReadAll(res.Body)
				}
				require.Error(t, err, "the client sees that the response is not whole")
				assert.NotContains(t, string(body), "title")
				e := <-s.ended
				assert.True(t, e.Cut)
				assert.Equal(t, 500, e.Intended)
			})
		})
	}
}

// A handler that serves a batch of requests, each with its own recorder, gets each
// response, although its own response has started.
func TestPartsOfABatch(t *testing.T) {
	m := errorJSON(is(errNotFound, 404), is(errConflict, 409))
	part := m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == "/1" {
			return errNotFound
		}
		return errConflict
	})
	s := newSpy()
	rec := serve(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, path := range []string{"/1", "/2"} {
			sub := httptest.NewRequest(http.MethodGet, path, nil).WithContext(r.Context())
			out := httptest.NewRecorder()
			part.ServeHTTP(out, sub)
			_, _ = io.WriteString(w, out.Body.String()+"\n")
		}
	})), get())
	assert.Equal(t, "{\"error\":\"not found\"}\n{\"error\":\"conflict\"}\n", rec.Body.String())
	e := <-s.ended
	assert.ErrorIs(t, e.Cause, errNotFound)
	assert.ErrorIs(t, e.Cause, errConflict)
	assert.False(t, e.Cut)
}

// A request that inherits the context of an earlier one does not use its exchange.
func TestInheritedContextOfAnEndedRequest(t *testing.T) {
	m := errorJSON(is(errNotFound, 404))
	var before *http.Request
	serve(m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		before = r
		return nil
	}), get())
	h := m.Handler(fails(errNotFound))
	rec := serve(h, get().WithContext(context.WithoutCancel(before.Context())))
	assert.Equal(t, 404, rec.Code)
	rec = httptest.NewRecorder()
	m.Write(rec, get().WithContext(context.WithoutCancel(before.Context())), errNotFound)
	assert.Equal(t, `{"error":"not found"}`, rec.Body.String())
}

// If Render calls Write, the client gets a plain response, and the process survives.
func TestRenderThatCallsWrite(t *testing.T) {
	for desc, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"as it is": func(w http.ResponseWriter) http.ResponseWriter { return w },
		"through a writer without Unwrap": func(w http.ResponseWriter) http.ResponseWriter {
			return &bodyLog{ResponseWriter: w}
		},
	} {
		t.Run(desc, func(t *testing.T) {
			var m *errmap.Mapper
			m = errmap.New(errmap.Config{
				Rules:  []errmap.Rule{is(errNotFound, 404)},
				Render: func(w http.ResponseWriter, r *http.Request, _ errmap.Problem) { m.Write(wrap(w), r, errSecret) },
			})
			s := newSpy()
			testhttp.EachServer(t, s.wrap(m.Handler(fails(errNotFound))), func(t *testing.T, srv *testhttp.Server) {
				res, err := srv.Client().Get(srv.URL)
				require.NoError(t, err)
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				assert.Contains(t, []string{"404 Not Found\n", "500 Internal Server Error\n"}, res.Status[:4]+string(body))
				e := <-s.ended
				assert.ErrorIs(t, e.Cause, errNotFound)
				assert.ErrorIs(t, e.Cause, errSecret)
			})
		})
	}
	var m *errmap.Mapper
	m = errmap.New(errmap.Config{Render: func(w http.ResponseWriter, r *http.Request, _ errmap.Problem) { m.Write(w, r, errSecret) }})
	rec := httptest.NewRecorder()
	m.Write(rec, get(), errSecret)
	assert.Equal(t, 500, rec.Code)
	assert.Equal(t, "Internal Server Error\n", rec.Body.String())
}
