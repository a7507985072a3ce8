package raw_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	return raw.Start(t, &http.Server{Handler: h}).Addr
}

// TestEnds: the client reports how each response ended.
func TestEnds(t *testing.T) {
	cut := func(w http.ResponseWriter) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for _, c := range []struct {
		desc         string
		do           func(w http.ResponseWriter)
		http1, http2 raw.Answer
		neutral      raw.End
	}{
		{"whole", func(w http.ResponseWriter) { io.WriteString(w, "hello") },
			raw.Answer{Status: 200, Body: "hello", End: raw.Whole}, raw.Answer{Status: 200, Body: "hello", End: raw.Whole}, raw.Whole},
		{"cut", func(w http.ResponseWriter) { io.WriteString(w, "hello"); cut(w) },
			raw.Answer{Status: 200, Body: "hello", End: raw.Cut}, raw.Answer{Status: 200, Body: "hello", End: raw.Reset, Code: raw.CodeInternal}, raw.Cut},
		{"none", func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			raw.Answer{End: raw.None}, raw.Answer{End: raw.Reset, Code: raw.CodeInternal}, raw.None},
		{"all that was declared, then a reset", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
			cut(w)
		}, raw.Answer{Status: 200, Body: "hello", End: raw.Whole}, raw.Answer{Status: 200, Body: "hello", End: raw.Reset, Code: raw.CodeInternal}, raw.Reset},
	} {
		t.Run(c.desc, func(t *testing.T) {
			addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { c.do(w) })
			for proto, want := range map[string]raw.Answer{"1.1": c.http1, "2": c.http2} {
				got := raw.Do(t, raw.Dial(t, addr, proto), &raw.Request{})
				if proto == "2" {
					assert.Equal(t, c.neutral, got.Neutral().End)
				}
				got.Header = nil
				assert.Equal(t, want, got, "HTTP/%s", proto)
			}
		})
	}
}

// TestHangs: a response that does not continue is not waited for without limit, and its
// beginning is returned.
func TestHangs(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	t.Cleanup(func() { close(release) })
	begun := func(_, received int) bool { return received < 5 }
	one, two := raw.DialHTTP1(t, addr, "1.1"), raw.DialHTTP2(t, addr, raw.Window)
	one.Send(t, &raw.Request{})
	got := one.ReceiveSome(begun)
	assert.Equal(t, [2]any{"begun", raw.Left}, [2]any{got.Body, got.End})
	two.Send(t, &raw.Request{})
	got = two.Stream().Receive(begun)
	assert.Equal(t, [2]any{"begun", raw.Left}, [2]any{got.Body, got.End})

	two.Patience = time.Millisecond
	got = two.Receive(t)
	assert.Equal(t, [2]any{"begun", raw.Hangs}, [2]any{got.Body, got.End})
	other := raw.DialHTTP1(t, addr, "1.1")
	other.Patience = time.Millisecond
	other.Send(t, &raw.Request{Path: "/"})
	assert.Equal(t, raw.Hangs, other.Receive(t).End)
}

// TestHeaderValues: every printable character of a header arrives in both
// directions, in a head of more than one frame too.
func TestHeaderValues(t *testing.T) {
	var printable strings.Builder
	for c := byte(' ') + 1; c < 0x7f; c++ {
		printable.WriteByte(c)
	}
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("X-Value"))
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	for _, value := range []string{printable.String(), "aaa " + strings.Repeat("0", 100), strings.Repeat(printable.String(), 400)} {
		for _, proto := range raw.Protocols[1:] {
			got := raw.Do(t, raw.Dial(t, addr, proto), &raw.Request{Header: []string{"X-Value: " + value}})
			assert.Equal(t, raw.Whole, got.End)
			assert.Equal(t, value, got.Field("X-Echo"), "HTTP/%s", proto)
		}
	}
	conn := raw.DialHTTP2(t, addr, raw.Window)
	for _, c := range printable.String() { // alone it is encoded if its code is shorter
		value := strings.Repeat(string(c), 7)
		got := raw.Do(t, conn, &raw.Request{Header: []string{"X-Value: " + value}})
		assert.Equal(t, value, got.Field("X-Echo"))
		assert.Equal(t, "42", got.Trailer.Get("X-Sum"))
	}
}

// TestFlowControl: an upload waits for the server, and a lazy stream gets no more than it
// asked for while another one on the connection continues.
func TestFlowControl(t *testing.T) {
	const size = 2 << 20 // more than a window of the server
	text := strings.Repeat("x", size)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		assert.NoError(t, err)
		if r.Method == http.MethodGet {
			io.WriteString(w, text)
		} else {
			fmt.Fprint(w, n)
		}
	})
	c := raw.DialHTTP2(t, addr, 1000)
	lazy, err := c.Open(&raw.Request{}, true)
	require.NoError(t, err)
	for n := 1000; n <= 2000; n += 1000 {
		got := lazy.Receive(func(_, received int) bool { return received < n })
		assert.Equal(t, [2]any{n, raw.Left}, [2]any{len(got.Body), got.End})
		other := raw.Do(t, c, &raw.Request{Method: "POST", Length: -1, Body: text, Trailer: []string{"X-Sum: 1"}})
		assert.Equal(t, [2]any{strconv.Itoa(size), raw.Whole}, [2]any{other.Body, other.End})
		require.NoError(t, lazy.Ask(1000))
	}
	require.NoError(t, lazy.Ask(size))
	assert.Len(t, lazy.Receive(nil).Body, size)
	require.NoError(t, c.GoAway())
	assert.NoError(t, c.Ended())
}

// TestSync: when it returns the server has read the reset that was sent before.
func TestSync(t *testing.T) {
	gone := make(chan struct{})
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	c := raw.DialHTTP2(t, addr, raw.Window)
	c.Send(t, &raw.Request{})
	require.NoError(t, c.Stream().Reset())
	c.Sync()
	select {
	case <-gone:
	case <-time.After(raw.Patience):
		assert.Fail(t, "the handler's context does not end")
	}
	assert.Equal(t, raw.Left, c.Receive(t).End)
}
