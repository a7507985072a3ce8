package limits

import (
	"net/http"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// pace cuts off a client that sends too slowly. What counts is the time spent
// in Read: a handler that works between two reads, or long after the last, is
// nobody's fault. So there is no deadline on the connection, which would fire
// then as well (and after the end of the body end the context of a healthy
// request, golang.org/issue/70834), but a timer that looks whether somebody is
// waiting, and only then sets one that has passed.
type pace struct {
	x      *exchange.Exchange
	shadow bool

	mu     sync.Mutex
	rate   int64
	grace  time.Duration
	got    int64
	waited time.Duration // in the reads that have returned
	since  time.Time     // of the one under way, zero where there is none
	timer  *time.Timer
	armed  bool
	over   bool // the body is read, or nobody reads it any more
	err    *Error
}

// left is how much longer the client may take for the next byte. In floating
// point: bytes times nanoseconds overflow an int64 at 8.6 GiB.
func (p *pace) left(now time.Time) time.Duration {
	waited := p.waited
	if !p.since.IsZero() {
		waited += now.Sub(p.since)
	}
	earned := float64(p.got) / float64(p.rate)
	const forever = 100 * 365 * 24 * time.Hour
	if earned > forever.Seconds() {
		return forever
	}
	return p.grace - waited + time.Duration(earned*float64(time.Second))
}

// begin is called before a read.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.since = time.Now()
	if p.armed {
		return
	}
	p.armed = true
	if left := p.left(p.since); p.timer == nil {
		p.timer = time.AfterFunc(left, p.fire)
	} else {
		p.timer.Reset(left)
	}
}

// end is called after it. A read that was cut off has an error that says so.
func (p *pace) end(n int, over bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got += int64(n)
	if !p.since.IsZero() {
		p.waited += time.Since(p.since)
		p.since = time.Time{}
	}
	if over {
		p.stopLocked()
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// stop ends the watch, and tells whether the client was cut off.
func (p *pace) stop() (slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLocked()
	return p.err != nil
}

func (p *pace) stopLocked() {
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// fire is the timer's function.
func (p *pace) fire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	if p.over || p.since.IsZero() {
		return // the next read arms it again
	}
	now := time.Now()
	if left := p.left(now); left > 0 {
		p.armed = true
		p.timer.Reset(left)
		return
	}
	p.over = true
	e := p.tooSlow(now)
	if p.shadow {
		p.x.Remark(e)
		return
	}
	p.err = e
	p.x.BreakRead()
}

func (p *pace) tooSlow(now time.Time) *Error {
	waited := p.waited + now.Sub(p.since)
	return &Error{
		Reason: ReasonRate, Limit: p.rate, Got: int64(float64(p.got) / waited.Seconds()),
		what: "body too slow, in bytes per second", status: http.StatusRequestTimeout,
	}
}
