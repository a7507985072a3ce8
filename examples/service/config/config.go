// Package config reads the service's settings from its YAML file, from the
// environment and from flags. Flags override the environment, and the environment
// overrides the file.
package config

import (
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Defaults is the text of config.yaml. It has all keys with their defaults.
//
//go:embed config.yaml
var Defaults []byte

// Config has the shape of config.yaml, which describes each setting.
type Config struct {
	Log        Log        `koanf:"log"`
	HTTP       HTTP       `koanf:"http"`
	Debug      Debug      `koanf:"debug"`
	Request    Request    `koanf:"request"`
	Quota      Quota      `koanf:"quota"`
	Database   Database   `koanf:"database"`
	Cache      Cache      `koanf:"cache"`
	Reputation Reputation `koanf:"reputation"`
	Shutdown   Shutdown   `koanf:"shutdown"`
}

// Log configures the log, which goes to standard output.
type Log struct {
	Level slog.Level `koanf:"level"`
}

// HTTP configures the server.
type HTTP struct {
	Addr              string        `koanf:"addr"`
	ReadHeaderTimeout time.Duration `koanf:"read_header_timeout"`
	IdleTimeout       time.Duration `koanf:"idle_timeout"`
}

// Debug configures pprof.
type Debug struct {
	Addr string `koanf:"addr"`
}

// Request bounds every request of the API.
type Request struct {
	Timeout      time.Duration `koanf:"timeout"`
	MaxBodyBytes int64         `koanf:"max_body_bytes"`
	MaxInFlight  int           `koanf:"max_in_flight"`
	MaxQueue     int           `koanf:"max_queue"`
}

// Quota limits the requests of each client.
type Quota struct {
	Requests       int           `koanf:"requests"`
	Per            time.Duration `koanf:"per"`
	Burst          int           `koanf:"burst"`
	TrustedProxies string        `koanf:"trusted_proxies"`
	Replicas       int           `koanf:"replicas"`
	Timeout        time.Duration `koanf:"timeout"`
}

// Trusted is TrustedProxies as prefixes.
func (q Quota) Trusted() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for part := range strings.SplitSeq(q.TrustedProxies, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Database configures the database of users.
type Database struct {
	URL      Secret `koanf:"url"`
	MaxConns int    `koanf:"max_conns"`
}

// Cache configures Redis, in front of the database.
type Cache struct {
	URL   Secret        `koanf:"url"`
	Share float64       `koanf:"share"`
	TTL   time.Duration `koanf:"ttl"`
}

// Reputation configures the calls to the third party.
type Reputation struct {
	URL              Secret        `koanf:"url"`
	Timeout          time.Duration `koanf:"timeout"`
	Retries          int           `koanf:"retries"`
	MaxResponseBytes int64         `koanf:"max_response_bytes"`
}

// Shutdown configures how the service ends.
type Shutdown struct {
	Delay   time.Duration `koanf:"delay"`
	Timeout time.Duration `koanf:"timeout"`
}

// Secret is a setting that may contain a password. Printing a Secret does not show
// it; use Reveal.
type Secret string

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

// Format hides the secret from fmt, for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.redacted()) }

// MarshalText hides the secret from encoders, including log/slog's.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.redacted()), nil }

func (s Secret) redacted() string {
	if s == "" {
		return ""
	}
	return "REDACTED"
}
