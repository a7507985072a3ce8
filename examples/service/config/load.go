package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

const delimiter = "."

// prefix is the prefix of the service's environment variables. An unknown variable
// with this prefix is an error, like an unknown key of the file.
const prefix = "API_"

// Environment variables with customary names, which have no prefix.
var conventional = map[string]string{
	"DATABASE_URL": "database.url",
	"REDIS_URL":    "cache.url",
}

// loader collects errors, so all of them are reported at once.
type loader struct {
	settings *koanf.Koanf
	known    []string
	problems []error
}

// Load reads the settings. environ has the form of os.Environ, and args are the
// arguments without the program's name. The error is flag.ErrHelp if args ask for
// help. Otherwise it names every invalid setting.
func Load(args, environ []string) (Config, error) {
	l := loader{settings: koanf.New(delimiter)}
	if err := l.settings.Load(rawbytes.Provider(Defaults), yaml.Parser()); err != nil {
		return Config{}, fmt.Errorf("config.yaml: %w", err)
	}
	l.known = l.settings.Keys()

	flags, path, err := l.flags(args)
	if err != nil {
		return Config{}, err
	}
	if path != "" {
		l.file(path)
	}
	l.merge(l.environment(environ))
	l.merge(flags)

	cfg, bad := l.decode()
	l.problems = append(l.problems, cfg.check(bad)...)
	return cfg, errors.Join(l.problems...)
}

func (l *loader) problemf(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// flags parses the flags. It continues after an error, so that all errors are
// reported.
func (l *loader) flags(args []string) (set map[string]any, path string, err error) {
	set = map[string]any{}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&path, "config", "", "")
	for _, key := range l.known {
		fs.Func(key, "", func(value string) error {
			set[key] = value
			return nil
		})
	}
	for rest := args; ; {
		err := fs.Parse(rest)
		if errors.Is(err, flag.ErrHelp) {
			return nil, "", err
		}
		rest = fs.Args()
		switch value := len(rest) > 0 && !strings.HasPrefix(rest[0], "-"); {
		case err != nil:
			l.problemf("%w", err)
			if value { // the value of an unknown flag, which may be a password, is not printed
				rest = rest[1:]
			}
		case len(rest) > 0:
			l.problemf("argument %d belongs to no flag", len(args)-len(rest)+1)
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return set, path, nil
		}
	}
}

func (l *loader) file(path string) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator chooses the file
	if err != nil {
		l.problemf("%w", err)
		return
	}
	file := koanf.New(delimiter)
	if err := file.Load(rawbytes.Provider(b), yaml.Parser()); err != nil {
		l.problemf("%s: %w", path, err)
		return
	}
	for _, key := range file.Keys() {
		if slices.Contains(l.known, key) {
			continue
		}
		switch group := slices.ContainsFunc(l.known, func(k string) bool { return strings.HasPrefix(k, key+delimiter) }); {
		case !group:
			l.problemf("%s: unknown key %s", path, key)
		case file.Get(key) != nil: // all settings below the key may be commented out
			l.problemf("%s: %s has settings below it, and no value", path, key)
		}
		file.Delete(key)
	}
	l.merge(file.All())
}

func (l *loader) environment(environ []string) map[string]any {
	variables := map[string]string{}
	for _, key := range l.known {
		variables[variable(key)] = key
	}
	set := map[string]any{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if key, ok := conventional[name]; ok {
			set[key] = value
		} else if key, ok := variables[name]; ok {
			set[key] = value
		} else if strings.HasPrefix(name, prefix) {
			l.problemf("unknown variable %s in the environment", name)
		}
	}
	return set
}

// variable returns the name of a setting in the environment.
func variable(key string) string {
	for name, of := range conventional {
		if of == key {
			return name
		}
	}
	return prefix + strings.ToUpper(strings.ReplaceAll(key, delimiter, "_"))
}

func (l *loader) merge(flat map[string]any) {
	if err := l.settings.Load(confmap.Provider(flat, delimiter), nil); err != nil {
		l.problemf("%w", err)
	}
}

// decode also returns the keys that it could not decode. These are not checked for
// their range.
func (l *loader) decode() (cfg Config, bad map[string]bool) {
	err := l.settings.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result:     &cfg,
		TagName:    "koanf",
		DecodeHook: strict,
	}})
	bad = map[string]bool{}
	single := leaves(err)
	if err != nil && single == nil {
		l.problemf("%w", err)
	}
	for _, e := range single {
		bad[e.Name()] = true
		l.problemf("%s %w", e.Name(), e.Unwrap())
	}
	return cfg, bad
}

// leaves returns the errors of single settings from the error that mapstructure
// joined.
func leaves(err error) (all []*mapstructure.DecodeError) {
	switch e := err.(type) { //nolint:errorlint // this is the walk itself
	case *mapstructure.DecodeError:
		if below := leaves(e.Unwrap()); below != nil {
			return below
		}
		return []*mapstructure.DecodeError{e}
	case interface{ Unwrap() []error }:
		for _, sub := range e.Unwrap() {
			all = append(all, leaves(sub)...)
		}
	case interface{ Unwrap() error }:
		return leaves(e.Unwrap())
	}
	return all
}
