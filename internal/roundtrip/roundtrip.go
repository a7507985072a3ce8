// Package roundtrip is the base of the three outbound transports, those of
// timeout, limits and logging: an [http.RoundTripper] that passes a call on to
// another one and lets a [Call] follow it. It does what http.RoundTripper,
// http.Client and their callers expect:
//
//   - The caller's request is not modified. What a copy of it shares with it,
//     its Trailer above all, stays shared: the caller fills that map while the
//     body is sent.
//   - The request's body is closed also if the call is refused, and passed on as
//     it is unless it has to be followed: net/http knows readers in memory by
//     their type and sends them together with the header.
//   - The response is the one that the RoundTripper below made, with another
//     Body; net/http sets its Trailer when the body has ended. See [Transport]
//     for the one exception.
//   - Responses with a nil Body, a nil Response without an error, and a Response
//     with an error are passed on unchanged; http.Client handles them.
//   - The body of a 101, or of a CONNECT that succeeded, is a connection and
//     is not wrapped.
//   - CloseIdleConnections is passed on.
package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
)

// Base returns the RoundTripper that makes the requests: base or, if that is nil,
// the current [http.DefaultTransport]. http.DefaultTransport is read only once, so
// a transport around the default can become the default. A typed nil is an error,
// because it would panic at the first request.
func Base(base http.RoundTripper) (http.RoundTripper, error) {
	if base == nil {
		if base = http.DefaultTransport; base == nil {
			return nil, errors.New("Base is nil, and so is http.DefaultTransport")
		}
	}
	if v := reflect.ValueOf(base); (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
		return nil, fmt.Errorf("Base must not be a nil %T", base)
	}
	return base, nil
}

// Begin starts the call of req. It returns the request to send, which is req or a
// [Copy] of it, and a Call that follows it, or nil. If it returns an error,
// nothing is sent.
type Begin func(req *http.Request) (out *http.Request, c Call, err error)

// Kind is what follows the head of a response.
type Kind uint8

// The kinds.
const (
	// Content is a body to read. It may be empty.
	Content Kind = iota
	// None is no body: nil or http.NoBody.
	None
	// Tunnel is a connection that now belongs to the caller (101, CONNECT).
	Tunnel
)

// Call follows one call. Either Failed or Answered is called, once and on the
// goroutine of RoundTrip. After Answered with Content, the methods of Follower
// are called on the goroutines that read and close the body.
type Call interface {
	// Failed returns the error that the caller gets for err: what RoundTrip
	// returned, [ErrNoResponse] or [ErrPanic].
	Failed(err error) error
	// Answered gets the head of the response. If it returns an error, the body is
	// closed and the caller gets the error.
	Answered(res *http.Response, k Kind) error
	Follower
}

// ErrNoResponse is passed to [Call.Failed] if the RoundTripper returned neither a
// response nor an error. The caller also gets neither.
var ErrNoResponse = errors.New("the RoundTripper returned a nil *Response with a nil error")

// ErrPanic is passed to [Call.Failed] if RoundTrip panics or exits its goroutine.
var ErrPanic = errors.New("the RoundTripper panicked")

// Transport is the RoundTripper that the three packages return. It is safe for
// concurrent use if its base and its Begin are.
//
// If a Call has a method Forgotten, that method is called when the response's body
// is garbage collected without having been closed or read to its end. To make this
// possible, the caller gets a copy of the response of an [http.Transport]: the
// http.Transport refers to its own response while the body is open (on HTTP/2, and
// on HTTP/1 from Go 1.27 on), and would keep the body alive. A trailer that is set
// at the end of the body is copied.
type Transport struct {
	base   http.RoundTripper
	begin  Begin
	native bool
}

// New returns a Transport. base is what [Base] returned.
func New(base http.RoundTripper, begin Begin) *Transport {
	return &Transport{base: base, begin: begin, native: Native(base)}
}

// Native reports whether rt is an http.Transport, or one or more Transports around
// an http.Transport.
func Native(rt http.RoundTripper) bool {
	switch t := rt.(type) {
	case *http.Transport:
		return true
	case *Transport:
		return t.native
	}
	return false
}

// CloseIdleConnections implements [http.Client.CloseIdleConnections] by calling
// that of the base.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out, c, err := t.begin(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must close the body, also if it fails
		}
		return nil, err
	}
	res, err := t.send(out, c)
	if res != nil && res.Request == out {
		res.Request = req // the caller's request
	}
	switch {
	case c == nil:
		return res, err
	case err != nil:
		return res, c.Failed(err)
	case res == nil:
		_ = c.Failed(ErrNoResponse)
		return nil, nil //nolint:nilnil // http.Client reports it
	}
	return t.follow(req, res, c)
}

// send calls the RoundTripper. If it panics, send reports that to the call.
func (t *Transport) send(out *http.Request, c Call) (*http.Response, error) {
	if c != nil {
		returned := false
		defer func() {
			if !returned {
				_ = c.Failed(ErrPanic)
			}
		}()
		res, err := t.base.RoundTrip(out)
		returned = true
		return res, err
	}
	return t.base.RoundTrip(out)
}

func (t *Transport) follow(req *http.Request, res *http.Response, c Call) (*http.Response, error) {
	k := kindOf(req.Method, res)
	if err := c.Answered(res, k); err != nil {
		if res.Body != nil {
			_ = res.Body.Close()
		}
		return nil, err
	}
	if k != Content {
		return res, nil
	}
	f, forgettable := c.(interface{ Forgotten() })
	b := &body{src: res.Body, f: c}
	got := res
	if forgettable && t.native {
		got = new(http.Response)
		*got = *res
		b.made, b.got = res, got
	}
	got.Body = b.shape()
	if forgettable {
		runtime.AddCleanup(b, func(f interface{ Forgotten() }) { f.Forgotten() }, f)
	}
	return got, nil
}

func kindOf(method string, res *http.Response) Kind {
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols,
		method == http.MethodConnect && res.StatusCode >= 200 && res.StatusCode < 300:
		return Tunnel
	case res.Body == nil, res.Body == http.NoBody:
		return None
	}
	return Content
}

// Bodiless reports whether a response to method with this status has no content,
// even if it declares a Content-Length (RFC 9110 section 6.4.1). On HTTP/2, if such
// a response declares a length, net/http gives it a body whose Read fails.
func Bodiless(method string, status int) bool {
	return method == http.MethodHead || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// Copy returns a copy of req with another context and a Header that may be
// changed. Everything else is shared. A nil Header stays nil: net/http rejects
// it.
func Copy(ctx context.Context, req *http.Request) *http.Request {
	out := req.WithContext(ctx)
	out.Header = req.Header.Clone()
	return out
}

// SetHeader sets a field of a [Copy], unless its Header is nil.
func SetHeader(out *http.Request, key, value string) {
	if out.Header != nil {
		out.Header[key] = []string{value}
	}
}
