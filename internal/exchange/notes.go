package exchange

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
)

// notes is what the packages tell each other and the log line about a
// request, without importing one another.
type notes struct {
	noted atomic.Pointer[noted] // nil while there is nothing to say, as for most requests
}

type noted struct {
	mu        sync.Mutex
	causes    []error
	one       [1]error // room for the usual one of them
	bodyErr   error
	intended  int
	panicked  any
	stack     []byte
	refused   bool
	deadline  bool
	gone      bool // the client had left when the deadline passed
	problemID string
	remarks   []error
	level     slog.Leveler
}

// note lets f add to what was noted.
func (x *notes) note(f func(*noted)) {
	if x.noted.Load() == nil {
		x.noted.CompareAndSwap(nil, &noted{})
	}
	n := x.noted.Load()
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

// Note records why the request failed. The first cause is kept in front and
// later ones are joined to it, except one that adds nothing.
func (x *Exchange) Note(err error) {
	if err != nil {
		x.note(func(n *noted) { n.add(err) })
	}
}

func (n *noted) add(err error) {
	if len(n.causes) > 0 && bare(err) {
		return
	}
	for i, c := range n.causes {
		switch {
		case contains(c, err):
			return
		case bare(c), contains(err, c):
			n.causes[i] = err
			return
		}
	}
	if n.causes == nil {
		n.causes = n.one[:0]
	}
	n.causes = append(n.causes, err)
}

// maxSearch bounds how many errors of a tree are searched for another.
const maxSearch = 32

// contains reports whether err is part of tree. Where errors.Is would ask, this
// only compares: the methods may be hostile, and the tree may have no end.
func contains(tree, err error) (found bool) {
	defer func() { _ = recover() }() // an Unwrap method that panics
	todo := []error{tree}
	for n := 0; n < maxSearch && len(todo) > 0; n++ {
		e := todo[0]
		todo = todo[1:]
		if identical(e, err) {
			return true
		}
		switch u := e.(type) { //nolint:errorlint // this is the walk
		case interface{ Unwrap() error }:
			todo = append(todo, u.Unwrap())
		case interface{ Unwrap() []error }:
			more := u.Unwrap()
			todo = append(todo, more[:min(len(more), maxSearch)]...)
		}
	}
	return false
}

// cause is all of them in one error.
func (n *noted) cause() error {
	if len(n.causes) == 1 {
		return n.causes[0]
	}
	return errors.Join(n.causes...)
}

// bare reports whether err says only that a context ended, and not why.
func bare(err error) bool {
	return identical(err, context.DeadlineExceeded) || identical(err, context.Canceled)
}

// identical compares without asking errors, whose methods may be hostile and
// whose trees may be cyclic.
func identical(a, b any) (same bool) {
	defer func() { _ = recover() }() // types that cannot be compared are not the same
	return a == b
}

func (x *Exchange) noteExpiry(err error, gone bool) {
	x.note(func(n *noted) {
		n.deadline, n.gone = true, gone
		n.add(err)
	})
}

// Refuse records that the request was turned away, and why.
func (x *Exchange) Refuse(err error) {
	x.note(func(n *noted) {
		n.refused = true
		n.add(err)
	})
}

// Remark records something worth a word in the log line that did not make the
// request fail.
func (x *Exchange) Remark(err error) {
	x.note(func(n *noted) { n.remarks = append(n.remarks, err) })
}

// Panicked records a panic that was answered, with the stack of its goroutine.
func (x *Exchange) Panicked(v any, stack []byte) {
	x.note(func(n *noted) {
		if n.panicked == nil {
			n.panicked, n.stack = v, stack
		}
	})
}

// Intend records the status that the handler wanted, where the one on the wire
// can no longer be changed.
func (x *Exchange) Intend(status int) { x.note(func(n *noted) { n.intended = status }) }

// SetProblemID records the id of the problem document that was sent, where it
// is not the request's.
func (x *Exchange) SetProblemID(id string) { x.note(func(n *noted) { n.problemID = id }) }

// SetBodyError remembers why reading the request's body failed: a decoder may
// lose the error on its way to the handler. The first one stays.
func (x *Exchange) SetBodyError(err error) {
	x.note(func(n *noted) {
		if n.bodyErr == nil {
			n.bodyErr = err
		}
	})
}

// BodyError is what SetBodyError remembered.
func (x *Exchange) BodyError() error {
	n := x.noted.Load()
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bodyErr
}

// SetLevel records at which level the line is to be written, where the mapping
// of the error says so.
func (x *Exchange) SetLevel(l slog.Leveler) { x.note(func(n *noted) { n.level = l }) }

// Level is what SetLevel recorded, nil where nothing was.
func (x *Exchange) Level() slog.Leveler {
	n := x.noted.Load()
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.level
}

// Cause is what was noted so far.
func (x *Exchange) Cause() error {
	n := x.noted.Load()
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cause()
}
