package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"time"
)

// strict is a mapstructure hook. It parses the strings from the environment and
// from flags. It rejects values that mapstructure would convert: as a duration, 5
// would become five nanoseconds; as a number of connections, 1.5 would become 1.
// The error for a Secret does not contain the value.
func strict(_, to reflect.Type, v any) (any, error) {
	switch reflect.Zero(to).Interface().(type) {
	case time.Duration:
		return parse(v, "time such as 250ms", time.ParseDuration)
	case slog.Level:
		return parse(v, "level: debug, info, warn or error", func(s string) (l slog.Level, err error) {
			return l, l.UnmarshalText([]byte(s))
		})
	case int, int64:
		if isInt(v) {
			return v, nil
		}
		return parse(v, "whole number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case float64:
		if _, ok := v.(float64); ok || isInt(v) {
			return v, nil
		}
		return parse(v, "number", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case string, Secret:
		if _, ok := v.(string); !ok {
			return nil, errors.New("is not a text")
		}
	}
	return v, nil
}

func isInt(v any) bool {
	_, ok := v.(int)
	return ok
}

func parse[T any](v any, what string, f func(string) (T, error)) (any, error) {
	if s, ok := v.(string); ok {
		if t, err := f(s); err == nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("is not a %s: %v", what, v)
}
