package exchange

import (
	"errors"
	"sync"
)

// notes is what the packages tell each other and the log line about a
// request, without importing one another.
type notes struct {
	sync.Mutex
	cause     error
	intended  int
	panicked  any
	stack     []byte
	refused   bool
	deadline  bool
	gone      bool // the client had left when the deadline passed
	id        string
	problemID string
	remarks   []error
}

// Note records why the request failed. The first cause is kept in front; later
// ones are joined to it, except one that says the same.
func (x *Exchange) Note(err error) {
	if err == nil {
		return
	}
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.add(err)
}

func (n *notes) add(err error) {
	switch {
	case n.cause == nil:
		n.cause = err
	case !says(n.cause, err):
		n.cause = errors.Join(n.cause, err)
	}
}

// says reports whether have already contains err, survives errors whose
// dynamic type cannot be compared.
func says(have, err error) (is bool) {
	defer func() { _ = recover() }() // a hostile Is or Unwrap method must not take the request down
	return errors.Is(have, err) || errors.Is(err, have)
}

func (n *notes) expiredWith(err error, gone bool) {
	n.Lock()
	defer n.Unlock()
	n.deadline, n.gone = true, gone
	n.add(err)
}

// Refuse records that the request was turned away, and why.
func (x *Exchange) Refuse(err error) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.refused = true
	x.notes.add(err)
}

// Remark records something worth a word in the log line that did not make the
// request fail.
func (x *Exchange) Remark(err error) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.remarks = append(x.notes.remarks, err)
}

// Panicked records a panic that was answered, with the stack of its goroutine.
func (x *Exchange) Panicked(v any, stack []byte) {
	x.notes.Lock()
	defer x.notes.Unlock()
	if x.notes.panicked == nil {
		x.notes.panicked, x.notes.stack = v, stack
	}
}

// Intend records the status that the handler wanted, where the one on the wire
// can no longer be changed.
func (x *Exchange) Intend(status int) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.intended = status
}

// SetID sets the id of the request.
func (x *Exchange) SetID(id string) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.id = id
}

// ID is the id of the request, "" while it has none.
func (x *Exchange) ID() string {
	x.notes.Lock()
	defer x.notes.Unlock()
	return x.notes.id
}

// SetProblemID records the id of the problem document that was sent, where it
// is not the request's.
func (x *Exchange) SetProblemID(id string) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.problemID = id
}

// Cause is what was noted so far.
func (x *Exchange) Cause() error {
	x.notes.Lock()
	defer x.notes.Unlock()
	return x.notes.cause
}
