//go:build wire

package faults_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// valued puts a value into the context, as many middlewares do.
func valued(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), spanKey{}, "value")))
	})
}

// cloneStacks pass their own request to the handler, some more than one.
var cloneStacks = []stack{
	{"logging", true, false, func(r *raw.Records, _ timeout.Config) middleware { return logging.New(r.Config()) }},
	{"Recover", false, false, func(*raw.Records, timeout.Config) middleware { return errs.Recover }},
	{"limits", false, false, func(*raw.Records, timeout.Config) middleware {
		return limits.New(limits.Config{MaxBodyBytes: 1 << 20})
	}},
	{"all", true, false, all},
	{"a value between", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), valued, limits.New(limits.Config{MaxBodyBytes: 1 << 20}), errs.Recover)
	}},
	{"values between all", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), valued, timeout.New(c), valued, limits.New(limits.Config{MaxBodyBytes: 1 << 20}), valued, errs.Recover)
	}},
	{"decoding", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), limits.New(limits.Config{MaxDecodedBytes: 1 << 20}), errs.Recover)
	}},
	{"decoding and a value between", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), valued, limits.New(limits.Config{MaxDecodedBytes: 1 << 20}), errs.Recover)
	}},
	{"a moved deadline", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), timeout.Override(30*time.Second), errs.Recover)
	}},
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.String()
}

// TestTrailersOfTheRequest: the handler finds the trailers that it would find without
// middleware.
//
// https://github.com/golang/go/issues/20437
func TestTrailersOfTheRequest(t *testing.T) {
	requests := []struct {
		desc string
		raw.Request
		want map[string]http.Header // by protocol
	}{
		{"announced", raw.Request{Header: []string{"Trailer: X-Sum"}, Body: "body", Length: -1, Trailer: []string{"X-Sum: 7"}},
			map[string]http.Header{"1.1": {"X-Sum": {"7"}}, "2": {"X-Sum": {"7"}}}},
		{"not announced", raw.Request{Body: "body", Length: -1, Trailer: []string{"X-Sum: 7"}},
			map[string]http.Header{"1.1": {"X-Sum": {"7"}}, "2": nil}},
		{"one of two announced", raw.Request{Header: []string{"Trailer: X-Sum"}, Body: "body", Length: -1, Trailer: []string{"X-Sum: 7", "X-More: 8"}},
			map[string]http.Header{"1.1": {"X-Sum": {"7"}, "X-More": {"8"}}, "2": {"X-Sum": {"7"}}}},
		{"encoded, not announced", raw.Request{Header: []string{"Content-Encoding: gzip"}, Body: zipped("body"), Length: -1, Trailer: []string{"X-Sum: 7"}},
			map[string]http.Header{"1.1": {"X-Sum": {"7"}}, "2": nil}},
	}
	bare := stack{"without middleware", false, false, func(*raw.Records, timeout.Config) middleware { return bulwark.Chain() }}
	for _, req := range requests {
		req.Method = "POST"
		t.Run(req.desc, func(t *testing.T) {
			t.Parallel()
			each(t, []string{"1.1", "2"}, append([]stack{bare}, cloneStacks...), outsides[:1], func(t *testing.T, proto string, s *stack, o *outside) {
				got := make(chan http.Header, 1)
				srv, _ := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					assert.NoError(t, err)
					got <- r.Trailer
				}))
				assert.Equal(t, 200, raw.Do(t, raw.Dial(t, srv.Addr, proto), &req.Request).Status)
				trailer := <-got
				if len(trailer) == 0 {
					trailer = nil
				}
				assert.Equal(t, req.want[proto], trailer)
			})
		})
	}
}

// TestFilesOfAForm: the temporary files of a form are removed after the request, as
// without middleware.
//
// https://github.com/open-telemetry/opentelemetry-go-contrib/issues/9070
func TestFilesOfAForm(t *testing.T) {
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	f, err := m.CreateFormFile("file", "file.bin")
	require.NoError(t, err)
	f.Write(make([]byte, 100<<10))
	m.Close()
	endings := []struct {
		desc string
		do   func(w http.ResponseWriter)
	}{
		{"returns", func(http.ResponseWriter) {}},
		{"panics", func(http.ResponseWriter) { panic("after the form") }},
		{"aborts", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"flushes", func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }},
	}
	for _, encoding := range []string{"", "gzip"} {
		for _, e := range endings {
			for _, proto := range every {
				for _, s := range cloneStacks {
					t.Run(encoding+" "+e.desc+"/HTTP/"+proto+", "+s.desc, func(t *testing.T) {
						decodes := s.desc == "decoding" || s.desc == "decoding and a value between"
						if encoding != "" && !decodes {
							t.Skip("it does not decode")
						}
						dir := t.TempDir()
						t.Setenv("TMPDIR", dir)
						srv, _ := serve(t, &s, &outsides[0], timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							assert.NoError(t, r.ParseMultipartForm(1))
							files, err := os.ReadDir(dir)
							assert.NoError(t, err)
							assert.Len(t, files, 1)
							e.do(w)
						}))
						req := raw.Request{Method: "POST", Header: []string{"Content-Type: " + m.FormDataContentType()}, Body: form.String()}
						if encoding != "" {
							req.Header, req.Body = append(req.Header, "Content-Encoding: gzip"), zipped(req.Body)
						}
						raw.Do(t, raw.Dial(t, srv.Addr, proto), &req)
						assert.Eventually(t, func() bool {
							files, err := os.ReadDir(dir)
							return err == nil && len(files) == 0
						}, raw.Patience/4, time.Millisecond, "files are left")
					})
				}
			}
		}
	}
}

// TestRouteBelowAClone: the record has the route however many copies of the request
// there are in front of the mux, and however the handler ends.
func TestRouteBelowAClone(t *testing.T) {
	endings := []struct {
		desc string
		do   func(http.ResponseWriter, *http.Request)
		line line
	}{
		{"returns", func(http.ResponseWriter, *http.Request) {}, line{Status: 200, Outcome: "ok"}},
		{"panics", func(http.ResponseWriter, *http.Request) { panic("of the handler") }, line{Status: 500, Outcome: "panic"}},
		{"reads, then panics", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			panic("of the handler")
		}, line{Status: 500, Outcome: "panic"}},
		{"aborts", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, line{Outcome: "aborted"}},
	}
	for _, e := range endings {
		for _, encoding := range []string{"", "gzip"} {
			t.Run(e.desc+" "+encoding, func(t *testing.T) {
				t.Parallel()
				each(t, every, routedStacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					mux := http.NewServeMux()
					mux.HandleFunc("POST /items/{id}", e.do)
					srv, records := serve(t, s, o, timeout.Config{Limit: time.Minute}, mux)
					req := raw.Request{Method: "POST", Path: "/items/7", Body: "body"}
					if encoding != "" {
						req.Header, req.Body = []string{"Content-Encoding: gzip"}, zipped(req.Body)
					}
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &req)
					assert.Equal(t, e.line.Status, got.Status)
					want := e.line
					want.Route = "/items/{id}"
					assert.Equal(t, want, lineOf(records.Next(t)))
				})
			})
		}
	}
}

// routedStacks are those whose innermost part is a Bulwark package, which sees the
// request of the mux.
var routedStacks = []stack{cloneStacks[3], cloneStacks[4], cloneStacks[5], cloneStacks[6], cloneStacks[7], cloneStacks[8]}
