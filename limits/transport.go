package limits

import (
	"errors"
	"io"
	"net/http"
)

// TransportConfig configures [NewTransport]. The zero value of every field is
// the documented default.
type TransportConfig struct {
	// Base makes the requests. Default: http.DefaultTransport at the time of
	// the request.
	Base http.RoundTripper

	// MaxResponseBytes is the largest body that a response may have, in bytes as
	// the caller reads them: after the transport's own gunzip. Default 10 MiB.
	MaxResponseBytes int64
}

// NewTransport returns a RoundTripper that bounds what the other side may send
// back. A declared length over the limit fails RoundTrip; else the body does,
// at the limit. Both with an *[Error] that names host, limit and count, and
// whose StatusCode is 502: what a third party did is not our client's fault.
// It panics if cfg is wrong.
//
// The header is not counted here: MaxResponseHeaderBytes of http.Transport
// bounds it.
func NewTransport(cfg TransportConfig) http.RoundTripper {
	if cfg.MaxResponseBytes < 0 {
		panic("limits: MaxResponseBytes must not be negative")
	}
	if cfg.MaxResponseBytes == 0 {
		cfg.MaxResponseBytes = 10 << 20
	}
	return &transport{cfg}
}

type transport struct{ TransportConfig }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	res, err := base.RoundTrip(req)
	if err != nil || res.StatusCode == http.StatusSwitchingProtocols ||
		res.Body == nil || res.Body == http.NoBody || req.Method == http.MethodHead {
		return res, err
	}
	b := &responseBody{src: res.Body, host: req.URL.Host, limit: t.MaxResponseBytes}
	if res.ContentLength > b.limit {
		res.Body.Close()
		return nil, b.tooLarge(res.ContentLength)
	}
	res.Body = b
	return res, nil
}

// responseBody is guard for a response: there is no connection to be closed
// and nobody to be told but the caller.
type responseBody struct {
	src   io.ReadCloser
	host  string
	limit int64
	n     int64
	err   error // sticky
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	left := b.limit - b.n
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := b.src.Read(p)
	if int64(n) > left {
		b.n, n, err = b.limit, int(left), b.tooLarge(b.n+int64(n))
	} else {
		b.n += int64(n)
	}
	b.err = err
	return n, err
}

func (b *responseBody) tooLarge(got int64) error {
	return &Error{
		Reason: ReasonResponse, Limit: b.limit, Got: got, Host: b.host,
		what: "response too large", status: http.StatusBadGateway,
	}
}

// Close closes the body.
func (b *responseBody) Close() error {
	if b.err == nil {
		b.err = errClosed
	}
	return b.src.Close()
}

var errClosed = errors.New("http: read on closed response body")
