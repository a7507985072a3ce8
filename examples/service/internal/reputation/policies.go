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

// retries repeats an attempt that failed or got a 5xx or 429. No attempt begins
// after the caller's deadline.
//
//nolint:bodyclose // the function does not get a response
func retries(most int) failsafe.Policy[*http.Response] {
	return failsafehttp.NewRetryPolicyBuilder().
		WithMaxRetries(most).
		WithBackoff(20*time.Millisecond, 200*time.Millisecond).WithJitterFactor(0.5).
		AbortIf(hopeless).
		ReturnLastFailure().
		Build()
}

// hopeless reports whether another attempt would fail in the same way.
func hopeless(_ *http.Response, err error) bool {
	var tooLarge *limits.Error
	return errors.Is(err, circuitbreaker.ErrOpen) || errors.Is(err, context.Canceled) || errors.As(err, &tooLarge)
}

// breaker rejects all attempts for a second if 8 of the last 10 failed, and then
// allows one as a test.
//
//nolint:bodyclose // the same
func breaker() failsafe.Policy[*http.Response] {
	return circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(failed).
		WithFailureThresholdRatio(8, 10).WithSuccessThreshold(1).WithDelay(time.Second).
		Build()
}

// failed does not count failures caused by the caller.
func failed(res *http.Response, err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) || res != nil && res.StatusCode >= 500
}
