//go:build wire

package pairs_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rounds = flag.Int("pairs.n", 1, "how often each pair is tried at each distance")

const (
	limit = 15 * time.Millisecond // to the deadline, or to the client's leaving
	reach = 200 * time.Microsecond
	step  = 50 * time.Microsecond
)

var errLate = errors.New("an error that the handler returns late")

// act is what a handler does at the moment.
type act struct {
	desc   string
	protos []string
	body   bool // the request has a body whose end comes at the moment
	// do returns the error of a write, or nil; wrote says that it wrote.
	do func(s *scene, w http.ResponseWriter, r *http.Request) (wrote bool, err error)
}

var (
	all   = raw.Protocols
	http1 = []string{"1.0", "1.1"}
)

const hello = "hello"

var acts = []act{
	{desc: "return", protos: all, do: func(*scene, http.ResponseWriter, *http.Request) (bool, error) { return false, nil }},
	{desc: "first write", protos: all, do: func(_ *scene, w http.ResponseWriter, _ *http.Request) (bool, error) {
		_, err := io.WriteString(w, hello)
		return true, err
	}},
	{desc: "Flush", protos: all, do: func(_ *scene, w http.ResponseWriter, _ *http.Request) (bool, error) {
		_, err := io.WriteString(w, hello)
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		return true, err
	}},
	{desc: "1xx", protos: all[1:], do: func(_ *scene, w http.ResponseWriter, _ *http.Request) (bool, error) {
		w.WriteHeader(http.StatusEarlyHints)
		_, err := io.WriteString(w, hello)
		return true, err
	}},
	{desc: "panic", protos: all, do: func(*scene, http.ResponseWriter, *http.Request) (bool, error) { panic("at the moment") }},
	{desc: "Goexit", protos: all, do: func(*scene, http.ResponseWriter, *http.Request) (bool, error) {
		runtime.Goexit()
		return false, nil
	}},
	{desc: "ErrAbortHandler", protos: all, do: func(*scene, http.ResponseWriter, *http.Request) (bool, error) { panic(http.ErrAbortHandler) }},
	{desc: "hijack", protos: []string{"1.1"}, do: func(s *scene, w http.ResponseWriter, r *http.Request) (bool, error) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return false, nil // it was refused
		}
		defer conn.Close()
		s.hijacked.Store(true)
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
		return false, nil
	}},
	{desc: "body end", protos: all, body: true, do: func(_ *scene, w http.ResponseWriter, r *http.Request) (bool, error) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return false, nil // the deadline came first
		}
		_, err := io.WriteString(w, hello)
		return true, err
	}},
	{desc: "late error", protos: all, do: func(_ *scene, w http.ResponseWriter, _ *http.Request) (bool, error) {
		_, err := io.WriteString(w, hello)
		if err != nil {
			return true, err
		}
		return true, errLate
	}},
	{desc: "Reset", protos: all, do: func(s *scene, w http.ResponseWriter, r *http.Request) (bool, error) {
		if _, err := timeout.Reset(r.Context(), time.Minute); err == nil {
			s.moved.Store(true)
		}
		_, err := io.WriteString(w, hello)
		return true, err
	}},
	{desc: "Override", protos: all, do: func(_ *scene, w http.ResponseWriter, r *http.Request) (wrote bool, err error) {
		timeout.Override(time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err = io.WriteString(w, hello)
		})).ServeHTTP(w, r)
		return true, err
	}},
}

// scene is one request.
type scene struct {
	hijacked, moved, wroteNil atomic.Bool
	done                      chan struct{}
}

// until waits more precisely than a timer.
func until(at time.Time) {
	time.Sleep(time.Until(at) - time.Millisecond)
	for time.Now().Before(at) {
		runtime.Gosched()
	}
}

// stage is a server whose handler acts at a moment that the test sets.
type stage struct {
	*raw.Server

	records *raw.Records
	act     *act
	at      func(ctx context.Context) time.Time
	current atomic.Pointer[scene]
	entered chan struct{}
}

// stand starts one. Its deadline is d.
func stand(t *testing.T, a *act, d time.Duration) *stage {
	t.Helper()
	errs := errmap.New(errmap.Config{Render: errmap.ErrorJSON})
	st := &stage{records: raw.NewRecords(), act: a, entered: make(chan struct{}, 1)}
	stack := bulwark.Chain(
		logging.New(st.records.Config()), timeout.New(timeout.Config{Limit: d}),
		limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: raw.Patience}), errs.Recover,
	)
	st.Server = raw.Start(t, &http.Server{Handler: stack(errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		s := st.current.Load()
		defer close(s.done)
		st.entered <- struct{}{}
		until(st.at(r.Context()))
		wrote, err := st.act.do(s, w, r)
		switch {
		case errors.Is(err, errLate):
			s.wroteNil.Store(true)
			return err
		case wrote && err == nil:
			s.wroteNil.Store(true)
		}
		return nil
	}))})
	return st
}

// request sends one and returns what came of it.
func (st *stage) request(t *testing.T, c raw.Client, body bool) *scene {
	t.Helper()
	s := &scene{done: make(chan struct{})}
	st.current.Store(s)
	r := &raw.Request{Header: []string{"Connection: Upgrade", "Upgrade: test"}}
	if _, ok := c.(*raw.HTTP2); ok || st.act.desc != "hijack" {
		r.Header = nil
	}
	if body {
		r.Method, r.Length, r.Stalls = http.MethodPost, 4, true
	}
	c.Send(t, r)
	return s
}

// each runs f for each act, protocol and distance.
func each(t *testing.T, f func(t *testing.T, a *act, proto string, distances []time.Duration)) {
	t.Helper()
	var distances []time.Duration
	for range *rounds {
		for d := -reach; d <= reach; d += step {
			distances = append(distances, d)
		}
	}
	for i := range acts {
		for _, proto := range acts[i].protos {
			t.Run(acts[i].desc+", HTTP/"+proto, func(t *testing.T) { f(t, &acts[i], proto, distances) })
		}
	}
}

// agree checks that the record is that of what the client saw.
func agree(t *testing.T, s *scene, got raw.Answer, r logging.Record) {
	t.Helper()
	seen := fmt.Sprintf("client %+v, record {Status:%d Intended:%d Outcome:%s Abandoned:%t Cause:%v}",
		got, r.Status, r.StatusIntended, r.Outcome, r.Abandoned, r.Cause)
	assert.NotEqual(t, raw.Hangs, got.End, seen)
	assert.Equal(t, got.Status, r.Status, seen)
	switch {
	case s.hijacked.Load():
		assert.Equal(t, "upgraded", string(r.Outcome), seen)
		assert.Equal(t, 101, got.Status, seen)
	case got.End != raw.Whole:
		assert.NotContains(t, []string{"ok", "refused"}, string(r.Outcome), seen)
	case got.Status == 504 || got.Status == 408:
		if r.Panic == nil { // a panic that came first is the outcome
			assert.Equal(t, "deadline", string(r.Outcome), seen)
		}
	case got.Status == 500:
		assert.Contains(t, []string{"panic", "error"}, string(r.Outcome), seen)
	default:
		assert.Equal(t, [3]any{200, "ok", true}, [3]any{got.Status, string(r.Outcome), got.Body == "" || got.Body == hello}, seen)
	}
}
