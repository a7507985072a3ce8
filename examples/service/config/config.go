// Package config is what the service can be told: by its YAML file, by the
// environment and by flags, of which the later go before the earlier.
package config

import (
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Defaults is config.yaml: every key there is, with its default.
//
//go:embed config.yaml
var Defaults []byte

// Config has the shape of config.yaml, which says what each setting is.
type Config struct {
	Log        Log        `koanf:"log"`
	HTTP       HTTP       `koanf:"http"`
	Debug      Debug      `koanf:"debug"`
	Request    Request    `koanf:"request"`
	Database   Database   `koanf:"database"`
	Cache      Cache      `koanf:"cache"`
	Reputation Reputation `koanf:"reputation"`
	Shutdown   Shutdown   `koanf:"shutdown"`
}

// Log is about the log, which goes to standard output.
type Log struct {
	Level slog.Level `koanf:"level"`
}

// HTTP is about the server.
type HTTP struct {
	Addr              string        `koanf:"addr"`
	ReadHeaderTimeout time.Duration `koanf:"read_header_timeout"`
	IdleTimeout       time.Duration `koanf:"idle_timeout"`
}

// Debug is about pprof.
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

// Database is where the users are.
type Database struct {
	URL      Secret `koanf:"url"`
	MaxConns int    `koanf:"max_conns"`
}

// Cache is Redis in front of the database.
type Cache struct {
	URL   Secret        `koanf:"url"`
	Share float64       `koanf:"share"`
	TTL   time.Duration `koanf:"ttl"`
}

// Reputation is the third party.
type Reputation struct {
	URL              Secret        `koanf:"url"`
	Timeout          time.Duration `koanf:"timeout"`
	Retries          int           `koanf:"retries"`
	MaxResponseBytes int64         `koanf:"max_response_bytes"`
}

// Shutdown is how the service ends.
type Shutdown struct {
	Delay   time.Duration `koanf:"delay"`
	Timeout time.Duration `koanf:"timeout"`
}

// Secret is a setting that may hold a password. However it is printed, only
// Reveal shows it.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Format is what fmt shows, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.redacted()) }

// MarshalText is what encoders show, that of log/slog among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.redacted()), nil }

func (s Secret) redacted() string {
	if s == "" {
		return ""
	}
	return "REDACTED"
}
