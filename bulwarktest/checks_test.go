package bulwarktest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/bulwarktest"
)

func get() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

// stuckHere waits for release and ignores its context.
func stuckHere(release <-chan struct{}) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { <-release }
}

func TestHonorsContext(t *testing.T) {
	const within = 30 * time.Second
	for _, tc := range []struct {
		desc    string
		handler func(release <-chan struct{}) http.HandlerFunc
		body    io.Reader
		want    []string // in the failure; nil: passes
	}{
		{"waits for its context", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}, nil, nil},
		{"takes a moment to clean up", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				time.Sleep(within - time.Second)
			}
		}, nil, nil},
		{"takes too long to clean up", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				time.Sleep(within + time.Second)
			}
		}, nil, []string{"still running 30s after its context ended", "checks_test.go"}},
		{"ignores its context", stuckHere, nil, []string{"still running 30s after its context ended", "stuckHere"}},
		{"hides its context", func(release <-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-context.WithoutCancel(r.Context()).Done():
				case <-release:
				}
			}
		}, nil, []string{"still running"}},
		{"waits in a goroutine that ignores it", func(release <-chan struct{}) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) {
				done := make(chan struct{})
				go func() { stuckHere(release)(nil, nil); close(done) }()
				<-done
			}
		}, nil, []string{"still running", "stuckHere"}},
		{"reads a body that does not come", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					panic("the body has come to its end")
				}
			}
		}, pipe(), nil},
		{"returns at once", func(<-chan struct{}) http.HandlerFunc {
			return func(http.ResponseWriter, *http.Request) {}
		}, nil, []string{"nothing was checked"}},
		{"panics", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				panic("no more")
			}
		}, nil, []string{"panicked: no more", "checks_test.go"}},
		{"aborts", func(<-chan struct{}) http.HandlerFunc {
			return func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
		}, nil, nil},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				r := get()
				if tc.body != nil {
					in, _ := io.Pipe() // of this bubble
					r = httptest.NewRequest(http.MethodPost, "/", in)
				}
				rec := recorded(t, func(tb testing.TB) { bulwarktest.HonorsContext(tb, tc.handler(release), r, within) })
				close(release)
				time.Sleep(time.Hour) // goroutines that are still running end
				if tc.want == nil {
					assert.Empty(t, rec.errors)
					return
				}
				require.Len(t, rec.errors, 1)
				for _, want := range tc.want {
					assert.Contains(t, rec.errors[0], want)
				}
			})
		})
	}
}

func pipe() io.Reader { r, _ := io.Pipe(); return r }

// HonorsContext works without a fake clock, too.
func TestHonorsContextOnTheRealClock(t *testing.T) {
	good := recorded(t, func(tb testing.TB) {
		bulwarktest.HonorsContext(tb, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), get(), 300*time.Millisecond)
	})
	assert.Empty(t, good.errors)
	release := make(chan struct{})
	defer close(release)
	bad := recorded(t, func(tb testing.TB) { bulwarktest.HonorsContext(tb, stuckHere(release), get(), 20*time.Millisecond) })
	require.Len(t, bad.errors, 1)
	assert.Contains(t, bad.errors[0], "stuckHere")
}

func TestHonorsContextNeedsTime(t *testing.T) {
	r := recorded(t, func(tb testing.TB) { bulwarktest.HonorsContext(tb, http.NotFoundHandler(), get(), 0) })
	assert.True(t, r.fatal)
}

// document answers with JSON.
func document(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestAnswersOnce(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		method  string
		handler http.HandlerFunc
		want    []string // one in each failure
	}{
		{"a status and a body", "", func(w http.ResponseWriter, _ *http.Request) { document(w, 201, `{"id":1}`+"\n") }, nil},
		{"a body", "", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }, nil},
		{"a status", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, nil},
		{"in pieces", "", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "b")
		}, nil},
		{"a flush", "", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, nil},
		{"early hints first", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(200)
		}, nil},
		{"HEAD", http.MethodHead, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "hi")
		}, nil},
		{"trailers", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Checksum, X-Time")
			_, _ = io.WriteString(w, "hi")
			w.Header().Set("Checksum", "1")
			w.Header().Set("X-Time", "2")
			w.Header().Set(http.TrailerPrefix+"Other", "3")
		}, nil},
		{"abort", "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil},
		{"a stream of JSON", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, "{}\n{}\n")
		}, nil},

		{"nothing", "", func(http.ResponseWriter, *http.Request) {}, []string{"without a response"}},
		{"only a header", "", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", `"1"`) }, []string{"without a response"}},
		{"two statuses", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			w.WriteHeader(200)
		}, []string{"checks_test.go:"}},
		{"a missing return, with the same type", "", func(w http.ResponseWriter, _ *http.Request) {
			document(w, 400, `{"error":"bad"}`)
			_, _ = io.WriteString(w, `{"id":1}`)
		}, []string{`has more after its JSON value: {"id":1}`}},
		{"a missing return after http.Error", "", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "bad", 400)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"id":1}`)
		}, []string{`Content-Type was set to ["application/json"] after the response started at checks_test.go:`}},
		{"an error after a success", "", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			http.Error(w, "broken", 500)
		}, []string{"WriteHeader(500), but the response started with 200 at checks_test.go:", "Content-Type was set", "X-Content-Type-Options was set"}},
		{"a header that comes too late", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.Header().Set("Etag", `"1"`)
		}, []string{"Etag was set"}},
		{"a body with 204", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			_, _ = io.WriteString(w, "none")
		}, []string{"a response with status 204 has none"}},
		{"less than declared", "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "four")
		}, []string{"Content-Length is 10, but the body has 4 bytes"}},
		{"a panic", "", func(http.ResponseWriter, *http.Request) { panic(errors.New("no more")) }, []string{"panicked: no more"}},
		{"a panic after a response", "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			panic("no more")
		}, []string{"panicked: no more"}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			r := recorded(t, func(tb testing.TB) {
				bulwarktest.AnswersOnce(tb, tc.handler, httptest.NewRequest(tc.method, "/", nil))
			})
			require.Len(t, r.errors, len(tc.want), "%q", r.errors)
			for i, want := range tc.want {
				assert.Contains(t, r.errors[i], want)
			}
		})
	}
}

// The failure names the line of the application's code, not of the net/http function
// that it called.
func TestAnswersOnceNamesTheLineOfTheHandler(t *testing.T) {
	r := recorded(t, func(tb testing.TB) {
		bulwarktest.AnswersOnce(tb, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.NotFound(w, r)
			http.NotFound(w, r)
		}), get())
	})
	require.Len(t, r.errors, 1)
	assert.Equal(t, 2, strings.Count(r.errors[0], "checks_test.go:"), r.errors[0])
	assert.NotContains(t, r.errors[0], "server.go")
}

func TestAnswersOnceSeesAWriteAfterTheReturn(t *testing.T) {
	wrote := make(chan struct{})
	r := recorded(t, func(tb testing.TB) {
		returned := make(chan struct{})
		bulwarktest.AnswersOnce(tb, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			go func() {
				defer close(wrote)
				<-returned
				_, err := io.WriteString(w, "late")
				assert.Error(t, err)
				w.WriteHeader(500)
			}()
		}), get())
		close(returned)
		<-wrote
	})
	require.Len(t, r.errors, 2)
	assert.Contains(t, r.errors[0], "Write after the handler has returned")
	assert.Contains(t, r.errors[1], "WriteHeader(500) after the handler has returned")
}

func TestLeaksNothing(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) }))
	t.Cleanup(backend.Close)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	var unclosed []io.Closer
	t.Cleanup(func() {
		for _, c := range unclosed {
			_ = c.Close()
		}
	})
	for _, tc := range []struct {
		desc    string
		handler http.HandlerFunc
		want    string // in a failure; "": passes
	}{
		{"nothing to leak", func(http.ResponseWriter, *http.Request) {}, ""},
		{"a goroutine that ends with the request", func(_ http.ResponseWriter, r *http.Request) {
			go func() { <-r.Context().Done() }()
		}, ""},
		{"a pool of connections", func(http.ResponseWriter, *http.Request) {
			res, err := client.Get(backend.URL)
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}, ""},
		{"a goroutine that never ends", func(http.ResponseWriter, *http.Request) {
			go stuckHere(release)(nil, nil)
		}, "stuckHere"},
		{"a goroutine of a goroutine that has ended", func(http.ResponseWriter, *http.Request) {
			started := make(chan struct{})
			go func() { go stuckHere(release)(nil, nil); close(started) }()
			<-started
		}, "stuckHere"},
		{"a response that is not closed", func(_ http.ResponseWriter, r *http.Request) {
			res, err := client.Get(backend.URL) // without the request's context
			if err == nil {
				unclosed = append(unclosed, res.Body)
			}
		}, "readLoop"},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("no more") }, "panicked: no more"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			r := recorded(t, func(tb testing.TB) { bulwarktest.LeaksNothing(tb, tc.handler, get()) })
			if tc.want == "" {
				assert.Empty(t, r.errors)
				return
			}
			assert.NotEmpty(t, r.errors)
			assert.Contains(t, strings.Join(r.errors, "\n"), tc.want)
		})
	}
}

// Each call of the handler gets the whole body.
func TestLeaksNothingServesTheBodyAgain(t *testing.T) {
	var bodies []string
	r := recorded(t, func(tb testing.TB) {
		bulwarktest.LeaksNothing(tb, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(b))
		}), httptest.NewRequest("POST", "/", strings.NewReader("body")))
	})
	assert.Empty(t, r.errors)
	for _, b := range bodies {
		assert.Equal(t, "body", b)
	}
	assert.Greater(t, len(bodies), 2)
}

func TestLeaksNothingInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := recorded(t, func(tb testing.TB) {
			bulwarktest.LeaksNothing(tb, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { go stuckHere(release)(nil, nil) }), get())
		})
		close(release)
		assert.NotEmpty(t, r.errors)
	})
}
