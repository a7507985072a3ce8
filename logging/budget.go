package logging

import "log/slog"

// reserved is the part of a log record for values whose size is bounded anyway:
// numbers, ids, the outcome, the keys, and what the slog handler adds.
const reserved = 2 << 10

// budget is the space left in a log record. Its methods take and return the slice
// of attributes, so that it can stay on the caller's stack.
type budget struct {
	left    int // bytes left for values of any length
	dropped int
}

// string appends a value after cleaning it.
func (m *budget) string(attrs []slog.Attr, key, value string) []slog.Attr {
	if n := len(value); n <= maxValue && n <= m.left && plain(value) {
		m.left -= n
		return append(attrs, slog.String(key, value))
	}
	return m.text(attrs, key, clean(value))
}

// text appends a value that is clean.
func (m *budget) text(attrs []slog.Attr, key, value string) []slog.Attr {
	return m.sized(attrs, key, value, cost(value))
}

// sized appends a value that is clean and takes n bytes.
func (m *budget) sized(attrs []slog.Attr, key, value string, n int) []slog.Attr {
	if n > m.left {
		m.dropped++
		return attrs
	}
	m.left -= n
	return append(attrs, slog.String(key, value))
}

// add appends a frozen attribute, if it fits.
func (m *budget) add(attrs []slog.Attr, a slog.Attr) []slog.Attr {
	n := size(a)
	if n > m.left {
		m.dropped++
		return attrs
	}
	m.left -= n
	return append(attrs, a)
}

// addAll appends the attributes that the application added, and the number of those
// that were dropped.
func (m *budget) addAll(attrs, added []slog.Attr, n *names) []slog.Attr {
	own := attrs
	for _, a := range added {
		if a, ok := m.dropOwn(own, n, "", a); ok {
			attrs = m.add(attrs, a)
		}
	}
	if m.dropped > 0 {
		attrs = append(attrs, slog.Int(droppedKey, m.dropped))
	}
	return attrs
}

const droppedKey = "dropped_attributes"

// dropOwn removes the attribute a, or members of it, if the name is already used by
// the log record itself. With two equal names, a parser that keeps the last one
// would read a wrong outcome, and Elasticsearch rejects the document, also if one
// is a group and the other a value. prefix has the names of the groups around a.
func (m *budget) dropOwn(own []slog.Attr, n *names, prefix string, a slog.Attr) (slog.Attr, bool) {
	path := prefix + a.Key
	same, below := false, false
	compare := func(key string) {
		same = same || key == path || under(path, key)
		below = below || under(key, path)
	}
	for i := range own {
		compare(own[i].Key)
	}
	for _, key := range n.ownKeys() {
		if key != "" {
			compare(key)
		}
	}
	same = same || path == slog.SourceKey
	group := a.Value.Kind() == slog.KindGroup
	switch {
	case same, below && !group:
		m.dropped++
		return a, false
	case !below:
		return a, true
	}
	var members []slog.Attr
	for _, g := range a.Value.Group() {
		if g, ok := m.dropOwn(own, n, path+".", g); ok {
			members = append(members, g)
		}
	}
	a.Value = slog.GroupValue(members...)
	return a, len(members) > 0
}

// under reports whether key is in the group that path names.
func under(key, path string) bool {
	return len(key) > len(path) && key[len(path)] == '.' && key[:len(path)] == path
}
