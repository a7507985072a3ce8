package logging

import "log/slog"

// reserved is what of a line is kept for the values that have a bound of their
// own: numbers, ids, the outcome, the keys, and what the slog handler adds.
const reserved = 2 << 10

// meter measures a line. Attributes travel through its methods by value, so
// that their slice can stay on the caller's stack.
type meter struct {
	left    int // bytes that values of any length may still take
	dropped int
}

// string appends a value that is to be cleaned.
func (m *meter) string(attrs []slog.Attr, key, value string) []slog.Attr {
	if n := len(value); n <= maxValue && n <= m.left && plain(value) {
		m.left -= n
		return append(attrs, slog.String(key, value))
	}
	return m.text(attrs, key, clean(value))
}

// text appends a clean value.
func (m *meter) text(attrs []slog.Attr, key, value string) []slog.Attr {
	n := cost(value)
	if n > m.left {
		m.dropped++
		return attrs
	}
	m.left -= n
	return append(attrs, slog.String(key, value))
}

// add appends what is already settled, if it fits.
func (m *meter) add(attrs []slog.Attr, a slog.Attr) []slog.Attr {
	n := size(a)
	if n > m.left {
		m.dropped++
		return attrs
	}
	m.left -= n
	return append(attrs, a)
}

// addAll appends what the application added, and says how much was left out.
// The line's own keys are its own: a parser that takes the last of two equal
// keys must not be told another outcome.
func (m *meter) addAll(attrs, added []slog.Attr) []slog.Attr {
	own := attrs
	for _, a := range added {
		if hasKey(own, a.Key) {
			m.dropped++
			continue
		}
		attrs = m.add(attrs, a)
	}
	if m.dropped > 0 {
		attrs = append(attrs, slog.Int("dropped_attributes", m.dropped))
	}
	return attrs
}

func hasKey(attrs []slog.Attr, key string) bool {
	for i := range attrs {
		if attrs[i].Key == key {
			return true
		}
	}
	return false
}
