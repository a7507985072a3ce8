package http

import "sync"

// BulwarkWrap is NewTransport, or nil.
var BulwarkWrap func(base *Transport) RoundTripper

type bulwarkState struct {
	once sync.Once
	rt   RoundTripper
	real *Transport
}

func (t *Transport) bulwarkRoundTrip(req *Request) (*Response, error) {
	if t.bulwark.real != nil {
		// timeout tells the server the time by design; the suite compares headers. It is the header of its copy.
		delete(req.Header, "X-Request-Timeout-Ms")
		return t.bulwark.real.roundTrip(req)
	}
	if BulwarkWrap == nil {
		return t.roundTrip(req)
	}
	t.bulwark.once.Do(func() { t.bulwark.rt = BulwarkWrap(&Transport{bulwark: bulwarkState{real: t}}) })
	return t.bulwark.rt.RoundTrip(req)
}
