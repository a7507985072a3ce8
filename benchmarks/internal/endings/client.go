package endings

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

// answer is what a client got.
type answer struct {
	interim []int
	status  int // 0 if there was no response
	body    string
	err     error // why the response ended early; nil if it was complete
	late    bool  // it ended when the handler was released, or later
}

// send writes a request, or a part of one, and reads the response.
func send(r *run, conn net.Conn, raw string) answer {
	return exchange(r, conn, bufio.NewReader(conn), raw)
}

func exchange(r *run, conn net.Conn, from *bufio.Reader, raw string) answer {
	var a answer
	if _, a.err = io.WriteString(conn, raw); a.err != nil {
		return a
	}
	for {
		res, err := http.ReadResponse(from, nil)
		if err != nil {
			a.err = err
			break
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			a.interim = append(a.interim, res.StatusCode)
			continue
		}
		a.status = res.StatusCode
		if a.status != http.StatusSwitchingProtocols { // what follows is another protocol
			body, err := io.ReadAll(res.Body)
			a.body, a.err = string(body), err
		}
		break
	}
	select {
	case <-r.let:
		a.late = true
	default:
	}
	return a
}

// String describes the answer.
func (a answer) String() string {
	var s strings.Builder
	for _, status := range a.interim {
		fmt.Fprintf(&s, "%d, ", status)
	}
	switch {
	case a.status == 0 && errors.Is(a.err, os.ErrDeadlineExceeded):
		s.WriteString("no response")
	case a.status == 0:
		s.WriteString("connection closed, no response")
	case errors.Is(a.err, os.ErrDeadlineExceeded):
		fmt.Fprintf(&s, "%d, never ends", a.status)
	case a.err != nil:
		fmt.Fprintf(&s, "%d, aborted", a.status)
	case a.status == http.StatusOK && a.body != half+other:
		s.WriteString("200, looks complete but is not")
	default:
		fmt.Fprintf(&s, "%d", a.status)
	}
	return s.String()
}

// timed also says whether the response came at the deadline.
func (a answer) timed() string {
	switch {
	case a.err != nil && errors.Is(a.err, os.ErrDeadlineExceeded):
		return a.String()
	case a.late:
		return a.String() + ", when the handler returned"
	default:
		return a.String() + ", at the deadline"
	}
}

const (
	get     = "GET " + measure.Path + " HTTP/1.1\r\nHost: bench\r\n\r\n"
	getOnce = "GET " + measure.Path + " HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
)

// post returns a request with a declared length, of which only part is sent.
func post(length int, part, header string) string {
	return fmt.Sprintf("POST "+measure.Path+" HTTP/1.1\r\nHost: bench\r\n%sContent-Length: %d\r\n\r\n%s", header, length, part)
}
