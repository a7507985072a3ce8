package exchange

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// extras holds the state that most requests do not need. It is allocated when it is
// first used.
type extras struct {
	// Set before the handler runs.
	onHijack func()
	onCommit func(http.Header) // guarded by mu
	outer    http.Header       // the headers of outer middleware, see separateHeaders
	counted  bool              // a hijacked connection is counted

	queued     atomic.Bool // the request waits for a permit
	refusing   atomic.Bool // see Refusing
	fullDuplex atomic.Bool // the handler reads while it writes

	// Guarded by mu.
	observers []Observer // all of them, if there is more than one
	early     *earlyEnd
	idle      chan struct{} // made by awaitIdle, closed when the write in progress is done
	goneTimer bool

	connEnd *connEnd // guarded by control

	hijacking sync.Mutex // held by hijackServer

	// Deadlines of the connection that the handler has set, as times since the
	// start; 0: none was set.
	readBy, writeBy atomic.Int64

	// Guarded by wmu.
	connection *connStats // of the connection after a hijack, if that is counted
	writeErr   error      // the first failed write
	wroteTo    int64      // how much was written before the write that failed
	idSent     bool       // an informational response had the request id
}

type extrasPointer struct{ pointer atomic.Pointer[extras] }

// noExtras is never written to. Only the method extras returns it, and the callers
// of extras only read.
var noExtras extras

// extras returns the extras for reading.
func (p *extrasPointer) extras() *extras {
	if e := p.pointer.Load(); e != nil {
		return e
	}
	return &noExtras
}

// ensureExtras returns the extras for writing.
func (p *extrasPointer) ensureExtras() *extras {
	if e := p.pointer.Load(); e != nil {
		return e
	}
	p.pointer.CompareAndSwap(nil, &extras{})
	return p.pointer.Load()
}

// noDeadline stands for a deadline that was removed.
const noDeadline = time.Duration(math.MaxInt64)

// passedBy reports whether a deadline in by has passed.
func (x *Exchange) passedBy(by *atomic.Int64) bool {
	at := by.Load()
	return at != 0 && x.Now() >= time.Duration(at)
}
