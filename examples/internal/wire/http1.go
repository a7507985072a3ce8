package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// HTTP1 is a connection.
type HTTP1 struct {
	net.Conn

	In *bufio.Reader
	// Closed tells that the server has closed the connection or said that it
	// will, or that it speaks another protocol now.
	Closed bool
}

// DialHTTP1 connects for as long as patience.
func DialHTTP1(addr string, patience time.Duration) (*HTTP1, error) {
	conn, err := dial(addr, patience)
	if err != nil {
		return nil, err
	}
	return &HTTP1{Conn: conn, In: bufio.NewReader(conn)}, nil
}

// Send sends the request at once.
func (c *HTTP1) Send(r *Request) error {
	_, err := io.WriteString(c, r.Head()+r.Coded(r.Body)+r.End())
	return err
}

// Receive returns the next answer, to a request of that method. err is why it is
// not whole.
func (c *HTTP1) Receive(method string, seen Seen) (a Answer, err error) {
	for {
		res, err := http.ReadResponse(c.In, &http.Request{Method: method}) //nolint:bodyclose // the connection outlives it
		if err != nil {
			c.Closed = true
			a.End = None
			return a, err
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			a.Early = append(a.Early, res.StatusCode)
			continue
		}
		a.Status = res.StatusCode
		a.Header, a.ID = flat(res.Header)
		if res.StatusCode == http.StatusSwitchingProtocols {
			c.Closed = true
			a.End = Whole
			return a, nil
		}
		err = a.read(res.Body, seen)
		a.Trailer, _ = flat(res.Trailer)
		c.Closed = c.Closed || res.Close || err != nil
		return a, err
	}
}

var errLeft = errors.New("the rest was not waited for")

// read reads the body.
func (a *Answer) read(r io.Reader, seen Seen) error {
	var all []byte
	defer func() { a.Body = string(all) }()
	if !seen(a.Status, 0) {
		a.End = Left
		return errLeft
	}
	for buf := make([]byte, 4096); ; {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		switch {
		case n > 0 && !seen(a.Status, len(all)):
			a.End = Left
			return errLeft
		case err == io.EOF:
			a.End = Whole
			return nil
		case err != nil:
			a.End = Cut
			return err
		}
	}
}
