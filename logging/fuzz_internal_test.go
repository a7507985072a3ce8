package logging

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The fuzz targets are inside the package, because from outside all bytes would pass
// through net/http first.

var traceparentRE = regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?)$`)

func FuzzTraceparent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, s string) {
		tr, ok := parseTraceparent(s)
		if !ok {
			if tr != (trace{}) {
				t.Fatal("something of nothing")
			}
			return
		}
		if !traceparentRE.MatchString(strings.ToValidUTF8(strings.ReplaceAll(s, "\n", "."), ".")) ||
			strings.HasPrefix(s, "ff") || strings.HasPrefix(s, "00") && len(s) != 55 {
			t.Fatalf("%q is none", s)
		}
		if tr.id != s[3:35] || tr.span != s[36:52] || zeros(tr.id) || zeros(tr.span) {
			t.Fatalf("%q gave %+v", s, tr)
		}
	})
}

var idRE = regexp.MustCompile(`^[A-Za-z0-9._:/+-]{1,128}$`)

func FuzzRequestID(f *testing.F) {
	f.Add("abc-1")
	f.Add("a\n")
	f.Fuzz(func(t *testing.T, s string) {
		if validID(s) != (idRE.MatchString(s) && !strings.HasSuffix(s, "\n")) {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("plain", 1024)
	f.Add("\x1b[31m\u202e\xff\u2028\"\\", 10)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 16 + int(uint(limit)%maxValue)
		for _, multiline := range []bool{false, true} {
			c := cleanTo(s, limit, multiline)
			if len(c) > limit || !utf8.ValidString(c) {
				t.Fatalf("%q", c)
			}
			for _, r := range c {
				if !unicode.IsPrint(r) && (!multiline || r != '\n' && r != '\t') {
					t.Fatalf("%q has %q", c, r)
				}
			}
			if plain(s) != (printable(s) && !strings.ContainsAny(s, `"\`)) {
				t.Fatalf("plain(%q) is %v", s, plain(s))
			}
			if cost(c) > 2*len(c) || plain(c) && cost(c) != len(c) {
				t.Fatalf("cost of %q", c)
			}
		}
	})
}

const secret = "s3cr3t"

func FuzzRedact(f *testing.F) {
	f.Add("page=1&code=", "&x")
	f.Add("p%61ge=", "")
	f.Add("a;b=", ";page=2")
	a := newAllowed([]string{"page"})
	f.Fuzz(func(t *testing.T, before, after string) {
		q := before + "=" + secret + after
		if strings.ContainsAny(before, "&;%") || strings.Contains(before, "page") || strings.Contains(before+after, secret) ||
			strings.Contains(after, "=") || strings.Contains(before, "+") {
			return
		}
		if got := a.redact(q); strings.Contains(got, secret) {
			t.Fatalf("%q gave %q", q, got)
		}
	})
}

func FuzzScrub(f *testing.F) {
	f.Add("Get ", "host/x?a=b", ": refused")
	f.Add(`parse "`, "h", `"`)
	a := newAllowed(nil)
	f.Fuzz(func(t *testing.T, before, place, after string) {
		if strings.ContainsAny(place, " \t\r\n\"'`<>?@") || strings.Contains(before+place+after, secret) {
			return
		}
		text := before + " https://u:" + secret + "@" + place + "?k=" + secret + " " + after
		if got := a.scrub(text); strings.Contains(got, secret) && len(text) < maxQuery {
			t.Fatalf("%q gave %q", text, got)
		}
	})
}
