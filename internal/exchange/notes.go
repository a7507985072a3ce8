package exchange

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// Notes is what the packages record about a request, for each other and for the
// log record. Its methods are safe for concurrent use.
type Notes struct {
	noted atomic.Pointer[noted] // nil until something is recorded
}

type noted struct {
	mu        sync.Mutex
	causes    []error
	bodyErr   error
	intended  int
	panicked  any
	stack     []byte
	refused   bool
	deadline  bool
	problemID string
	remarks   []error
	queued    time.Duration
	level     slog.Leveler
	local     any // see Local
}

// note calls f with the lock held to record something.
func (n *Notes) note(f func(*noted)) {
	if n.noted.Load() == nil {
		n.noted.CompareAndSwap(nil, &noted{})
	}
	d := n.noted.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

// AddCause records why the request failed. Later causes are joined to the first one
// if they say more.
func (n *Notes) AddCause(err error) {
	if err != nil {
		n.addCause(err, func(*noted) {})
	}
}

// Causes returns how many causes are recorded.
func (n *Notes) Causes() int {
	d := n.noted.Load()
	if d == nil {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.causes)
}

// addCause adds err, and calls f under the same lock. Methods of errors are the
// application's code, so they are called without the lock.
func (n *Notes) addCause(err error, f func(*noted)) {
	var before []error
	for {
		after := withCause(before, err)
		settled := false
		n.note(func(d *noted) {
			if settled = slices.EqualFunc(d.causes, before, errtree.Same); settled {
				d.causes = after
				f(d)
				return
			}
			before = d.causes // the slice is never changed in place
		})
		if settled {
			return
		}
	}
}

// withCause returns causes with err added.
func withCause(causes []error, err error) []error {
	known := func(c error) bool { return errtree.Same(c, err) }
	if len(causes) > 0 && isContextErr(err) || slices.ContainsFunc(causes, known) {
		return causes
	}
	for i, c := range causes {
		switch {
		case errtree.Contains(c, err):
			return causes
		case isContextErr(c), errtree.Contains(err, c):
			after := slices.Clone(causes)
			after[i] = err
			return after
		}
	}
	return append(slices.Clip(causes), err)
}

// cause returns all causes as one error.
func (n *noted) cause() error {
	if len(n.causes) == 1 {
		return n.causes[0]
	}
	return errors.Join(n.causes...)
}

// isContextErr reports whether err is a context's error without a cause.
func isContextErr(err error) bool {
	return errtree.Same(err, context.DeadlineExceeded) || errtree.Same(err, context.Canceled)
}

// noteDeadline records the error of a deadline.
func (n *Notes) noteDeadline(err error) { n.addOwn(err, func(d *noted) { d.deadline = true }) }

// addOwn is like addCause for an error that no recorded cause contains, because it
// is new or not exported. It calls no method of an error, because such a method may
// block, and the answer at a deadline must not wait for it.
func (n *Notes) addOwn(err error, f func(*noted)) {
	n.note(func(d *noted) {
		f(d)
		d.causes = slices.Clone(d.causes) // the slice is never changed in place
		if i := slices.IndexFunc(d.causes, isContextErr); i >= 0 {
			d.causes[i] = err
		} else {
			d.causes = append(d.causes, err)
		}
	})
}

// Refuse records that the request was refused, and why.
func (n *Notes) Refuse(err error) { n.addCause(err, func(d *noted) { d.refused = true }) }

// Warn records a problem that did not make the request fail.
func (n *Notes) Warn(err error) {
	n.note(func(d *noted) { d.remarks = append(d.remarks, err) })
}

// Queued adds to the time that the request waited for a permit.
func (n *Notes) Queued(wait time.Duration) { n.note(func(d *noted) { d.queued += wait }) }

// Panicked records a panic that was answered, with the stack of its goroutine.
func (n *Notes) Panicked(v any, stack []byte) {
	n.note(func(d *noted) {
		if d.panicked == nil {
			d.panicked, d.stack = v, stack
		}
	})
}

// SetIntendedStatus records the status that the handler wanted, if another status
// has already been sent.
func (n *Notes) SetIntendedStatus(status int) { n.note(func(d *noted) { d.intended = status }) }

// SetProblemID records the id of the problem document that was sent, if it differs
// from the request's id.
func (n *Notes) SetProblemID(id string) { n.note(func(d *noted) { d.problemID = id }) }

// SetBodyError records the first error of reading the request's body, because a
// decoder may not return it to the handler.
func (n *Notes) SetBodyError(err error) {
	n.note(func(d *noted) {
		if d.bodyErr == nil {
			d.bodyErr = err
		}
	})
}

// BodyError returns the error that SetBodyError recorded.
func (n *Notes) BodyError() error {
	d := n.noted.Load()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bodyErr
}

// SetLevel records the level that the log record should have.
func (n *Notes) SetLevel(l slog.Leveler) { n.note(func(d *noted) { d.level = l }) }

// Level returns the level that SetLevel recorded, or nil.
func (n *Notes) Level() slog.Leveler {
	d := n.noted.Load()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.level
}

// Cause returns the causes recorded so far, as one error.
func (n *Notes) Cause() error {
	d := n.noted.Load()
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cause()
}
