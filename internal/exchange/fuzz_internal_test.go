package exchange

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// FuzzStatusLine: whatever is written to a hijacked connection, in whatever
// pieces, does no harm, and where net/http reads a response there it has the
// status that was seen.
func FuzzStatusLine(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"), uint8(3))
	f.Add([]byte("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 x\r\n\r\n"), uint8(1))
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\n"), uint8(0))
	f.Add([]byte("HTTP/1.1 10"), uint8(200))
	f.Add([]byte("http/1.1 200 OK"), uint8(5))
	f.Add([]byte("HTTP/1.1 2000"), uint8(5))
	f.Fuzz(func(t *testing.T, p []byte, piece uint8) {
		var whole, pieces statusLine
		whole.see(p)
		for rest := p; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			pieces.see(rest[:n])
			rest = rest[n:]
		}
		got := int(whole.status.Load())
		if other := int(pieces.status.Load()); other != got {
			t.Fatalf("%d at once, %d in pieces", got, other)
		}
		if got != 0 && got != 101 && (got < 200 || got > 599) {
			t.Fatalf("%d is no final status", got)
		}
		line, _, _ := bytes.Cut(p, []byte("\n"))
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(line)+"\r\n\r\n")), nil)
		if err == nil && final(res.StatusCode) && got != res.StatusCode && !strings.Contains(res.Proto, " ") && bytes.HasPrefix(p, []byte("HTTP/1.")) {
			t.Fatalf("net/http reads %d, we read %d in %q", res.StatusCode, got, line)
		}
	})
}

func final(status int) bool { return status == 101 || status >= 200 && status <= 599 }
