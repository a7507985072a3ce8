package exchange

import (
	"bufio"
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// FuzzStatusLine: for any bytes in any pieces on a hijacked connection, the status is
// the one that net/http parses, and has the form of the RFC.
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
		want := 0
		if m := statusForm.FindSubmatch(p); m != nil {
			want, _ = strconv.Atoi(string(m[1]))
		}
		if got != want {
			t.Fatalf("%d, want %d", got, want)
		}
		line, _, _ := bytes.Cut(p, []byte("\n"))
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(line)+"\r\n\r\n")), nil)
		if err == nil && got != 0 && res.StatusCode != got {
			t.Fatalf("net/http reads %d, we read %d", res.StatusCode, got)
		}
	})
}

// statusForm is RFC 9112 section 4 with a final status.
var statusForm = regexp.MustCompile(`^HTTP/[0-9]\.[0-9] (101|[2-5][0-9]{2})`)
