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

// acceptable is the Accept-Encoding of a response to an unsupported coding.
const acceptable = "gzip, deflate"

// maxCodings bounds how many codings may be applied to a body. Each takes 32 KiB or
// more of memory, and no client needs two.
const maxCodings = 3

// codings returns the codings of the body in the order in which they were applied,
// or nil if there are none or bodies are not decoded. The names are
// case-insensitive, and x-gzip is gzip (RFC 9110 section 8.4).
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

// unknownCoding returns why a request is refused for its Content-Encoding.
func (p *policy) unknownCoding(r *http.Request) error {
	names := p.codings(r)
	if len(names) > maxCodings {
		return unsupported("too many content codings", maxCodings, int64(len(names)))
	}
	for _, name := range names {
		if name != "gzip" && name != "deflate" {
			return unsupported("unsupported content coding", 0, -1)
		}
	}
	return nil
}

func unsupported(what string, limit, got int64) *Error {
	return &Error{Reason: ReasonCoding, Limit: limit, Got: got, what: what, status: http.StatusUnsupportedMediaType}
}

// stage undoes one coding. The limits apply to each stage: the output of an outer
// coding may be huge even if the inner coding decodes it to nothing.
type stage struct {
	g      *guard
	coding string
	src    *bufio.Reader // the encoded bytes; decoders do not read past their end, because it is an io.ByteReader
	r      io.Reader     // nil until the first read: the handler may not read the body at all
	out    int64
}

// decoder returns the stages for codings. The last coding is undone first.
func (g *guard) decoder(codings []string) io.Reader {
	g.bottom = bufio.NewReader(encoded{g})
	src, top := g.bottom, (*stage)(nil)
	for _, coding := range slices.Backward(codings) {
		if top != nil {
			src = bufio.NewReader(top)
		}
		top = &stage{g: g, coding: coding, src: src}
	}
	return top
}

// encoded is the body before it is decoded.
type encoded struct{ g *guard }

func (e encoded) Read(p []byte) (int, error) {
	n, err := e.g.readEncoded(p)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it bare
		e.g.readErr = err // a decoder may replace it
	}
	return n, err
}

func (s *stage) Read(p []byte) (int, error) {
	if s.r == nil {
		r, err := open(s.coding, s.src)
		if err != nil {
			return 0, s.g.undecodable(err)
		}
		s.r = r
	}
	left := max(0, s.g.decoded.Load()-s.out)
	if int64(len(p))-1 > left {
		p = p[:left+1]
	}
	n, err := s.r.Read(p)
	s.out += int64(n)
	if int64(n) > left {
		if e := s.g.overLimit(&http.MaxBytesError{Limit: s.g.decoded.Load()}, &s.g.decoded); e != nil {
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

// open returns a decoder after it has read the header of the coding. "deflate" is
// the zlib format (RFC 9110 section 8.4.1.2), but some clients send it without
// zlib's header. The check bits in zlib's header distinguish the two: a stream
// without the header that has the same bits would begin with a stored block whose
// padding is not zero.
//
// A body without any bytes is empty in any coding. With Content-Length: 0 it would
// not be decoded either.
func open(coding string, src *bufio.Reader) (io.Reader, error) {
	if _, err := src.Peek(1); err == io.EOF {
		return src, nil
	}
	if coding == "gzip" {
		return gzip.NewReader(src)
	}
	head, err := src.Peek(2)
	switch {
	case len(head) < 2:
		return nil, err
	case head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0:
		return zlib.NewReader(src)
	}
	return flate.NewReader(src), nil
}

var errTrailing = errors.New("data after the end of the stream")

// end returns io.EOF if nothing follows the end of the coding, otherwise an error.
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

// ratioFrom is the decoded size up to which the ratio is not checked. The ratio
// protects against large bodies; small ones may compress well.
const ratioFrom = 1 << 20

func (s *stage) ratio() error {
	encoded := s.g.n - int64(s.g.bottom.Buffered())
	if s.out <= ratioFrom || s.out/s.g.ratio.Load() <= encoded {
		return nil
	}
	return s.g.overLimit(&Error{
		Reason: ReasonRatio, Limit: s.g.ratio.Load(), Got: s.out / max(1, encoded),
		what: "decode ratio too high, in decoded bytes per encoded byte", status: http.StatusRequestEntityTooLarge,
	}, &s.g.ratio)
}

// undecodable returns the error of reading the body if there is one, and otherwise
// the error of decoding it.
func (g *guard) undecodable(err error) error {
	switch {
	case g.err != nil:
		return g.err
	case g.readErr != nil:
		return g.readErr
	case err == io.EOF: //nolint:errorlint // readers return it bare
		err = io.ErrUnexpectedEOF
	}
	if g.policy.Shadow { // decodable has found that the beginning can be decoded
		g.x.Notes.Warn(cannotDecode(err))
		g.err = err
		return err
	}
	return g.fail(cannotDecode(err))
}

func cannotDecode(err error) *Error {
	return &Error{Reason: ReasonCoding, Got: -1, what: "body cannot be decoded", status: http.StatusBadRequest, cause: err}
}
