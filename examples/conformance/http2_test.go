package conformance_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Client speaks frames, because net/http's client does not say how a
// stream ended once it has the whole body, and may lose an answer to the reset
// that follows it.
type http2Client struct {
	net.Conn
	frames *http2.Framer
	stream uint32
	closed bool
}

// dialHTTP2 begins with prior knowledge, RFC 9113 section 3.3.
func dialHTTP2(t *testing.T, addr string) client {
	conn := dial(t, addr)
	c := &http2Client{Conn: conn, frames: http2.NewFramer(conn, conn)}
	c.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	require.NoError(t, c.frames.WriteSettings())
	return c
}

func (c *http2Client) send(t *testing.T, r request) {
	t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	field := func(name, value string) {
		require.NoError(t, enc.WriteField(hpack.HeaderField{Name: name, Value: value}))
	}
	field(":method", r.method)
	field(":scheme", "http")
	field(":authority", "test")
	field(":path", r.path)
	for k, v := range r.header {
		field(strings.ToLower(k), v)
	}
	if r.declared >= 0 && !r.bodiless() {
		field("content-length", strconv.Itoa(max(r.declared, len(r.body))))
	}
	c.stream += 2
	if c.stream == 2 {
		c.stream = 1
	}
	require.NoError(t, c.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: r.bodiless(),
	}))
	if r.body != "" || !r.bodiless() && !r.stalls {
		require.NoError(t, c.frames.WriteData(c.stream, !r.stalls, []byte(r.body)))
	}
}

func (c *http2Client) receive(t *testing.T, _ request, seen func()) (a answer, id string) {
	t.Helper()
	for {
		f, err := c.frames.ReadFrame()
		if err != nil {
			c.closed = true
			require.ErrorIs(t, err, io.EOF)
			a.End = none
			return a, id
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				require.NoError(t, c.frames.WriteSettingsAck())
			}
		case *http2.GoAwayFrame:
			c.closed = true
		}
		if f.Header().StreamID != c.stream {
			continue
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if rid := a.head(t, f); rid != "" {
				id = rid
			}
		case *http2.DataFrame:
			a.Body += string(f.Data())
			if len(f.Data()) > 0 {
				seen()
			}
		case *http2.RSTStreamFrame:
			a.End = a.broken()
			return a, id
		}
		if f.Header().Flags.Has(http2.FlagDataEndStream) { // the same bit in HEADERS
			a.End = whole
			return a, id
		}
	}
}

// head takes in a header block: early, final, or the trailers.
func (a *answer) head(t *testing.T, f *http2.MetaHeadersFrame) (id string) {
	t.Helper()
	h := http.Header{}
	for _, field := range f.RegularFields() {
		h.Add(field.Name, field.Value)
	}
	if f.PseudoValue("status") == "" {
		a.Trailer, _ = flat(h)
		return ""
	}
	status, err := strconv.Atoi(f.PseudoValue("status"))
	require.NoError(t, err)
	if status < 200 {
		a.Early = append(a.Early, status)
		return ""
	}
	a.Status = status
	a.Header, id = flat(h)
	return id
}

// broken is how a stream ended that was reset.
func (a *answer) broken() ending {
	switch length, err := strconv.Atoi(a.Header["Content-Length"]); {
	case a.Status == 0:
		return none
	case err == nil && len(a.Body) == length:
		return reset
	default:
		return cut
	}
}

// leave resets the stream; the connection lives on.
func (c *http2Client) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, c.frames.WriteRSTStream(c.stream, http2.ErrCodeCancel))
}

func (c *http2Client) reusable() bool { return !c.closed }
func (c *http2Client) close()         { c.closed = true; _ = c.Close() }
