package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// failure appends why the request failed: once, and in few words where a
// machine counts, in many where a human reads.
func (m *meter) failure(attrs []slog.Attr, l *line, e *exchange.Ending, rec *Record) []slog.Attr {
	n := l.names
	if rec.Status >= 500 || rec.Outcome != OK && rec.Outcome != Upgraded {
		attrs = append(attrs, slog.String(n.errType, errorType(e.First, e.Panic, rec)))
	}
	if text := causeText(e, &l.settings.query); text != "" {
		attrs = m.string(attrs, n.errMessage, text)
	}
	if len(e.Remarks) > 0 {
		attrs = m.string(attrs, "remarks", errorText(errors.Join(e.Remarks...), &l.settings.query))
	}
	if e.Panic != nil {
		attrs = m.panicked(attrs, n, &l.settings.query, e.Panic, e.Stack)
	}
	return attrs
}

// panicked appends a panic. The stack is the only value with newlines.
func (m *meter) panicked(attrs []slog.Attr, n *names, q *allowed, v any, stack []byte) []slog.Attr {
	attrs = append(attrs, slog.String(n.panicType, panicType(v)))
	attrs = m.string(attrs, n.panicMessage, q.scrub(panicText(v)))
	if len(stack) > 0 {
		limit := min(maxStack, m.left/2) // newlines are doubled
		attrs = m.text(attrs, n.panicStack, cleanTo(string(stack), limit, true))
	}
	return attrs
}

// causeText is the cause and, where the wire failed, how.
func causeText(e *exchange.Ending, q *allowed) string {
	text, wire := errorText(e.Cause, q), errorText(e.WriteErr, q)
	switch {
	case strings.Contains(text, wire): // also where the wire did not fail
		return text
	case text == "":
		return wire
	}
	return text + "; " + wire
}

// errorText is err's own text with the URLs in it scrubbed, and on one line
// where errors.Join put several. It survives what Error methods do.
func errorText(err error, q *allowed) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprintf("%T, whose Error method panicked", err)
		}
	}()
	return q.scrub(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func panicText(v any) (text string) {
	if s, ok := v.(string); ok {
		return s
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", v)
		}
	}()
	return fmt.Sprint(v)
}

func panicType(v any) string { return strings.TrimPrefix(reflect.TypeOf(v).String(), "*") }

// errorType is a low-cardinality name of what went wrong: the type of the
// innermost error that has one worth a name, else the status, as
// OpenTelemetry's conventions ask for, else the outcome.
func errorType(cause error, panicked any, rec *Record) string {
	if panicked != nil {
		return panicType(panicked)
	}
	if rec.Outcome != ClientGone { // whatever the handler made of it
		if t := typeName(cause); t != "" {
			return t
		}
	}
	if rec.Status >= 500 {
		return strconv.Itoa(rec.Status)
	}
	return string(rec.Outcome)
}

// maxDepth bounds the walk through an error: one that unwraps to itself must
// not hang a request.
const maxDepth = 32

// typeName is the type of the innermost error in the tree that is not merely a
// text or a wrapper from the standard library, "" without one.
func typeName(err error) (name string) {
	defer func() { _ = recover() }() // a hostile Unwrap method
	return innermost(err, maxDepth)
}

func innermost(err error, depth int) string {
	if err == nil || depth == 0 {
		return ""
	}
	switch u := err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }:
		if t := innermost(u.Unwrap(), depth-1); t != "" {
			return t
		}
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if t := innermost(e, depth-1); t != "" {
				return t
			}
		}
	}
	return typeOf(err)
}

// typeOf is the type of err itself, "" where it says nothing.
func typeOf(err error) string {
	switch t := strings.TrimPrefix(reflect.TypeOf(err).String(), "*"); t {
	case "errors.errorString", "errors.joinError", "fmt.wrapError", "fmt.wrapErrors":
		return ""
	default:
		return t
	}
}
