package logging

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/roundtrip"
)

// Failed implements roundtrip.Call.
func (c *call) Failed(err error) error {
	c.end(err, false)
	return err
}

// Answered implements roundtrip.Call.
func (c *call) Answered(res *http.Response, k roundtrip.Kind) error {
	c.ttfb = time.Since(c.start)
	c.status, c.length, c.tunnel = res.StatusCode, res.ContentLength, k == roundtrip.Tunnel
	c.proto = protocol(res.ProtoMajor, res.ProtoMinor)
	if c.knownLength > 0 && !c.sendFailed.Load() {
		c.sentAtLeast(c.knownLength)
	}
	if k != roundtrip.Content || roundtrip.Bodiless(c.method, res.StatusCode) {
		c.end(nil, true)
		return nil
	}
	c.onContext(context.AfterFunc(c.ctx, c.contextEnded))
	return nil
}

// Read implements roundtrip.Follower.
func (c *call) Read(n int, err error) (int, error) {
	c.received.Add(int64(n))
	switch {
	case err == io.EOF: //nolint:errorlint // readers return it bare
		c.end(nil, true)
	case err != nil:
		c.end(err, false)
	}
	return n, err
}

// Close implements roundtrip.Follower. The call ends before the body is closed,
// because closing can take as long as reading the rest of the body.
func (c *call) Close(src io.ReadCloser, reading bool) error {
	if !c.ended.Load() {
		whole := c.length >= 0 && c.received.Load() >= c.length
		if c.length < 0 && !reading {
			whole = c.atEnd(src)
		}
		c.end(nil, whole)
	}
	return src.Close()
}

// closeWait is how long Close waits for the end of a body. From Go 1.27 on,
// net/http waits for the same time before it closes the connection.
const closeWait = 50 * time.Millisecond

// atEnd reports whether src has nothing left to read. If its Read blocks, the Close
// that follows ends the Read.
func (s *settings) atEnd(src io.Reader) bool {
	end := make(chan bool, 1)
	go func() {
		ended := false
		defer func() { end <- ended }()
		s.contain("reading a response's body", func() {
			n, err := src.Read(make([]byte, 1))
			ended = n == 0 && err == io.EOF
		})
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case ended := <-end:
		return ended
	case <-timer.C:
		return false
	}
}

// Forgotten ends a call whose body was garbage collected. It starts a goroutine
// because a hook that blocks must not hold up other cleanups.
func (c *call) Forgotten() { go c.end(errNotClosed, false) }

// countBody counts the request's body, and the copies that net/http gets from
// GetBody to send it again.
func (c *call) countBody(out *http.Request) {
	if out.Body == nil || out.Body == http.NoBody {
		return
	}
	out.Body = c.counted(out.Body)
	again := out.GetBody
	if again == nil {
		return
	}
	out.GetBody = func() (io.ReadCloser, error) {
		b, err := again()
		if err != nil || b == nil || b == http.NoBody {
			return b, err
		}
		return c.counted(b), nil
	}
}

func (c *call) counted(b io.ReadCloser) io.ReadCloser { return roundtrip.Body(b, &sending{c: c}) }

// sending counts the bytes of one attempt to send the request's body.
type sending struct {
	c *call
	n atomic.Int64
}

// Read implements roundtrip.Follower.
func (s *sending) Read(n int, err error) (int, error) {
	s.c.sentAtLeast(s.n.Add(int64(n)))
	return n, err
}

// Close implements roundtrip.Follower.
func (s *sending) Close(src io.ReadCloser, _ bool) error { return src.Close() }

func (c *call) sentAtLeast(n int64) {
	for before := c.sent.Load(); n > before; before = c.sent.Load() {
		if c.sent.CompareAndSwap(before, n) {
			return
		}
	}
}

// smallBody is the maximum length of a body that sentWhole accepts.
const smallBody = 64 << 10

// sentWhole reports whether net/http sends the body of req together with its
// header. net/http does this for small readers in memory, which it recognizes by
// their type (isKnownInMemoryReader in its transfer.go). Such a body is not wrapped
// by a counting reader, because that would cost another packet.
func sentWhole(req *http.Request) bool {
	if req.Body == nil || req.ContentLength <= 0 || req.ContentLength > smallBody || req.Header.Get("Expect") != "" {
		return false
	}
	v := reflect.ValueOf(req.Body)
	if t := v.Type(); t != nopCloser && t != nopCloserWriterTo {
		return false
	}
	switch v.Field(0).Interface().(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return true
	}
	return false
}

// The types that io.NopCloser returns.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser((*bytes.Reader)(nil)))
)

// watchSending returns a context for the call. net/http reports through it that it
// has sent the n bytes of a body that is not counted.
func (c *call) watchSending(ctx context.Context, n int64) context.Context {
	c.knownLength = n
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			c.sendFailed.Store(info.Err != nil)
			if info.Err == nil {
				c.sentAtLeast(n)
			}
		},
	})
}
