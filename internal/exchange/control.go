package exchange

import (
	"net/http"
	"time"
)

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are called by
// http.ResponseController. They fail when the response does not belong to the
// handler any more.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	x := (*Exchange)(w)
	return x.controlled(func() error {
		x.ensureExtras().readBy.Store(x.sinceStart(t))
		return x.setReadDeadline(t)
	})
}

// SetWriteDeadline: see SetReadDeadline.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	x := (*Exchange)(w)
	return x.controlled(func() error {
		x.ensureExtras().writeBy.Store(x.sinceStart(t))
		return x.setWriteDeadline(t)
	})
}

// EnableFullDuplex: see SetReadDeadline.
func (w *responseWriter) EnableFullDuplex() error {
	x := (*Exchange)(w)
	return x.controlled(func() error {
		err := http.NewResponseController(x.inner).EnableFullDuplex()
		x.ensureExtras().fullDuplex.Store(err == nil)
		return err
	})
}

// sinceStart converts a deadline set by the handler to the form in extras.
func (x *Exchange) sinceStart(t time.Time) int64 {
	if t.IsZero() {
		return int64(noDeadline)
	}
	return max(1, int64(t.Sub(x.start)))
}

func (x *Exchange) controlled(f func() error) error {
	x.control.Lock()
	defer x.control.Unlock()
	if s := x.state.load(); x.controlOff || s == late || s == gone || s == aborted {
		return http.ErrHandlerTimeout
	}
	return f()
}

// refuseControl refuses further calls of a ResponseController: the server's
// writer must not be used after the handler has returned.
func (x *Exchange) refuseControl() {
	x.control.Lock()
	defer x.control.Unlock()
	x.controlOff = true
	if s := x.extras(); s != &noExtras && s.connEnd != nil {
		close(s.connEnd.done)
	}
}
