package bulwarkredis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// order is a request for a decision.
type order struct {
	key  string
	args []any
	back bool // an order gives back a cost

	done      chan struct{} // closed when answer or err is set
	abandoned atomic.Bool   // the caller has used the fallback
	cmd       *redis.Cmd
	answer    answer
	err       error
}

// batches sends orders in pipelines. Orders that arrive while pipelines are in
// flight form the next pipeline. So a busy server gets long pipelines, and an idle
// server gets each order at once. Goroutines run only while there are orders.
type batches struct {
	client  redis.UniversalClient
	timeout time.Duration

	mu      sync.Mutex
	waiting []*order
	running int
}

const (
	maxRunning = 4   // pipelines at once
	maxBatch   = 512 // orders in a pipeline
)

func newBatches(client redis.UniversalClient, timeout time.Duration) *batches {
	return &batches{client: client, timeout: timeout}
}

func (b *batches) add(o *order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, o)
	if b.running < maxRunning {
		b.running++
		go b.run()
	}
}

func (b *batches) run() {
	for batch := b.next(); batch != nil; batch = b.next() {
		late := time.AfterFunc(b.timeout, b.replace)
		b.send(batch)
		if !late.Stop() {
			return
		}
	}
}

// replace starts another goroutine if a pipeline hangs: the go-redis client may
// wait for that pipeline long after the server has recovered. The circuit breaker
// bounds how many pipelines can hang.
func (b *batches) replace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		go b.run()
		return
	}
	b.running--
}

// next returns the waiting orders, without those that were abandoned.
func (b *batches) next() []*order {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) > 0 {
		n := min(len(b.waiting), maxBatch)
		batch := make([]*order, 0, n)
		for _, o := range b.waiting[:n] {
			if !o.abandoned.Load() {
				batch = append(batch, o)
			}
		}
		if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
			b.waiting = nil
		}
		if len(batch) > 0 {
			return batch
		}
	}
	b.running--
	return nil
}

// send gets the decisions for all orders. It recovers panics, because the client's
// hooks belong to the application and must not end the process.
func (b *batches) send(batch []*order) {
	defer func() {
		v := recover()
		for _, o := range batch {
			if v != nil {
				o.err = fmt.Errorf("bulwarkredis: the client panicked: %v", v)
			}
			close(o.done)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), b.timeout)
	defer cancel()

	b.pipeline(ctx, batch, "evalsha", scriptHash)
	var again []*order
	for _, o := range batch {
		if redis.HasErrorPrefix(o.err, "NOSCRIPT") { // the server was restarted, or its scripts were flushed
			again = append(again, o)
		}
	}
	if again != nil {
		b.pipeline(ctx, again, "eval", script)
	}
}

func (b *batches) pipeline(ctx context.Context, batch []*order, name, script string) {
	p := b.client.Pipeline()
	for _, o := range batch {
		o.cmd = redis.NewCmd(ctx, append([]any{name, script, 1, o.key}, o.args...)...)
		o.cmd.SetFirstKeyPos(3)
		var cmd redis.Cmder = o.cmd
		if o.back {
			cmd = once{o.cmd}
		}
		_ = p.Process(ctx, cmd)
	}
	_, _ = p.Exec(ctx) // each command has its own error
	for _, o := range batch {
		o.answer, o.err = newAnswer(o.cmd.Result())
	}
}

// once is a command that is not sent again if the connection breaks before the
// reply. The server may have run the script. Taking a cost twice admits less than
// the rate, but giving it back twice admits more.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }
