package measure

import (
	"bufio"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Punctual says when clients had the complete response for a stuck handler.
type Punctual struct {
	Name     string
	Answered float64   // the fraction of the clients that got a response within patience
	Millis   []float64 // when these clients had the response
}

// P99 returns the time after which 99 % of all clients had the complete response
// or, after patience, had given up.
func (p Punctual) P99(patience time.Duration) float64 {
	all := slices.Clone(p.Millis)
	if len(all) == 0 {
		return patience.Seconds() * 1e3
	}
	for range int(math.Round(float64(len(p.Millis)) * (1/p.Answered - 1))) {
		all = append(all, patience.Seconds()*1e3)
	}
	return At(all, 0.99)
}

// Stuck says how a handler is stuck.
type Stuck struct {
	HTTP2  bool
	Upload bool // reading the body of a client that stalls; otherwise forever
}

// Deadline sends n concurrent requests to each contender in turn, and waits for the
// responses. The handlers are stuck. A client stops waiting after patience.
func (s Stuck) Deadline(rounds, n int, patience time.Duration, wrap func(http.Handler) []Contender) ([]Punctual, error) {
	all := make([]Punctual, len(wrap(http.NotFoundHandler())))
	for round := range rounds {
		for turn := range all {
			i := (turn + round) % len(all)
			h := &stuck{s.Upload, make(chan struct{})} // a new handler, because calls of the previous one may not have returned yet
			c := wrap(h)[i]
			took, err := s.once(c.Handler, h.release, n, patience)
			if err != nil {
				return nil, err
			}
			all[i].Name, all[i].Millis = c.Name, append(all[i].Millis, took...)
		}
	}
	for i := range all {
		all[i].Answered = float64(len(all[i].Millis)) / float64(rounds*n)
	}
	return all, nil
}

// warmUp is the query of the request that gets a response at once.
const warmUp = "warm"

type stuck struct {
	upload  bool
	release chan struct{}
}

func (h *stuck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery == warmUp {
		return
	}
	if !h.upload {
		<-h.release
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "body", http.StatusBadRequest)
	}
}

func (s Stuck) once(h http.Handler, release chan struct{}, n int, patience time.Duration) (millis []float64, err error) {
	srv := server(h, s.HTTP2)
	dial := s.dialHTTP1
	if s.HTTP2 {
		dial = s.dialHTTP2
	}
	ask, hangUp, err := dial(srv.Client(), srv.URL, srv.Listener.Addr().String(), n, patience)
	if err == nil {
		millis = atOnce(n, ask)
		hangUp()
	}
	close(release)
	srv.CloseClientConnections()
	srv.Close()
	return millis, err
}

// atOnce sends n concurrent requests, and returns the durations of those that got a
// response.
func atOnce(n int, ask func(i int) error) (millis []float64) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			start := time.Now()
			if ask(i) != nil {
				return
			}
			took := time.Since(start).Seconds() * 1e3
			mu.Lock()
			millis = append(millis, took)
			mu.Unlock()
		})
	}
	all.Wait()
	return millis
}

// dialHTTP1 opens a connection for each request before it sends the first.
func (s Stuck) dialHTTP1(_ *http.Client, _, addr string, n int, patience time.Duration) (ask func(int) error, hangUp func(), err error) {
	conns := make([]net.Conn, 0, n)
	hangUp = func() {
		for _, c := range conns {
			c.Close()
		}
	}
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	raw := "GET " + Path + " HTTP/1.1\r\nHost: bench\r\n\r\n"
	if s.Upload {
		raw = "POST " + Path + " HTTP/1.1\r\nHost: bench\r\nContent-Length: 1024\r\n\r\nhalf of it"
	}
	return func(i int) error {
		if err := conns[i].SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := io.WriteString(conns[i], raw); err != nil {
			return err
		}
		res, err := http.ReadResponse(bufio.NewReader(conns[i]), nil)
		if err != nil {
			return err
		}
		return drain(res)
	}, hangUp, nil
}

// dialHTTP2 opens one connection before it sends the first request. Each request
// has its own stream.
func (s Stuck) dialHTTP2(client *http.Client, url, _ string, _ int, patience time.Duration) (ask func(int) error, hangUp func(), err error) {
	ask = func(int) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		method, body := http.MethodGet, io.Reader(http.NoBody)
		if s.Upload {
			method, body = http.MethodPost, &stalls{closed: make(chan struct{})}
		}
		req, err := http.NewRequestWithContext(ctx, method, url+Path, body)
		if err != nil {
			return err
		}
		return do(client, req)
	}
	warm, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+Path+"?"+warmUp, nil)
	if err != nil {
		return nil, nil, err
	}
	return ask, client.CloseIdleConnections, do(client, warm)
}

// stalls is a body that sends only a part and then blocks until it is closed.
type stalls struct {
	sent   bool
	closed chan struct{}
}

func (b *stalls) Read(p []byte) (int, error) {
	if b.sent {
		<-b.closed
		return 0, io.ErrClosedPipe
	}
	b.sent = true
	return copy(p, "half of it"), nil
}

func (b *stalls) Close() error {
	close(b.closed)
	return nil
}

func do(client *http.Client, req *http.Request) error {
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	return drain(res)
}

func drain(res *http.Response) error {
	defer res.Body.Close()
	_, err := io.Copy(io.Discard, res.Body)
	return err
}
