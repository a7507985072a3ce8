//go:build !go1.27 || !goexperiment.jsonv2

package errmap

// builtinsJSONv2 returns nil, because this Go has no encoding/json/v2.
func builtinsJSONv2() []Rule { return nil }

func isEmptyV2(error) bool { return false }
