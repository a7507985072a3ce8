package logging

import "io"

// callBody is a response's body that ends its call.
type callBody struct {
	c   *call
	src io.ReadCloser
}

func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.c.received.Add(int64(n))
	switch {
	case err == io.EOF:
		b.c.end(nil, true)
	case err != nil:
		b.c.end(err, false)
	}
	return n, err
}

// Close ends the call first: closing can take as long as the rest of the body.
// Whoever has read as many bytes as were declared has seen the end, also where
// he did not ask for the EOF.
func (b *callBody) Close() error {
	whole := b.c.length >= 0 && b.c.received.Load() >= b.c.length
	b.c.end(nil, whole)
	return b.src.Close()
}

// countedBody counts what was sent.
type countedBody struct {
	io.ReadCloser
	c *call
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.sent.Add(int64(n))
	return n, err
}
