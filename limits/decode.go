package limits

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// acceptable is what a client that sent an unknown coding is told to use.
const acceptable = "gzip, deflate"

// maxCodings bounds how many codings a body may have one over the other. Each
// costs a window of 32 KiB and more, and nobody needs two.
const maxCodings = 3

// codings are those of the body in the order in which they were applied, nil
// where there are none or the body is passed on encoded. RFC 9110 section 8.4:
// the names are case-insensitive, x-gzip is gzip.
func (p *policy) codings(r *http.Request) []string {
	if p.MaxDecodedBytes == 0 || !hasBody(r) {
		return nil
	}
	var names []string
	for _, v := range r.Header["Content-Encoding"] {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			switch name {
			case "", "identity":
				continue
			case "x-gzip":
				name = "gzip"
			}
			names = append(names, name)
		}
	}
	return names
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// unknownCoding is why a request is refused for its Content-Encoding.
func (p *policy) unknownCoding(r *http.Request) error {
	names := p.codings(r)
	if len(names) > maxCodings {
		return unsupported("too many content codings", maxCodings, int64(len(names)))
	}
	for _, name := range names {
		if name != "gzip" && name != "deflate" {
			return unsupported("unknown content coding", 0, -1)
		}
	}
	return nil
}

func unsupported(what string, limit, got int64) *Error {
	return &Error{Reason: ReasonCoding, Limit: limit, Got: got, what: what, status: http.StatusUnsupportedMediaType}
}

// stage undoes one coding. Each is bounded by itself: of two, the outer one may
// grow without end while the inner one makes nothing of it.
type stage struct {
	g       *guard
	deflate bool
	src     *bufio.Reader // encoded; read byte by byte at the end, so that nothing past it is lost
	r       io.Reader     // nil until the first read: the handler may not want the body at all
	out     int64
}

// decoder returns the stages for codings, the last applied undone first.
func (g *guard) decoder(codings []string) io.Reader {
	g.bottom = bufio.NewReader(wire{g})
	src, top := g.bottom, (*stage)(nil)
	for _, coding := range slices.Backward(codings) {
		if top != nil {
			src = bufio.NewReader(top)
		}
		top = &stage{g: g, deflate: coding == "deflate", src: src}
	}
	return top
}

// wire is the body before it is decoded.
type wire struct{ g *guard }

func (w wire) Read(p []byte) (int, error) {
	n, err := w.g.wire(p)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it bare
		w.g.wireErr = err // what the decoders make of it must not hide it
	}
	return n, err
}

func (s *stage) Read(p []byte) (int, error) {
	if s.r == nil {
		if err := s.open(); err != nil {
			return 0, s.g.undecodable(err)
		}
	}
	left := max(0, s.g.decoded-s.out)
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := s.r.Read(p)
	s.out += int64(n)
	if int64(n) > left {
		if e := s.g.exceeded(&http.MaxBytesError{Limit: s.g.decoded}, &s.g.decoded); e != nil {
			return int(left), e
		}
	}
	if e := s.ratio(); e != nil {
		return n, e
	}
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		return n, s.end()
	}
	return n, s.g.undecodable(err)
}

// open reads what the coding begins with. "deflate" is the zlib format (RFC
// 9110 section 8.4.1.2), but there are clients that send it without zlib's
// header. The header's check bits tell the two apart: a bare stream that has
// them would begin with a stored block whose padding is not zero.
func (s *stage) open() (err error) {
	if !s.deflate {
		s.r, err = gzip.NewReader(s.src)
		return err
	}
	head, err := s.src.Peek(2)
	switch {
	case len(head) < 2:
		return err
	case head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0:
		s.r, err = zlib.NewReader(s.src)
		return err
	}
	s.r = flate.NewReader(s.src)
	return nil
}

var errTrailing = errors.New("data after the end of the stream")

// end is what follows the end of the coding: nothing, or an error.
func (s *stage) end() error {
	switch _, err := s.src.ReadByte(); err {
	case nil:
		return s.g.undecodable(errTrailing)
	case io.EOF:
		return io.EOF
	default:
		return s.g.undecodable(err)
	}
}

// ratioFrom is where the ratio begins to count: small bodies compress as well
// as they like.
const ratioFrom = 1 << 20

func (s *stage) ratio() error {
	encoded := s.g.n - int64(s.g.bottom.Buffered())
	if s.out <= ratioFrom || s.out/int64(s.g.ratio) <= encoded {
		return nil
	}
	return s.g.exceeded(&Error{
		Reason: ReasonRatio, Limit: int64(s.g.ratio), Got: s.out / max(1, encoded),
		what: "body grows too much, in decoded bytes per encoded one", status: http.StatusRequestEntityTooLarge,
	}, nil)
}

// undecodable is the error of a body that is not what it says, or the one by
// which reading it failed.
func (g *guard) undecodable(err error) error {
	switch {
	case g.err != nil:
		return g.err
	case g.wireErr != nil:
		return g.wireErr
	case err == io.EOF: //nolint:errorlint // readers return it bare
		err = io.ErrUnexpectedEOF
	}
	return g.fail(&Error{Reason: ReasonCoding, Got: -1, what: "body cannot be decoded", status: http.StatusBadRequest, cause: err})
}
