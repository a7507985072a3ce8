// Package reputation asks a third party about an e-mail address. The third party
// may hang, fail, or send without end. Callers then get one of two errors before
// their deadline.
package reputation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// ErrUnavailable means that the third party failed. If it was too slow, the error
// is a timeout instead (context.DeadlineExceeded).
var ErrUnavailable = errors.New("reputation: the third party is unavailable")

// Config configures New. URL and Timeout are required.
type Config struct {
	URL              string
	Timeout          time.Duration           // for an attempt
	Retries          int                     // after the first attempt; default none
	MaxResponseBytes int64                   // default 10 MiB
	Base             http.RoundTripper       // default http.DefaultTransport
	Logging          logging.TransportConfig // its Base is overwritten
}

// Client is safe for concurrent use.
type Client struct {
	url  *url.URL
	http *http.Client
}

// New returns a client. Its errors do not contain the URL.
//
// The layers are, from outside to inside: retries, so each attempt passes through
// the other layers; the breaker, which counts attempts and after too many failures
// rejects them for a while; the log record, which says how the attempt ended; the
// timeout of the attempt, which is also sent to the third party; and the limit on
// the response.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("reputation: reputation.url is not a URL")
	}
	cfg.Logging.Base = timeout.NewTransport(timeout.TransportConfig{
		Limit:   cfg.Timeout,
		Reserve: 10 * time.Millisecond,
		Base: limits.NewTransport(limits.TransportConfig{
			MaxResponseBytes: cfg.MaxResponseBytes,
			Base:             cfg.Base,
		}),
	})
	transport := failsafehttp.NewRoundTripper(
		logging.NewTransport(cfg.Logging),
		retries(cfg.Retries), breaker(), //nolint:bodyclose // there is no response yet
	)
	return &Client{url: u, http: &http.Client{Transport: transport}}, nil
}

// Score returns the reputation of an e-mail address, from 0 to 1.
func (c *Client) Score(ctx context.Context, email string) (float64, error) {
	score, err := c.ask(ctx, email)
	var slow interface{ Timeout() bool }
	switch {
	case err == nil:
		return score, nil
	case errors.Is(err, context.Canceled), errors.As(err, &slow) && slow.Timeout():
		return 0, fmt.Errorf("reputation: %w", err)
	}
	return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func (c *Client) ask(ctx context.Context, email string) (float64, error) {
	u := c.url.JoinPath("reputation")
	u.RawQuery = url.Values{"email": {email}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if err := errmap.FromResponse(res); err != nil {
		return 0, err
	}
	var answer struct {
		Score *float64 `json:"score"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Score == nil || *answer.Score < 0 || *answer.Score > 1 {
		return 0, errors.New("no score between 0 and 1")
	}
	return *answer.Score, nil
}
