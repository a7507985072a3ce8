package logging

import (
	"net/http"
	"strings"
	"testing"
)

// FuzzOutboundState: for any header of a client, the tracestate that is passed on is
// within its bounds, has only received members in their order, and stays the same when
// it is passed on again.
func FuzzOutboundState(f *testing.F) {
	for _, s := range []string{"a=b,c=d", " a=b ,\tc=d ", ",", "=", "a=" + strings.Repeat("x", 600), strings.Repeat("k=v,", 100), "\x00=\r\n"} {
		f.Add(s, "x=y")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		got := outboundState([]string{first, second})
		if len(got) > maxState {
			t.Fatalf("%d bytes", len(got))
		}
		if got == "" {
			return
		}
		rest := first + "," + second
		members := strings.Split(got, ",")
		if len(members) > maxStateMembers {
			t.Fatalf("%d members", len(members))
		}
		for _, m := range members {
			i := strings.Index(rest, m)
			if i < 0 || !stateMember(m) {
				t.Fatalf("%q is not of %q", m, rest)
			}
			rest = rest[i+len(m):]
		}
		if again := outboundState([]string{got}); again != got {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}

// FuzzOutboundParent: an accepted traceparent is passed on as version 00 with the same
// ids.
func FuzzOutboundParent(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-later")
	f.Fuzz(func(t *testing.T, s string) {
		before, ok := parseTraceparent(s)
		if !ok {
			return
		}
		out := outboundParent(s)
		after, ok := parseTraceparent(out)
		if !ok || after != before || !strings.HasPrefix(out, "00-") || len(out) != flagsEnd {
			t.Fatalf("%q becomes %q", s, out)
		}
	})
}

// FuzzInsideHost: a host whose form allows it to be on the public Internet is never
// inside.
func FuzzInsideHost(f *testing.F) {
	for _, s := range []string{"users", "a.b", "127.0.0.1", "8.8.8.8", "::1", "[::1]", "a.internal.", "..", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		public := host + ".example.com"
		if isInternalHost(public) {
			t.Fatalf("%q is inside", public)
		}
		_ = isInternalHost(host)
		_ = isInternal(&http.Request{Host: host})
	})
}
