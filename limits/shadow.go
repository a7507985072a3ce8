package limits

import (
	"bufio"
	"bytes"
	"io"
	"slices"
)

// maxReadAhead is how much of an encoded body is read ahead in Shadow.
const maxReadAhead = 64 << 10

// decodable reports whether the beginning of the body can be decoded. Only Shadow
// calls it: a body that cannot be decoded is then passed on unchanged with its
// Content-Encoding, and the handler sees that header first. The handler then reads
// what was read ahead.
func (g *guard) decodable(codings []string) bool {
	ahead, n, err := make([]byte, maxReadAhead), 0, error(nil)
	for n < len(ahead) && err == nil { // io.ReadFull would hide the error
		var m int
		m, err = g.src.Read(ahead[n:])
		n += m
	}
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it bare
		g.src = &prefixed{io.MultiReader(bytes.NewReader(ahead[:n]), errReader{err}), g.src}
		return false // the connection has failed, and the handler gets that error
	}
	g.src = &prefixed{bytes.NewReader(ahead[:n]), g.src}
	err = decodes(ahead[:n], err != nil, codings)
	if err != nil {
		g.x.Notes.Warn(cannotDecode(err))
	}
	return err == nil
}

// decodes returns why beginning, which is the whole body if whole, cannot be decoded.
func decodes(beginning []byte, whole bool, codings []string) error {
	raw := bufio.NewReader(bytes.NewReader(beginning))
	src, sources := raw, []*bufio.Reader{raw}
	for _, coding := range slices.Backward(codings) {
		r, err := open(coding, src)
		if err != nil {
			return unlessCut(err, whole)
		}
		src = bufio.NewReader(r)
		sources = append(sources, src)
	}
	// Decode no more than this: a small body may decode to any size.
	n, err := io.CopyN(io.Discard, src, ratioFrom)
	switch {
	case err == nil && n == ratioFrom:
		return nil
	case err != io.EOF: //nolint:errorlint // readers return it bare
		return unlessCut(err, whole)
	}
	for _, src := range sources[:len(sources)-1] {
		if _, err := src.ReadByte(); err == nil {
			return errTrailing
		}
	}
	return nil
}

// unlessCut returns err, or nil if err may only mean that the beginning was cut off.
func unlessCut(err error, whole bool) error {
	switch {
	case whole && err == io.EOF: //nolint:errorlint // readers return it bare
		return io.ErrUnexpectedEOF
	case !whole && (err == io.EOF || err == io.ErrUnexpectedEOF): //nolint:errorlint // readers return it bare
		return nil
	}
	return err
}

// prefixed is a body whose beginning was read ahead.
type prefixed struct {
	ahead io.Reader
	io.ReadCloser
}

func (a *prefixed) Read(p []byte) (int, error) {
	if a.ahead != nil {
		if n, err := a.ahead.Read(p); n > 0 || err != io.EOF {
			return n, err
		}
		a.ahead = nil
	}
	return a.ReadCloser.Read(p)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
