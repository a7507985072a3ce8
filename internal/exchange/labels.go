package exchange

import (
	"context"
	"runtime/pprof"
	"time"
)

// labelKey is the key with which runtime/pprof gets the labels from a context. The
// key is not exported. A context that records which key it is asked for finds the
// key. If that fails, no labels are found.
var labelKey = func() any {
	var l listener
	if l.hears() {
		return l.key
	}
	return exchangeKey{}
}()

// listener is a context that records the key it is asked for, and returns itself as
// the value.
type listener struct{ key any }

func (*listener) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*listener) Done() <-chan struct{}       { return nil }
func (*listener) Err() error                  { return nil }
func (l *listener) Value(key any) any         { l.key = key; return l }

// hears reports whether key is the key of a context's labels, and whether
// runtime/pprof ignores a value that is not a set of labels.
func (l *listener) hears() (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	const name = "bulwark"
	_, found := pprof.Label(l, name)
	ctx := pprof.WithLabels(context.Background(), pprof.Labels(name, name))
	return !found && l.key != nil && ctx.Value(l.key) != nil
}

// find is like From. If ctx has no exchange, find also reports whether ctx has
// profiler labels. It finds both with one search, because each search costs time:
// an exchange also has a value for labelKey.
func find(ctx context.Context) (x *Exchange, labeled bool) {
	if x, ok := ctx.(*Exchange); ok {
		return x, false
	}
	switch found := ctx.Value(labelKey).(type) {
	case nil:
		return nil, false
	case *Exchange:
		return found, false
	default:
		return From(ctx), true
	}
}

// labels returns the value for labelKey. While the request has a slot, these are
// the labels of package inspect, otherwise the labels of the parent. Without labels
// it returns the exchange, which runtime/pprof ignores.
func (x *Exchange) labels() any {
	if w := x.watched(); w != nil && w.Labels != nil && w.Holder.Load() == x {
		return w.Labels
	}
	if x.labeled {
		return x.Parent().Value(labelKey)
	}
	return x
}

// LabelsOf returns the profiler labels of a context, or nil.
func LabelsOf(ctx context.Context) any {
	found := ctx.Value(labelKey)
	if _, none := found.(*Exchange); none {
		return nil
	}
	return found
}

// Labeled reports whether the parent has profiler labels.
func (i *Inspection) Labeled() bool { return i.labeled }
