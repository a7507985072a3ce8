//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// readerStacks bound the time to wait for a body, by the deadline or by its rate. They
// all admit one request at a time.
var readerStacks = []stack{
	{"timeout, limits", false, false, func(_ *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(timeout.New(c), limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: raw.Patience / 2}), errs.Recover)
	}},
	{"all", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c), limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: raw.Patience / 2, MaxBodyBytes: 2 << 20}), errs.Recover)
	}},
	{"logging, a rate", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: raw.Patience / 2, MinBodyRate: 1 << 20, BodyGrace: c.Limit}), errs.Recover)
	}},
}

// withheld are requests whose body does not come.
var withheld = []struct {
	desc   string
	protos []string
	raw.Request
}{
	{"of a declared length", every, raw.Request{Length: 5, Stalls: true}},
	{"of a large declared length", every, raw.Request{Body: "x", Length: 1 << 20, Stalls: true}},
	{"begun", every, raw.Request{Body: "xxx", Length: 5, Stalls: true}},
	{"chunked", []string{"1.1", "2"}, raw.Request{Length: -1, Stalls: true}},
	{"chunked and begun", []string{"1.1", "2"}, raw.Request{Body: "xxx", Length: -1, Stalls: true}},
	{"asked for", []string{"1.1", "2"}, raw.Request{Header: []string{"Expect: 100-continue"}, Length: 5, Stalls: true}},
}

// bodyReader is a handler that does not read its body, so that net/http does.
type bodyReader struct {
	desc   string
	status int
	size   int  // of the answer
	begun  bool // it is flushed first, so that a deadline may abort it
	do     func(t *testing.T, w http.ResponseWriter, r *http.Request)
}

var bodyReaders = []bodyReader{
	{"returns", 200, 0, false, func(*testing.T, http.ResponseWriter, *http.Request) {}},
	{"a small answer", 200, 5, false, func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }},
	{"an answer of 10 KB", 200, 10 << 10, false, func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10<<10)) }},
	{"an answer of 50 KB in pieces", 200, 50 << 10, false, func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		for range 50 {
			w.Write(make([]byte, 1<<10))
		}
	}},
	{"ReadFrom", 200, 50 << 10, false, func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", 100<<10)), 50<<10))
	}},
	{"Flush", 200, 5, true, func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).Flush()
		io.WriteString(w, "hello")
	}},
	{"Close, then an answer", 200, 5, false, func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		io.WriteString(w, "hello")
	}},
	{"an answer, then Close", 200, 5, false, func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		defer r.Body.Close()
		io.WriteString(w, "hello")
	}},
	{"a flushed answer, then Close", 200, 5, true, func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		defer r.Body.Close()
		io.WriteString(w, "hello")
		http.NewResponseController(w).Flush()
	}},
	{"FileServer", 200, 64 << 10, false, func(t *testing.T, w http.ResponseWriter, r *http.Request) {
		dir := t.TempDir()
		assert.NoError(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 64<<10), 0o600))
		r.URL.Path = "/file"
		http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
	}},
	{"a mapped error", 418, 20, false, func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
		errs.Handler(func(http.ResponseWriter, *http.Request) error { return errTeapot }).ServeHTTP(w, r)
	}},
	{"a panic", 500, 29, false, func(*testing.T, http.ResponseWriter, *http.Request) { panic("of the handler") }},
}

// TestBodyThatNetHTTPReads: the time that net/http itself may wait for the body is
// bounded as the handler's reads are. A client that withholds the body gets a response,
// the handler's or a 408. The handler returns, and its permit is released.
//
// https://github.com/golang/go/issues/9662
func TestBodyThatNetHTTPReads(t *testing.T) {
	for _, h := range bodyReaders {
		for _, req := range withheld {
			t.Run(h.desc+"/a body "+req.desc, func(t *testing.T) {
				t.Parallel()
				each(t, req.protos, readerStacks, outsides[:1], func(t *testing.T, proto string, s *stack, o *outside) {
					h := h
					if proto == "1.0" && h.desc == "FileServer" {
						t.Skip("as the other rows of HTTP/1.0")
					}
					entered := make(chan struct{}, 2)
					srv, records := serve(t, s, o, timeout.Config{Limit: 2 * limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						entered <- struct{}{}
						if r.URL.Path != "/next" {
							h.do(t, w, r)
						}
					}))
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &req.Request)
					if got.Status == 408 {
						h.status, h.size = 408, len("Request Timeout\n")
						if strings.HasPrefix(got.Body, "errmap") {
							h.size = len("errmap: Request Timeout")
						}
					}
					want := [3]any{h.status, h.size, raw.Whole}
					if h.begun && got.End == raw.Cut {
						want[1], want[2] = len(got.Body), raw.Cut
					}
					assert.Equal(t, want, [3]any{got.Status, len(got.Body), got.End})
					if s.logs {
						r := records.Next(t)
						assert.Equal(t, got.Status, r.Status)
						assert.Equal(t, (got.Status == 200 || got.Status == 418) && got.End == raw.Whole, r.Outcome == "ok", "the outcome is %s", r.Outcome)
					}
					<-entered
					next := raw.Dial(t, srv.Addr, proto)
					next.Send(t, &raw.Request{Path: "/next"})
					assert.Equal(t, 200, next.Receive(t).Status, "of the next request")
				})
			})
		}
	}
}

// TestTooLargeReachesAClientThatStalls: nothing that the handler does with the body
// afterwards loses the 413.
func TestTooLargeReachesAClientThatStalls(t *testing.T) {
	tooLarge := []stack{
		{"limits", false, false, func(*raw.Records, timeout.Config) middleware {
			return limits.New(limits.Config{MaxBodyBytes: 100})
		}},
		{"logging, limits", true, false, func(r *raw.Records, _ timeout.Config) middleware {
			return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MaxBodyBytes: 100}))
		}},
		{"all", true, false, func(r *raw.Records, _ timeout.Config) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: time.Minute}), limits.New(limits.Config{MaxBodyBytes: 100}), errs.Recover)
		}},
	}
	handlers := []struct {
		desc, body string
		do         func(http.ResponseWriter, *http.Request) error
	}{
		{"Close deferred", "errmap: Request Entity Too Large", func(_ http.ResponseWriter, r *http.Request) error {
			defer r.Body.Close()
			_, err := io.ReadAll(r.Body)
			return err
		}},
		{"Close before the answer", "Request Entity Too Large\n", func(w http.ResponseWriter, r *http.Request) error {
			io.ReadAll(r.Body)
			r.Body.Close()
			http.Error(w, http.StatusText(413), 413)
			return nil
		}},
		{"Close after the answer", "Request Entity Too Large\n", func(w http.ResponseWriter, r *http.Request) error {
			defer r.Body.Close()
			io.ReadAll(r.Body)
			http.Error(w, http.StatusText(413), 413)
			return nil
		}},
		{"a flushed answer", "Request Entity Too Large\n", func(w http.ResponseWriter, r *http.Request) error {
			io.ReadAll(r.Body)
			http.Error(w, http.StatusText(413), 413)
			return http.NewResponseController(w).Flush()
		}},
		{"read on", "errmap: Request Entity Too Large", func(_ http.ResponseWriter, r *http.Request) error {
			io.ReadAll(r.Body)
			io.ReadAll(r.Body)
			_, err := r.Body.Read(make([]byte, 1))
			return err
		}},
		{"a multipart form", "errmap: Request Entity Too Large", func(_ http.ResponseWriter, r *http.Request) error {
			return r.ParseMultipartForm(1 << 20)
		}},
	}
	for _, h := range handlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, []string{"1.1", "2"}, tooLarge, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				srv, records := serve(t, s, o, timeout.Config{}, errs.Handler(h.do))
				req := raw.Request{
					Method: "POST", Header: []string{"Content-Type: multipart/form-data; boundary=x"},
					Body: "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("x", 300), Length: -1, Stalls: true,
				}
				got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &req)
				want := [4]any{413, h.body, raw.Whole, "close"}
				if proto == "2" {
					want[3] = ""
				}
				assert.Equal(t, want, [4]any{got.Status, got.Body, got.End, got.Field("Connection")})
				if s.logs {
					assert.Equal(t, line{Status: 413, Outcome: "ok"}, lineOf(records.Next(t)))
				}
			})
		})
	}
}
