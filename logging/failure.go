package logging

import (
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"strings"

	"github.com/bulwark-go/bulwark/internal/errtree"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

// failure appends why the request failed: error.type, which has few values, and
// error.message, a text for people.
func (m *budget) failure(attrs []slog.Attr, l *requestLog, e *exchange.Ending, rec *Record) []slog.Attr {
	n := l.names
	if rec.Status >= 500 || rec.Outcome != OutcomeOK && rec.Outcome != OutcomeUpgraded {
		attrs = append(attrs, slog.String(n.errType, errorType(e.First, e.Panic, rec)))
	}
	if text := causeText(e, &l.settings.query); text != "" {
		attrs = m.string(attrs, n.errMessage, text)
	}
	if len(e.Remarks) > 0 {
		attrs = m.string(attrs, "remarks", errorText(errors.Join(e.Remarks...), &l.settings.query))
	}
	if e.Panic != nil {
		attrs = m.panicked(attrs, l.settings, e.Panic, e.Stack)
	}
	if e.Where != "" {
		attrs = m.stack(attrs, "handler.stack", e.Where)
	}
	return attrs
}

// panicked appends a panic.
func (m *budget) panicked(attrs []slog.Attr, s *settings, v any, stack []byte) []slog.Attr {
	attrs = append(attrs, slog.String(s.names.panicType, panicType(v)))
	attrs = m.string(attrs, s.names.panicMessage, s.panicText(v))
	if len(stack) > 0 {
		attrs = m.stack(attrs, s.names.panicStack, string(stack))
	}
	return attrs
}

// stack appends a stack, the only value that has newlines.
func (m *budget) stack(attrs []slog.Attr, key, stack string) []slog.Attr {
	return m.text(attrs, key, cleanTo(stack, min(maxStack, m.left/2), true))
}

// causeText returns the cause and, if writing the response failed, that error.
func causeText(e *exchange.Ending, q *allowed) string {
	if e.Cause == nil && e.WriteErr == nil {
		return ""
	}
	text, wire := errorText(e.Cause, q), errorText(e.WriteErr, q)
	switch {
	case strings.Contains(text, wire): // true also if wire is empty
		return text
	case text == "":
		return wire
	}
	return text + "; " + wire
}

// errorText returns the text of err on one line, with URLs redacted.
func errorText(err error, q *allowed) string {
	return q.scrub(strings.ReplaceAll(errtree.Text(err), "\n", "; "))
}

func panicType(v any) string { return strings.TrimPrefix(reflect.TypeOf(v).String(), "*") }

// errorType returns a name for the failure from a small set: the type of the
// innermost error whose type says something, or else a status of 500 or above (as
// OpenTelemetry's conventions require), or else the outcome.
func errorType(cause error, panicked any, rec *Record) string {
	if panicked != nil {
		return panicType(panicked)
	}
	if rec.Outcome != OutcomeClientGone { // if the client left, the errors are a consequence and not the cause
		if t := typeName(cause); t != "" {
			return t
		}
	}
	if rec.Status >= 500 {
		return strconv.Itoa(rec.Status)
	}
	return string(rec.Outcome)
}

// typeName returns the type of the innermost error in the tree that is not just a
// text or a wrapper of the standard library, or "".
func typeName(err error) (name string) {
	defer func() { _ = recover() }() // an Unwrap method may panic
	left := maxErrors
	return innermost(err, &left)
}

// maxErrors bounds the walk through an error: its tree may have a cycle, or many
// paths to the same error.
const maxErrors = 64

func innermost(err error, left *int) string {
	if *left--; err == nil || *left < 0 {
		return ""
	}
	switch u := err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }:
		if t := innermost(u.Unwrap(), left); t != "" {
			return t
		}
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if t := innermost(e, left); t != "" || *left < 0 {
				return t
			}
		}
	}
	return typeOf(err)
}

// typeOf returns the type of err itself, or "" if the type says nothing.
func typeOf(err error) string {
	switch t := strings.TrimPrefix(reflect.TypeOf(err).String(), "*"); t {
	case "errors.errorString", "errors.joinError", "fmt.wrapError", "fmt.wrapErrors":
		return ""
	default:
		return t
	}
}
