package errmap_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// after is a handler that writes a response of n bytes and then fails.
func after(status, n int, err error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		_, _ = w.Write(make([]byte, n))
		return err
	}
}

// Reported elsewhere: after an error in a download the client has a whole 200, https://github.com/gin-gonic/gin/issues/4030
func TestErrorAfterFirstByte(t *testing.T) {
	for _, tt := range []struct {
		desc string
		n    int
	}{{"in the server's buffer", 10}, {"on the wire", 64 << 10}} {
		t.Run(tt.desc, func(t *testing.T) {
			s := newSpy()
			h := s.wrap(mapper(errmap.Is(errConflict, errmap.Problem{Status: 409})).Handler(after(200, tt.n, errConflict)))
			testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
				res, err := srv.Client().Get(srv.URL)
				var body []byte
				if err == nil {
					defer res.Body.Close()
					body, err = io.ReadAll(res.Body)
				}
				require.Error(t, err, "the client must see that the response is not whole")
				assert.LessOrEqual(t, len(body), tt.n, "nothing is appended")
				e := <-s.ended
				assert.ErrorIs(t, e.Cause, errConflict)
				assert.True(t, e.Cut)
				assert.Equal(t, 409, e.Intended)
			})
		})
	}
}

func TestErrorResponseOfTheHandlerStands(t *testing.T) {
	s := newSpy()
	h := s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, "mine", http.StatusTeapot)
		return errSecret
	}))
	testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusTeapot, res.StatusCode)
		assert.Equal(t, "mine\n", string(body))
		e := <-s.ended
		assert.ErrorIs(t, e.Cause, errSecret)
		assert.False(t, e.Cut)
		assert.Zero(t, e.Intended)
	})
}

// Reported elsewhere: a 500 is written to a WebSocket, https://github.com/go-chi/chi/issues/661
func TestHijackedIsNeverWrittenTo(t *testing.T) {
	hijack := func(w http.ResponseWriter) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = rw.WriteString("mine")
			_ = rw.Flush()
			_ = conn.Close()
		}
	}
	for desc, h := range map[string]http.Handler{
		"error": mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
			hijack(w)
			return errSecret
		}),
		"panic": mapper().Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hijack(w)
			panic("boom")
		})),
	} {
		t.Run(desc, func(t *testing.T) {
			assert.Equal(t, "mine", testhttp.HTTP1.Start(t, h).Raw(t, "GET / HTTP/1.1", "Host: x", ""))
		})
	}
}

func TestRecover(t *testing.T) {
	s := newSpy()
	h := s.wrap(errorJSON().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errSecret) })))
	testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		assert.Equal(t, 500, res.StatusCode)
		assert.Equal(t, `{"error":"internal"}`, string(body))
		e := <-s.ended
		assert.Equal(t, any(errSecret), e.Panic)
		assert.Contains(t, string(e.Stack), "TestRecover")
		assert.Equal(t, 500, e.Status)
	})
}

func TestRecoverAfterFirstByte(t *testing.T) {
	for desc, status := range map[string]int{"success": 200, "error": 404} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			h := s.wrap(mapper().Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "half")
				panic("boom")
			})))
			testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
				res, err := srv.Client().Get(srv.URL)
				if err == nil {
					defer res.Body.Close()
					_, err = io.ReadAll(res.Body)
				}
				require.Error(t, err)
				e := <-s.ended
				assert.Equal(t, any("boom"), e.Panic)
				assert.True(t, e.Cut)
			})
		})
	}
}

func TestRecoverLetsAbortsPass(t *testing.T) {
	h := mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(h, get()) })
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(mapper().Handler(fails(http.ErrAbortHandler)), below(get())) })
}

func TestWriteWithoutExchange(t *testing.T) {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Length", "5")
	errorJSON().Write(rec, get(), errors.Join(errSecret, &errmap.Problem{Status: 409, Detail: "taken"}))
	assert.Equal(t, 409, rec.Code)
	assert.Equal(t, `{"error":"taken"}`, rec.Body.String())
	assert.Empty(t, rec.Header().Get("Content-Length"))
}

// The response at a deadline is written to a detached writer, with a request whose
// context is the exchange.
func TestWriteBesideTheExchange(t *testing.T) {
	s := newSpy()
	rec := httptest.NewRecorder()
	serve(s.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NotNil(t, exchange.From(r.Context()))
		mapper().Write(rec, r, errConflict)
	})), get())
	assert.Equal(t, 500, rec.Code)
	e := <-s.ended
	assert.ErrorIs(t, e.Cause, errConflict)
	assert.Contains(t, rec.Body.String(), `"instance":"urn:uuid:`+e.ProblemID+`"`)
}

// A handler may note an error for each of a million rows.
func TestNoteInALoop(t *testing.T) {
	s := newSpy()
	m := mapper(is(errConflict, 409))
	serve(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 1000 {
			m.Note(r, fmt.Errorf("row %d: %w", i, errSecret))
		}
		m.Write(w, r, errConflict)
	})), get())
	e := <-s.ended
	text := e.Cause.Error()
	assert.Contains(t, text, "row 0: ")
	assert.Contains(t, text, "row 63: ")
	assert.NotContains(t, text, "row 64: ")
	assert.ErrorIs(t, e.Cause, errConflict, "what decided the response is there")
}

func TestNote(t *testing.T) {
	s := newSpy()
	m := mapper(errmap.Is(errConflict, errmap.Problem{Status: 409, Level: slog.LevelDebug}))
	var level slog.Leveler
	rec := serve(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.Note(r, nil)
		m.Note(r, errSecret)
		m.Write(w, r, errConflict)
		level = exchange.From(r.Context()).Notes.Level()
	})), get())
	assert.Equal(t, 409, rec.Code)
	e := <-s.ended
	assert.ErrorIs(t, e.Cause, errSecret)
	assert.ErrorIs(t, e.Cause, errConflict)
	assert.Equal(t, slog.LevelDebug, level)
	m.Note(get(), errSecret) // nowhere to put it
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { m.Write(httptest.NewRecorder(), get(), http.ErrAbortHandler) })
}
