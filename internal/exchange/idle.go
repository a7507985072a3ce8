package exchange

import (
	"runtime"
	"time"
)

// writeEnd is how a write ended that was in progress when the request ended.
type writeEnd uint8

const (
	writeEnded   writeEnd = iota // it ended by itself, or there was none
	writeBroken                  // it was broken by a deadline in the past
	writeBlocked                 // it was broken, and it had blocked after it had sent the head
	writeStuck                   // it does not end: the connection accepts nothing, or the writer is not the server's
)

// awaitIdle waits until no write is in progress. If a write takes too long, the
// client does not read, and awaitIdle breaks the write by a deadline in the past.
//
// The server does not report whether the head was sent before a write blocked. It
// was, unless something else has delayed the write: other goroutines or processes,
// or an HTTP/2 connection that accepts nothing because of other streams. In the last
// case the write does not end at once when it is broken.
//
// from is the state that was left.
func (x *Exchange) awaitIdle(from state) writeEnd {
	if from&writing == 0 {
		return writeEnded
	}
	x.mu.Lock()
	if !x.state.has(writing) {
		x.mu.Unlock()
		return writeEnded
	}
	done := make(chan struct{})
	x.ensureExtras().idle = done
	x.mu.Unlock()
	grace := idleGrace
	if written, _ := x.published(); x.http2() && written <= bufferedHTTP2 {
		grace = headGrace
	}
	if receivesUnlessStarved(done, grace) {
		return writeEnded
	}
	_ = x.setWriteDeadline(expired)
	switch {
	case receivesUnlessStarved(done, headGrace):
		return writeBlocked
	case receives(done, abortTimeout):
		return writeBroken
	}
	x.closeConn() // the writer may have no deadlines
	if receives(done, headGrace) {
		return writeBroken
	}
	return writeStuck
}

// receivesUnlessStarved waits for c. If the wait takes much longer than d, the
// machine is so busy that other goroutines may not have run either, and it waits
// again.
func receivesUnlessStarved(c <-chan struct{}, d time.Duration) bool {
	for range maxWaits {
		began := time.Now()
		if receives(c, d) || yieldsTo(c) {
			return true
		}
		if time.Since(began) < 2*d {
			break
		}
	}
	return false
}

const maxWaits = 4

// yieldsTo lets goroutines run that are ready, and reports whether they have closed
// c. On a busy machine a timer may fire before such goroutines run.
func yieldsTo(c <-chan struct{}) bool {
	for range yields {
		select {
		case <-c:
			return true
		default:
			runtime.Gosched()
		}
	}
	return false
}

// yields is how often to yield to the two or three goroutines that deliver a
// notification.
const yields = 4

func receives(c <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}
