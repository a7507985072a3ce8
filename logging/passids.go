package logging

import (
	"net/http"
	"net/netip"
	"strings"
)

// wantsIDs calls PassIDs. If that panics, no ids are passed on.
func (t *transport) wantsIDs(req *http.Request) (pass bool) {
	t.contain("PassIDs", func() { pass = t.passIDs(req) })
	return pass
}

// setIDHeaders sets the headers of a call that identify the request.
func (l *requestLog) setIDHeaders(h http.Header, idHeader string) {
	if id := l.idHeader.Value; id != "" && len(h[idHeader]) == 0 {
		h[idHeader] = []string{id}
	}
	if len(h["Traceparent"]) > 0 || l.extras().parent == "" {
		return
	}
	h["Traceparent"] = []string{outboundParent(l.extras().parent)}
	if state := outboundState(l.extras().state); state != "" {
		h["Tracestate"] = []string{state}
	} else {
		delete(h, "Tracestate") // it belongs to another trace
	}
}

// outboundParent returns the traceparent to pass on. If its version is unknown, it
// is reduced to the fields of version 00 and passed on as version 00 (W3C Trace
// Context, section 4.3).
func outboundParent(s string) string {
	if s[:traceAt] == "00-" {
		return s
	}
	flags := "00"
	if hexDigit(s[flagsEnd-1])&1 != 0 {
		flags = "01"
	}
	return "00-" + s[traceAt:flagsAt] + flags
}

// The bounds of a tracestate (W3C Trace Context, section 3.3.1): vendors should
// pass on at least 512 bytes, and a list has at most 32 members. If a list is
// longer, its long members are removed first, and then the last ones.
const (
	maxState        = 512
	maxStateMembers = 32
	longStateMember = 128
)

// outboundState returns the tracestate to pass on: one list within the bounds,
// without invalid members.
func outboundState(values []string) string {
	members := make([]string, 0, maxStateMembers)
	total := 0
	for _, v := range values {
		for v != "" && len(members) < maxStateMembers {
			var m string
			m, v, _ = strings.Cut(v, ",")
			if m = strings.Trim(m, " \t"); stateMember(m) {
				members = append(members, m)
				total += len(m) + 1
			}
		}
	}
	if total-1 > maxState {
		kept := members[:0]
		for _, m := range members {
			if total-1 > maxState && len(m) > longStateMember {
				total -= len(m) + 1
				continue
			}
			kept = append(kept, m)
		}
		members = kept
	}
	for total-1 > maxState {
		last := members[len(members)-1]
		members = members[:len(members)-1]
		total -= len(last) + 1
	}
	return strings.Join(members, ",")
}

// stateMember reports whether m is key=value in printable ASCII.
func stateMember(m string) bool {
	key, value, ok := strings.Cut(m, "=")
	if !ok || key == "" || value == "" {
		return false
	}
	for i := range len(m) {
		if m[i] < ' ' || m[i] > '~' {
			return false
		}
	}
	return true
}

// isInternal is the default TransportConfig.PassIDs.
func isInternal(req *http.Request) bool { return req.URL != nil && isInternalHost(req.URL.Hostname()) }

// isInternalHost reports whether the address or the name of a host shows that it is
// not on the public Internet. The names are those of RFC 6761 (localhost, test),
// RFC 6762 (local) and RFC 8375 (home.arpa), ICANN's internal, and the names of
// Kubernetes services.
func isInternalHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap().WithZone("")
		return a.IsLoopback() || a.IsPrivate()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		// Resolvers treat 2130706433 and 0x7f000001 as addresses.
		return host != "" && !strings.Contains(host, ":") && (host[0] < '0' || host[0] > '9')
	}
	for _, s := range [...]string{".internal", ".local", ".localhost", ".home.arpa", ".test", ".svc"} {
		if strings.HasSuffix(host, s) {
			return true
		}
	}
	return false // .cluster.local ends in .local
}
