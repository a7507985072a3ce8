package reputation

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"

	"github.com/bulwark-go/bulwark/limits"
)

// retries asks again where an attempt failed or was answered with a 5xx or 429.
// None begins after the caller's deadline.
//
//nolint:bodyclose // there is no response yet
func retries(most int) failsafe.Policy[*http.Response] {
	return failsafehttp.NewRetryPolicyBuilder().
		WithMaxRetries(most).
		WithBackoff(20*time.Millisecond, 200*time.Millisecond).WithJitterFactor(0.5).
		AbortIf(hopeless).
		ReturnLastFailure().
		Build()
}

// hopeless is what a second attempt would only find again.
func hopeless(_ *http.Response, err error) bool {
	var tooLarge *limits.Error
	return errors.Is(err, circuitbreaker.ErrOpen) || errors.Is(err, context.Canceled) || errors.As(err, &tooLarge)
}

// breaker lets no attempt pass for a second where 8 of the last 10 failed, and
// then one, to see.
//
//nolint:bodyclose // the same
func breaker() failsafe.Policy[*http.Response] {
	return circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(failed).
		WithFailureThresholdRatio(8, 10).WithSuccessThreshold(1).WithDelay(time.Second).
		Build()
}

// failed leaves out what is the caller's doing.
func failed(res *http.Response, err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) || res != nil && res.StatusCode >= 500
}
