package bulwarkotel

import (
	"net/http"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/bulwark-go/bulwark/timeout"
)

// refusal says which limit a request or a call exceeded.
type refusal struct{ reason, policy string }

// The reasons in addition to those of package limits.
const (
	reasonBody   = "body"
	reasonQuota  = "quota"
	reasonBudget = "budget"
)

// refusalOf finds the refusal of a request in an error of its record. The handler
// may have returned the error of an outbound call, which does not count as a
// refusal of the request. The budget error of such a call looks like that of a
// request that was not started.
func refusalOf(err error, unstarted bool) (refusal, bool) {
	return find(err, func(ref refusal) bool {
		return ref.reason != string(limits.ReasonResponse) && (ref.reason != reasonBudget || unstarted)
	})
}

// refusalOfCall finds the refusal of a call in the cause of its record.
func refusalOfCall(err error) (refusal, bool) {
	return find(err, func(ref refusal) bool {
		return ref.reason == string(limits.ReasonResponse) || ref.reason == reasonBudget
	})
}

func find(err error, counts func(refusal) bool) (ref refusal, ok bool) {
	if err == nil {
		return refusal{}, false
	}
	defer func() { _ = recover() }() // an Unwrap method may panic
	left := maxErrors
	return walk(err, counts, &left)
}

// maxErrors bounds the walk through an error, because its tree may have a cycle.
// errors.As has no bound.
const maxErrors = 64

func walk(err error, counts func(refusal) bool, left *int) (refusal, bool) {
	if *left--; err == nil || *left < 0 {
		return refusal{}, false
	}
	if ref, ok := refused(err); ok && counts(ref) {
		return ref, true
	}
	switch u := err.(type) { //nolint:errorlint // this is the walk itself
	case interface{ Unwrap() error }:
		return walk(u.Unwrap(), counts, left)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if ref, ok := walk(e, counts, left); ok {
				return ref, true
			}
		}
	}
	return refusal{}, false
}

// refused returns the refusal that err itself is, if it is one.
func refused(err error) (refusal, bool) {
	switch e := err.(type) { //nolint:errorlint // walk unwraps
	case *limits.Error:
		if e != nil {
			return refusal{reason: string(e.Reason)}, true
		}
	case *quota.Error:
		if e != nil {
			return refusal{reasonQuota, e.Policy}, true
		}
	case *http.MaxBytesError:
		return refusal{reason: reasonBody}, e != nil
	case *timeout.Error:
		return refusal{reason: reasonBudget}, e != nil && e.Phase == timeout.PhaseBudget
	}
	return refusal{}, false
}
