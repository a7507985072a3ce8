package limits

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/bulwark-go/bulwark/internal/roundtrip"
)

// TransportConfig configures [NewTransport]. The zero value of every field means the
// documented default.
type TransportConfig struct {
	// Base makes the requests. Default: the value of http.DefaultTransport when
	// NewTransport is called.
	Base http.RoundTripper

	// MaxResponseBytes is the maximum size of a response body, in bytes as the caller
	// reads them: after http.Transport has decompressed it. Default 0: 10 MiB.
	MaxResponseBytes int64
}

// NewTransport returns a RoundTripper that bounds the size of response bodies. If
// the declared length exceeds the limit, RoundTrip fails. Otherwise reading the
// body fails at the limit, after exactly that many bytes. The error is an *[Error]
// with the host, the limit and the size. Its StatusCode is 502, because your own
// client did nothing wrong. NewTransport panics if cfg is wrong.
//
// NewTransport does not count the declared length of a response without a body (to
// HEAD, 204, 304), nor the data on a connection after a 101 or a successful
// CONNECT. It does not bound the header either: use MaxResponseHeaderBytes of
// http.Transport.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	base, err := roundtrip.Base(cfg.Base)
	var wrong []string
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if cfg.MaxResponseBytes < 0 {
		wrong = append(wrong, "MaxResponseBytes must not be negative")
	}
	if wrong != nil {
		panic("limits: " + strings.Join(wrong, "; "))
	}
	limit := cfg.MaxResponseBytes
	if limit == 0 {
		limit = 10 << 20
	}
	return roundtrip.New(base, func(req *http.Request) (*http.Request, roundtrip.Call, error) {
		return req, &received{req: req, limit: limit}, nil
	})
}

// received counts a response's body. It implements roundtrip.Call.
type received struct {
	req   *http.Request
	limit int64

	mu  sync.Mutex // net/http allows concurrent reads
	n   int64
	err error // sticky
}

// Failed implements roundtrip.Call.
func (*received) Failed(err error) error { return err }

// Answered implements roundtrip.Call.
func (c *received) Answered(res *http.Response, k roundtrip.Kind) error {
	if k == roundtrip.Content && res.ContentLength > c.limit && !roundtrip.Bodiless(c.req.Method, res.StatusCode) {
		return c.tooLarge(res.ContentLength)
	}
	return nil
}

// Clip implements roundtrip.Clipper. One byte over the limit shows that there is
// more.
func (c *received) Clip(p []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := c.limit - c.n; c.err == nil && int64(len(p))-1 > left {
		p = p[:left+1]
	}
	return p, c.err
}

// Read implements roundtrip.Follower.
func (c *received) Read(n int, err error) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if left := c.limit - c.n; int64(n) > left {
		c.err = c.tooLarge(c.n + int64(n))
		c.n = c.limit
		return int(left), c.err
	}
	c.n += int64(n)
	return n, err
}

// Close implements roundtrip.Follower.
func (*received) Close(src io.ReadCloser, _ bool) error { return src.Close() }

func (c *received) tooLarge(got int64) error {
	host := c.req.Host
	if c.req.URL != nil && c.req.URL.Host != "" {
		host = c.req.URL.Host
	}
	return &Error{
		Reason: ReasonResponse, Limit: c.limit, Got: got, Host: host,
		what: "response too large", status: http.StatusBadGateway,
	}
}
