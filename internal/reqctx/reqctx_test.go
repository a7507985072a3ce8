package reqctx_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/reqctx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type key struct{}

// request is an owner that ends when its parent does.
type request struct {
	reqctx.Context

	watch bool
}

func (r *request) ParentEnded()                { r.End(r.LikeParent()) }
func (r *request) Asked() bool                 { return r.watch }
func (r *request) Deadline() (time.Time, bool) { return r.Parent().Deadline() }

func under(parent context.Context, watch bool) *request {
	r := &request{watch: watch}
	r.Init(parent, r)
	return r
}

var errWhy = errors.New("why")

// The cause is known as soon as the error is, also to concurrent callers.
func TestCauseIsKnownWithTheError(t *testing.T) {
	for range 2000 {
		r := under(t.Context(), false)
		begin := make(chan struct{})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				<-begin
				for r.Err() == nil {
					runtime.Gosched()
				}
				assert.Equal(t, errWhy, context.Cause(r))
				assert.Equal(t, errWhy, context.Cause(context.WithValue(r, key{}, 1)))
			})
		}
		all.Go(func() {
			<-begin
			r.End(reqctx.Expired(errWhy))
		})
		close(begin)
		all.Wait()
		if t.Failed() {
			return
		}
	}
}

// A context ends with the chosen error and cause, and so do its children, whether they
// were made before or after.
func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		result *reqctx.Result
		err    error
		cause  error
	}{
		{"a deadline", reqctx.Expired(errWhy), context.DeadlineExceeded, errWhy},
		{"a cancellation", reqctx.Canceled(errWhy), context.Canceled, errWhy},
		{"the end of the request", reqctx.Finished, context.Canceled, context.Canceled},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := under(t.Context(), true)
			before, cancel := context.WithCancel(context.WithValue(r, key{}, 1))
			defer cancel()
			assert.NoError(t, r.Err())
			r.End(tt.result)
			r.End(reqctx.Canceled(errors.New("too late")))
			after, cancelAfter := context.WithCancel(r)
			defer cancelAfter()
			for _, c := range []context.Context{r, before, after} {
				<-c.Done()
				assert.Equal(t, tt.err, c.Err())
				assert.Equal(t, tt.cause, context.Cause(c))
			}
			r.Over()
		})
	}
}

// Err reports the end of the parent at once, and Done once it is watched.
func TestParentEnds(t *testing.T) {
	for _, watch := range []bool{true, false} {
		parent, cancel := context.WithCancelCause(t.Context())
		r := under(parent, watch)
		done := r.Done()
		cancel(errWhy)
		assert.Equal(t, context.Canceled, r.Err())
		<-done
		assert.Equal(t, errWhy, context.Cause(r))
	}
	parent, cancel := context.WithCancel(t.Context())
	r := under(parent, false)
	done := r.Done()
	assert.False(t, r.Watched())
	cancel()
	r.Watch()
	<-done
	r.Over()
}

// Children are linked as to a context of the standard library, without a goroutine for
// each.
func TestChildrenStartNoGoroutine(t *testing.T) {
	r := under(t.Context(), false)
	before := runtime.NumGoroutine()
	for range 100 {
		_, cancel := context.WithTimeout(context.WithValue(r, key{}, 1), time.Hour)
		defer cancel()
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
	r.Over()
}
