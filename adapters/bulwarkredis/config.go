package bulwarkredis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bulwark-go/bulwark/quota"
)

// Config configures [NewStore].
type Config struct {
	// Client connects to the server or the cluster. The caller must close it. Required.
	Client redis.UniversalClient

	// Prefix is the prefix of all keys in the server. Default "quota:".
	Prefix string

	// Timeout is how long to wait for a decision of the server. Default 0: 20 ms.
	Timeout time.Duration

	// Fallback decides if the server does not. Default nil: a store in the memory of
	// this process, with the Rate divided by Replicas.
	Fallback quota.Store

	// Replicas is the number of processes among which the default Fallback divides the
	// Rate. Default 0: 1.
	Replicas int

	// OnError is called if the server fails to make a decision in time. It is not
	// called for decisions that the circuit breaker leaves to Fallback. It runs on
	// the request's goroutine. Default nil: errors are not reported.
	OnError func(context.Context, error)
}

const (
	defaultPrefix  = "quota:"
	defaultTimeout = 20 * time.Millisecond
)

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Fallback == nil {
		c.Fallback = divided{quota.NewMemoryStore(0), max(c.Replicas, 1)}
	}
	return c
}

func (c Config) validate() error {
	var texts []string
	for _, f := range []struct {
		wrong bool
		text  string
	}{
		{c.Client == nil, "Client is required"},
		{isNil(c.Client), fmt.Sprintf("Client must not be a nil %T", c.Client)},
		{isNil(c.Fallback), fmt.Sprintf("Fallback must not be a nil %T", c.Fallback)},
		{c.Timeout < 0, "Timeout must not be negative"},
		{c.Replicas < 0, "Replicas must not be negative"},
		{c.Replicas > 0 && c.Fallback != nil, "Replicas has no effect with a Fallback"},
	} {
		if f.wrong {
			texts = append(texts, f.text)
		}
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

// isNil reports whether v is a nil pointer. Such a Client would panic at each
// decision, and Fallback would decide without a word.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
