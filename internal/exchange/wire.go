package exchange

import "net/http"

// ResponseState describes the progress of a response.
type ResponseState struct {
	Status   int  // the final status of the response; 0 if it has not begun
	Taken    bool // the connection was hijacked or has switched protocols
	Closed   bool // writes are refused: the request has ended, or the response was aborted
	Complete bool // the response has no body, or all of its Content-Length was written
}

// State returns the progress of the response.
func (r *Response) State() ResponseState {
	x := (*Exchange)(r)
	x.wmu.Lock()
	defer x.wmu.Unlock()
	s := x.state.load()
	w := ResponseState{Taken: x.hijacked.Load(), Closed: s != open && s != upgraded}
	if x.committed.Load() {
		w.Status, w.Complete = int(x.status), x.complete()
		w.Taken = w.Taken || w.Status == http.StatusSwitchingProtocols
	}
	return w
}
