package limits

import (
	"net/http"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// pace cuts off a client that sends too slowly. Only time spent in Read counts, not
// the handler's work between two reads. So pace sets no read deadline in advance.
// Such a deadline would also pass while the handler works, and after the end of the
// body it would cancel the context of a healthy request (golang.org/issue/70834).
// Instead a timer checks whether a Read is waiting, and only then sets a read
// deadline in the past.
type pace struct {
	x      *exchange.Exchange
	shadow bool

	mu      sync.Mutex
	rate    int64
	grace   time.Duration
	got     int64
	waited  time.Duration // in the reads that have returned
	since   time.Time     // when the current Read began; zero if there is none
	timer   *time.Timer
	armed   bool
	due     time.Time // when the timer should fire
	late    int       // how often it was late
	stopped bool      // the body has been read, or is no longer needed
	err     *Error
}

// left returns how much longer the client may take for the next byte. It uses
// floating point, because bytes times nanoseconds overflow an int64 at 8.6 GiB.
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
	return saturated(float64(p.grace-waited) + earned*float64(time.Second))
}

// begin is called before a Read.
func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.since = time.Now()
	if p.armed {
		return
	}
	left := p.left(p.since)
	if left <= 0 { // the timer was late, and the bytes may already be there
		left = extraWait
	}
	p.arm(p.since, left)
}

// arm sets the timer.
func (p *pace) arm(now time.Time, left time.Duration) {
	p.armed, p.due = true, now.Add(left)
	if p.timer == nil {
		p.timer = time.AfterFunc(left, p.fire)
	} else {
		p.timer.Reset(left)
	}
}

// end is called after a Read. It returns an error if the client was cut off.
func (p *pace) end(n int, last bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got += int64(n)
	if !p.since.IsZero() {
		p.waited += time.Since(p.since)
		p.since = time.Time{}
	}
	if last {
		p.stopLocked()
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// stop stops the timer, and reports whether the client was cut off.
func (p *pace) stop() (slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopLocked()
	return p.err != nil
}

func (p *pace) stopLocked() {
	p.stopped = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// fire is the timer's function.
func (p *pace) fire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	if p.stopped || p.since.IsZero() {
		return // the next Read arms it again
	}
	now := time.Now()
	if left := p.left(now); left > 0 {
		p.late = 0
		p.arm(now, left)
		return
	}
	if p.wasLate(now) {
		return
	}
	p.stopped = true
	e := p.tooSlow(now)
	if p.shadow {
		p.x.Notes.Warn(e)
		return
	}
	p.err = e
	p.x.Body().FailRead()
}

const (
	// If the timer fires this late, the process did not run.
	maxLateness = 10 * time.Millisecond
	// After a late timer, Read gets this much time to return what has already
	// arrived.
	extraWait = 100 * time.Millisecond
	// The extra time is given at most maxLate times until the client is fast enough
	// again. So a slow client is cut off even if the machine is always busy.
	maxLate = 3
)

// wasLate reports whether the timer fired late, and if so arms it once more. If the
// process was stopped or the machine is busy, the time may have passed although the
// client's bytes are in the socket. Read returns them as soon as its goroutine
// runs. The client is slow only if Read is still blocked then
// (https://github.com/aspnet/KestrelHttpServer/issues/2855). The delay of the timer
// does not count.
func (p *pace) wasLate(now time.Time) bool {
	late := now.Sub(p.due)
	if late < maxLateness || p.late == maxLate {
		return false
	}
	p.late++
	p.waited -= late
	p.arm(now, extraWait)
	return true
}

func (p *pace) tooSlow(now time.Time) *Error {
	waited := p.waited + now.Sub(p.since)
	return &Error{
		Reason: ReasonRate, Limit: p.rate, Got: int64(float64(p.got) / waited.Seconds()),
		what: "body too slow, in bytes per second", status: http.StatusRequestTimeout,
	}
}
