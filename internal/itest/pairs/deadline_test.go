//go:build wire

package pairs_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// TestDeadlineAgainst: the deadline comes at the same time as something that the handler
// does. The client has one complete response, or one that is visibly broken, and the
// record agrees. A write that succeeded is not followed by the answer at the deadline, a
// moved deadline is not enforced, and there is one record.
func TestDeadlineAgainst(t *testing.T) {
	each(t, func(t *testing.T, a *act, proto string, distances []time.Duration) {
		st := stand(t, a, limit)
		for _, d := range distances {
			st.at = func(ctx context.Context) time.Time {
				at, _ := ctx.Deadline()
				if a.body {
					return time.Now() // the client's moment counts
				}
				return at.Add(d)
			}
			c := raw.Dial(t, st.Addr, proto)
			sent := time.Now()
			s := st.request(t, c, a.body)
			if a.body {
				<-st.entered
				until(sent.Add(limit + d))
				c.More(t, "body", true)
			}
			got := c.Receive(t)
			r := st.records.Next(t)
			agree(t, s, got, r)
			select {
			case <-s.done:
			case <-time.After(raw.Patience):
				assert.Fail(t, "the handler does not come back")
			}
			if got.Status == 504 || got.Status == 408 {
				assert.False(t, s.wroteNil.Load(), "a write succeeded, and the client has %+v", got)
				assert.False(t, s.moved.Load(), "the deadline was moved, and the client has %+v", got)
			}
			if !a.body {
				<-st.entered
			}
			c.Close()
			for _, more := range st.records.Rest() {
				assert.Fail(t, "another record", "%+v", more)
			}
			if t.Failed() {
				t.Logf("at a distance of %v", d)
				return
			}
		}
	})
}
