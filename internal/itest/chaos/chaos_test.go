package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var (
	seed    = flag.Uint64("chaos.seed", 1, "which plan")
	span    = flag.Duration("chaos.for", 3*time.Second, "how long new entries of it are begun")
	only    = flag.Int("chaos.only", -1, "only this entry of it, repeatedly; -1: all of them, in sequence")
	workers = flag.Int("chaos.workers", 12, "how many entries are under way at a time")
)

// patience is how long to wait for what is certain to come. It matters only when a
// test fails.
const patience = time.Minute

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

func TestChaos(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := takeStock()
	c := newChaos(t)
	c.run(*span, *workers)
	if !c.stop.Load() {
		c.permitsAreBack()
	}
	c.close(t)
	before.compare(t)
	c.report(t)
	files, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, files, "temporary files")
}

// chaos is a run.
type chaos struct {
	worlds  []*world
	journal *journal
	acts    sync.Map // of those under way, by id

	mu         sync.Mutex
	faults     []string
	unsettled  []*act                    // which may or may not reach the server yet
	counts     map[string]map[string]int // of the endings of each scenario
	complaints complaints

	stop atomic.Bool
}

// enough faults end the run.
const enough = 5

func newChaos(t *testing.T) *chaos {
	c := &chaos{counts: map[string]map[string]int{}}
	c.journal = &journal{c: c}
	g := newGate()
	for _, p := range places {
		c.worlds = append(c.worlds, c.build(t, p, g))
	}
	return c
}

// fault keeps a fault, with the flags that reproduce it.
func (c *chaos) fault(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) < enough {
		c.faults = append(c.faults, text)
	}
	if len(c.faults) == enough {
		c.stop.Store(true)
	}
}

func (c *chaos) report(t *testing.T) {
	for _, f := range append(c.faults, c.complaints.unknown()...) {
		t.Errorf("seed %d: %s", *seed, f)
	}
	t.Logf("seed %d:", *seed)
	for _, sc := range scenarios {
		t.Logf("%s: %v", sc.name, c.counts[sc.name])
	}
}

// run plays the plan, entry by entry.
func (c *chaos) run(span time.Duration, workers int) {
	var next atomic.Int64
	end := time.Now().Add(span)
	var busy sync.WaitGroup
	for range workers {
		busy.Go(func() {
			for time.Now().Before(end) && !c.stop.Load() {
				n := int(next.Add(1)) - 1
				if *only < 0 {
					c.play(plan(*seed, n, n, c.worlds))
				} else {
					c.play(plan(*seed, *only, n, c.worlds))
				}
			}
		})
	}
	busy.Wait()
}

// play plays an entry and judges its requests.
func (c *chaos) play(e *entry) {
	for _, a := range e.acts {
		c.acts.Store(a.id, a)
	}
	e.play()
	for _, a := range e.acts {
		c.settle(a)
	}
}

// settle judges an act, at once if it is certain how far it came.
func (c *chaos) settle(a *act) {
	if a.uncertain && !a.arrives(time.Second) {
		c.mu.Lock()
		c.unsettled = append(c.unsettled, a)
		c.mu.Unlock()
		return
	}
	c.judge(a)
}

func (c *chaos) judge(a *act) {
	for _, f := range a.check() {
		c.fault(fmt.Sprintf("%s\n\tof %v\n\tto see it again: -chaos.seed=%d -chaos.only=%d\n%s", f, a, *seed, a.entry.n, a.account()))
	}
	c.acts.Delete(a.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[a.scenario.name] == nil {
		c.counts[a.scenario.name] = map[string]int{}
	}
	c.counts[a.scenario.name][a.ending()]++
}

// close ends the servers, and judges the acts that had to wait for that.
func (c *chaos) close(t *testing.T) {
	var all sync.WaitGroup
	for _, w := range c.worlds {
		all.Go(func() { assert.NoError(t, w.close()) })
	}
	all.Wait()
	for _, a := range c.unsettled {
		c.judge(a)
	}
	c.unsettled = nil
	c.acts.Range(func(id, _ any) bool {
		c.fault(fmt.Sprintf("%v was never judged", id))
		return true
	})
}
