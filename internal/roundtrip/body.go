package roundtrip

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// Follower follows a body. Close may be called during a Read, as callers of
// net/http do to end a blocked read.
type Follower interface {
	// Read gets the results of a Read of the body and returns those for the
	// caller, with at most n bytes. err is nil, io.EOF, or why the body failed.
	Read(n int, err error) (int, error)
	// Close closes src, the body, on behalf of the caller. reading means that a
	// Read is in progress. In that case Close must not read, because closing an
	// HTTP/2 body of net/http ends only one read.
	Close(src io.ReadCloser, reading bool) error
}

// Clipper is a Follower that is called before each Read of the body. It returns the
// part of p to read into, or an error to return instead.
type Clipper interface {
	Clip(p []byte) ([]byte, error)
}

// Body returns src with a Follower. If src is an [io.WriterTo], so is the result,
// so io.Copy makes as few writes as without a Follower.
func Body(src io.ReadCloser, f Follower) io.ReadCloser {
	return (&body{src: src, f: f}).shape()
}

type body struct {
	src io.ReadCloser
	f   Follower

	made, got *http.Response // the response of net/http and the copy for the caller; nil if there is no copy

	mu      sync.Mutex
	readers int
	closing bool
}

// errClosing is the error of a Read that begins while the body is being closed.
var errClosing = errors.New("http: read on closed response body")

// enter begins a Read.
func (b *body) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return errClosing
	}
	b.readers++
	return nil
}

func (b *body) leave() {
	b.mu.Lock()
	b.readers--
	b.mu.Unlock()
}

func (b *body) shape() io.ReadCloser {
	if w, ok := b.src.(io.WriterTo); ok {
		return writerTo{b, w}
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.enter(); err != nil {
		return 0, err
	}
	defer b.leave()
	if c, ok := b.f.(Clipper); ok {
		var err error
		if p, err = c.Clip(p); err != nil {
			return 0, err
		}
	}
	n, err := b.src.Read(p)
	if err == io.EOF {
		b.carryTrailer()
	}
	return b.f.Read(n, err)
}

// carryTrailer sets an unannounced trailer in the caller's response. For announced
// trailers both responses share the map.
func (b *body) carryTrailer() {
	if b.got != nil && b.got.Trailer == nil {
		b.got.Trailer = b.made.Trailer
	}
}

func (b *body) Close() error {
	b.mu.Lock()
	b.closing = true
	reading := b.readers > 0
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.closing = false // from now on the body itself returns an error
		b.mu.Unlock()
	}()
	return b.f.Close(b.src, reading)
}

type writerTo struct {
	*body
	w io.WriterTo
}

func (b writerTo) WriteTo(w io.Writer) (int64, error) {
	if err := b.enter(); err != nil {
		return 0, err
	}
	defer b.leave()
	t := &tap{w: w, f: b.f}
	n, err := b.w.WriteTo(t)
	switch {
	case t.err != nil:
		return n, t.err
	case err == nil:
		b.carryTrailer()
		err = io.EOF
	}
	if _, err = b.f.Read(0, err); err == io.EOF { //nolint:errorlint // readers return it bare
		err = nil
	}
	return n, err
}

// tap passes what is written to a Follower.
type tap struct {
	w   io.Writer
	f   Follower
	err error // the error of the writer or the Follower, not of the body
}

func (t *tap) Write(p []byte) (int, error) {
	allowed, verdict := t.f.Read(len(p), nil)
	n, err := t.w.Write(p[:allowed])
	if err == nil {
		err = verdict
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		t.err = err
	}
	return n, err
}
