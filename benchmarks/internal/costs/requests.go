package costs

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
)

const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

var hello = []byte("hello")

// get makes requests without a body.
func get() func(context.Context) *http.Request {
	template := httptest.NewRequest(http.MethodGet, "/", nil)
	template.Header.Set("User-Agent", userAgent)
	template.Pattern = "GET /{$}" // for what logs it
	return func(ctx context.Context) *http.Request {
		delete(template.Header, "X-Request-Id") // which some put there
		return template.WithContext(ctx)
	}
}

// post makes requests with a body of 1 KiB, one after the other.
func post() func(context.Context) *http.Request {
	body := bytes.Repeat([]byte("x"), 1<<10)
	src := bytes.NewReader(body)
	template := httptest.NewRequest(http.MethodPost, "/", nil)
	template.Header.Set("User-Agent", userAgent)
	template.Pattern = "POST /{$}"
	template.Body, template.ContentLength = io.NopCloser(src), int64(len(body))
	return func(ctx context.Context) *http.Request {
		src.Reset(body)
		delete(template.Header, "X-Request-Id")
		return template.WithContext(ctx)
	}
}

// answers is the handler that says hello, once it has read the body, and that
// asks for Done, as one does that waits for anything.
type answers struct{ reads, asks bool }

func (h answers) ServeHTTP(w http.ResponseWriter, r *http.Request) { _ = h.serve(w, r) }

func (h answers) serve(w http.ResponseWriter, r *http.Request) error {
	if h.asks {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		default:
		}
	}
	if h.reads {
		var p [1 << 10]byte
		for {
			_, err := r.Body.Read(p[:])
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	_, err := w.Write(hello)
	return err
}
