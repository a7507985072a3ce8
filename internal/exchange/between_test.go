package exchange_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// The files that a clone of the request hides from the server are removed.
func TestMultipartFilesAreRemoved(t *testing.T) {
	names := make(chan string, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if !assert.NoError(t, r.ParseMultipartForm(1)) {
			names <- ""
			return
		}
		f, err := r.MultipartForm.File["file"][0].Open()
		assert.NoError(t, err)
		defer f.Close()
		onDisk, ok := f.(*os.File)
		if assert.True(t, ok, "%T", f) {
			names <- onDisk.Name()
		}
	})
	upload := func(t *testing.T, s *testhttp.Server) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "file")
		require.NoError(t, err)
		_, err = part.Write(make([]byte, 64<<10))
		require.NoError(t, err)
		require.NoError(t, form.Close())
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, &body)
		require.NoError(t, err)
		req.Header.Set("Content-Type", form.FormDataContentType())
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		name := <-names
		assert.Eventually(t, func() bool {
			_, err := os.Stat(name)
			return os.IsNotExist(err)
		}, testhttp.Patience, time.Millisecond)
	}
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) { // not bare: on HTTP/2, Go 1.27 forgets them
		for _, st := range stacks {
			t.Run(st.desc, func(t *testing.T) { upload(t, p.Start(t, st.mw(h))) })
		}
	})
}

// A recorder between two middlewares changes nothing: there is one exchange, with one
// end.
func TestRecorderBetween(t *testing.T) {
	outer, inner := newObserver(), newObserver()
	h := inner.watch(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "recorded")
	}))
	s := testhttp.HTTP1.Start(t, outer.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchange.From(r.Context())
		rec := httptest.NewRecorder()
		assert.True(t, x.Response().Owns(w))
		assert.False(t, x.Response().Owns(rec))
		h.ServeHTTP(rec, r)
		fmt.Fprintf(w, "it was %d %s", rec.Code, rec.Body)
	})))
	got := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
	require.NoError(t, got.Err)
	assert.Equal(t, "it was 418 recorded", got.Body)
	assert.Equal(t, http.StatusOK, inner.ending(t).Status)
	assert.Equal(t, http.StatusOK, outer.ending(t).Status)
}

// A wrapper that unwraps to the exchange's writer does not change that either.
func TestWrapperBetween(t *testing.T) {
	o := newObserver()
	var found []*exchange.Exchange
	note := entering(func(x *exchange.Exchange) { found = append(found, x) })
	h := o.watch(note(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
		})).ServeHTTP(&readerFromSpy{ResponseWriter: w}, r)
	})))
	s := testhttp.HTTP1.Start(t, h)
	err := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody)).Err
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Same(t, found[0], found[1])
	assert.Equal(t, http.StatusTeapot, o.ending(t).Status)
}
