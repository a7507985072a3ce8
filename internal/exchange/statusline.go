package exchange

import (
	"sync"
	"sync/atomic"
)

// statusLine reads the status of a response that the handler writes to a hijacked
// connection, as gorilla/websocket and httputil.ReverseProxy do for their 101.
type statusLine struct {
	done   atomic.Bool // the status was read, or there is none
	status atomic.Int32

	mu   sync.Mutex
	seen [len("HTTP/1.1 101")]byte
	n    int
}

// see collects the first bytes written, and reads the status from them.
func (s *statusLine) see(p []byte) {
	if s.done.Load() || len(p) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n += copy(s.seen[s.n:], p); s.n == len(s.seen) {
		s.status.Store(int32(finalStatus(s.seen[:])))
		s.done.Store(true)
	}
}

// finalStatus returns the status at the beginning of a response (RFC 9112 section
// 4), or 0 if line is not a status line or has an interim status. It does not look
// for a later status.
func finalStatus(line []byte) int {
	const form = "HTTP/0.0 000"
	if len(line) < len(form) {
		return 0
	}
	status := 0
	for i := range len(form) {
		c := line[i]
		switch {
		case form[i] != '0' && c != form[i], form[i] == '0' && (c < '0' || c > '9'):
			return 0
		case i >= len(form)-3:
			status = status*10 + int(c-'0')
		}
	}
	if status != 101 && (status < 200 || status > 599) {
		return 0
	}
	return status
}
