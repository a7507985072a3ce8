package bulwarktest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"
)

func (c Client) http2(t testing.TB, r *http.Request, b behavior) Result {
	t.Helper()
	data := readBody(t, r)
	protocols := new(http.Protocols)
	protocols.SetHTTP2(r.URL.Scheme == "https")
	protocols.SetUnencryptedHTTP2(r.URL.Scheme != "https")
	transport := &http.Transport{Protocols: protocols, DialContext: c.dial, DisableCompression: true}
	if c.TLS != nil {
		transport.TLSClientConfig = c.TLS.Clone()
	}
	defer transport.CloseIdleConnections()

	ctx, cancel := context.WithTimeoutCause(context.Background(), c.patience(), errPatience)
	defer cancel()
	if b.leave != nil {
		ctx = c.leaving(ctx, cancel, b.leave)
	}
	connected := false // RoundTrip gets a connection before it returns
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	out := r.Clone(ctx)
	out.RequestURI, out.Body = "", http.NoBody
	if len(data) > 0 {
		body := &sending{data: data, behavior: b, stop: make(chan struct{})}
		out.Body, out.GetBody = body, nil
		if r.ContentLength >= 0 {
			out.ContentLength = int64(len(data))
		}
		defer func() { _ = body.Close() }()
	}
	res, err := transport.RoundTrip(out)
	if err != nil && !connected {
		t.Fatalf("bulwarktest: %v", cause(ctx, err))
	}
	if b.leave != nil {
		<-ctx.Done() // wait also if there already was a response
		if errors.Is(context.Cause(ctx), errPatience) {
			t.Fatal("bulwarktest: Vanish: leave was not closed within Patience")
		}
	}
	if err != nil {
		return Result{Err: cause(ctx, err)}
	}
	got := result(res, newReader(res.Body, b.slow, b.pause))
	got.Err = cause(ctx, got.Err)
	return got
}

// leaving returns a context for a request. Once the request is written and leave is
// closed, cancel is called.
func (c Client) leaving(ctx context.Context, cancel context.CancelFunc, leave <-chan struct{}) context.Context {
	wrote := make(chan struct{})
	var once sync.Once
	go func() {
		select {
		case <-wrote:
			if c.awaitLeave(leave, ctx.Done()) {
				cancel()
			}
		case <-ctx.Done():
		}
	}()
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { once.Do(func() { close(wrote) }) },
	})
}

// errPatience is the error of a call that waited for longer than Patience.
var errPatience error = patienceError{}

type patienceError struct{}

func (patienceError) Error() string   { return "bulwarktest: no complete response within Patience" }
func (patienceError) Timeout() bool   { return true }
func (patienceError) Temporary() bool { return false }

func cause(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errPatience) {
		return errPatience
	}
	return err
}

// sending is a request body that delays reads as the behavior says.
type sending struct {
	data []byte
	behavior
	sent int
	once sync.Once
	stop chan struct{}
}

func (s *sending) Read(p []byte) (int, error) {
	end := len(s.data)
	switch {
	case s.stall:
		if end = min(s.first, end); s.sent == end {
			<-s.stop
			return 0, http.ErrBodyReadAfterClose
		}
	case s.trickle && s.sent < end:
		if s.sent > 0 && !pause(s.pause, s.stop) {
			return 0, http.ErrBodyReadAfterClose
		}
		end = min(s.sent+1, end)
	}
	if s.sent == len(s.data) {
		return 0, io.EOF
	}
	n := copy(p, s.data[s.sent:end])
	s.sent += n
	return n, nil
}

func (s *sending) Close() error {
	s.once.Do(func() { close(s.stop) })
	return nil
}
