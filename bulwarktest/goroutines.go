package bulwarktest

import (
	"bytes"
	"context"
	"net/http"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync/atomic"
)

// labelKey is the profiler label of a handler's goroutine. Goroutines inherit
// labels, so the label tells which goroutines belong to the handler and not to
// another test.
const labelKey = "bulwarktest"

var labels atomic.Int64 // numbers the labels

func newLabel() string { return strconv.FormatInt(labels.Add(1), 10) }

func startLabeled(label string, h http.Handler, w http.ResponseWriter, r *http.Request) *serving {
	g := &serving{label: label, done: make(chan struct{})}
	go pprof.Do(r.Context(), pprof.Labels(labelKey, label), func(ctx context.Context) {
		g.run(h, w, r.WithContext(ctx))
	})
	return g
}

// goroutines are the goroutines that have the same stack.
type goroutines struct {
	count int
	stack string
}

// labeled returns the goroutines that currently have a label.
func labeled(label string) (found []goroutines) {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	want := strconv.Quote(labelKey) + ":" + strconv.Quote(label)
	_, blocks, _ := strings.Cut(profile.String(), "\n") // the total
	for block := range strings.SplitSeq(blocks, "\n\n") {
		head, rest, _ := strings.Cut(block, "\n")
		labels, stack, _ := strings.Cut(rest, "\n")
		if !strings.HasPrefix(labels, "# labels: ") || !strings.Contains(labels, want) {
			continue
		}
		count, _, _ := strings.Cut(head, " @ ")
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			continue
		}
		found = append(found, goroutines{n, addresses.ReplaceAllString(stack, "\t")})
	}
	return found
}

// addresses matches the addresses of frames in a profile. They do not help a
// reader.
var addresses = regexp.MustCompile(`(?m)^#\t0x[0-9a-f]+\t`)

// stacks returns the stacks of the handler and of the goroutines that it started.
func (g *serving) stacks() string {
	var s strings.Builder
	for _, each := range labeled(g.label) {
		s.WriteString(each.stack + "\n")
	}
	return s.String()
}
