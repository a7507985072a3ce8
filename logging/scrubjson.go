package logging

import (
	"bytes"
	"encoding/json"
	"strings"
)

// scrubJSON redacts the URLs in the strings of a JSON text, the fields of an
// encoded url.URL, and the headers with credentials.
func (a *allowed) scrubJSON(b []byte) []byte {
	if !bytes.Contains(b, []byte(`"`)) {
		return b
	}
	var out []byte // nil until something is replaced
	from := 0
	for i := 0; i < len(b); i++ {
		if b[i] != '"' {
			continue
		}
		end := literal(b, i)
		if isKey := end < len(b) && b[end] == ':'; isKey {
			if value := a.member(string(b[i+1:end-1]), b[end+1:]); value != nil {
				n := next(b[end+1:])
				out = append(append(out, b[from:end+1]...), value...)
				from = end + 1 + n
				i = from - 1
				continue
			}
		}
		if s := string(b[i:end]); suspicious(s) {
			if t := a.scrubLiteral(s); t != s {
				out = append(append(out, b[from:i]...), t...)
				from = end
			}
		}
		i = end - 1
	}
	if from == 0 {
		return b
	}
	return append(out, b[from:]...)
}

// uniqueNames reports whether no object in a short JSON text has a name twice. Two
// URLs that are names may differ only in what was redacted. See dropOwn for why that
// matters.
func uniqueNames(b []byte) bool {
	if len(b) > maxValue { // it becomes a string anyway
		return true
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return nextIsUnique(d)
}

func nextIsUnique(d *json.Decoder) bool {
	t, err := d.Token()
	opening, ok := t.(json.Delim)
	if err != nil || !ok {
		return err == nil
	}
	seen := make(map[string]bool)
	for d.More() {
		if opening == '{' {
			t, err := d.Token()
			name, _ := t.(string)
			if err != nil || seen[name] {
				return false
			}
			seen[name] = true
		}
		if !nextIsUnique(d) {
			return false
		}
	}
	_, err = d.Token() // the closing one
	return err == nil
}

// literal returns where the string that begins at i ends.
func literal(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// next returns the length of the value at the beginning of b.
func next(b []byte) int {
	var raw json.RawMessage
	d := json.NewDecoder(bytes.NewReader(b))
	if d.Decode(&raw) != nil {
		return len(b)
	}
	return int(d.InputOffset())
}

// member returns the replacement of a member's value, or nil to keep it.
func (a *allowed) member(key string, rest []byte) []byte {
	switch strings.ToLower(key) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return []byte(`"` + redacted + `"`)
	}
	switch key { // a field of url.URL
	case "RawQuery":
		var query string
		if json.Unmarshal(rest[:next(rest)], &query) == nil {
			return quote(a.redact(query))
		}
	case "Fragment", "RawFragment":
		if !bytes.HasPrefix(rest, []byte(`""`)) {
			return []byte(`"` + redacted + `"`)
		}
	}
	return nil
}

func (a *allowed) scrubLiteral(s string) string {
	var text string
	if json.Unmarshal([]byte(s), &text) != nil {
		return `"` + redacted + `"`
	}
	clean := a.scrubValue(text)
	if clean == text {
		return s
	}
	return string(quote(clean))
}

// quote returns s in JSON.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil { // impossible for a string
		return []byte(`""`)
	}
	return b
}
