//go:build wire

package pairs_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// disconnects are ways in which a client disconnects.
var disconnects = []struct {
	desc   string
	protos []string
	reads  bool // it goes on to read
	leave  func(*testing.T, raw.Client)
}{
	{"close", raw.Protocols, false, func(_ *testing.T, c raw.Client) { c.Close() }},
	{"half-close", http1, true, func(t *testing.T, c raw.Client) { c.HalfClose(t) }},
	{"RST_STREAM", []string{"2"}, false, func(_ *testing.T, c raw.Client) {
		_ = c.(*raw.HTTP2).Stream().Reset()
	}},
}

// TestDisconnectAgainst: a client disconnects at the same time as something that the
// handler does, and at the deadline. There is one record, the permit is released, and a
// client that closes only its half, and reads on, has what the record says.
func TestDisconnectAgainst(t *testing.T) {
	for _, dep := range disconnects {
		for _, deadline := range []time.Duration{time.Minute, limit} {
			name := dep.desc
			if deadline == limit {
				name += ", and the deadline"
			}
			t.Run(name, func(t *testing.T) {
				each(t, func(t *testing.T, a *act, proto string, distances []time.Duration) {
					if !slices.Contains(dep.protos, proto) || a.body {
						t.Skip("not with this protocol, or a body that is never whole")
					}
					st := stand(t, a, deadline)
					for _, d := range distances {
						began := make(chan time.Time, 1)
						st.at = func(context.Context) time.Time {
							now := time.Now()
							began <- now
							return now.Add(limit + d)
						}
						c := raw.Dial(t, st.Addr, proto)
						s := st.request(t, c, false)
						<-st.entered
						until((<-began).Add(limit))
						dep.leave(t, c)
						var got raw.Answer
						if dep.reads {
							got = c.Receive(t)
						}
						r := st.records.Next(t)
						<-s.done
						if r.Status == 499 && dep.reads { // the server cannot distinguish a half close from a disconnect
							r.Status = r.StatusIntended
						}
						if dep.reads && got.Status != 0 {
							assert.Equal(t, got.Status, r.Status, "%+v", got)
						}
						if r.Status == 0 || r.Status == 499 {
							assert.Equal(t, 0, got.Status, "%+v, outcome %s", got, r.Outcome)
						}
						c.Close()
						for _, more := range st.records.Rest() {
							assert.Fail(t, "another record", "%+v", more)
						}
						if t.Failed() {
							t.Logf("at a distance of %v: %+v, outcome %s", d, got, r.Outcome)
							return
						}
					}
				})
			})
		}
	}
}
