package logging

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// masked is a copy of the prefixes as addresses are compared to them: v4-mapped
// ones as IPv4.
func masked(prefixes []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out
}

func (s *settings) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// clientAddress is the address of the client, and that of the peer where it is
// another. Only a peer that is trusted may speak for others.
func (s *settings) clientAddress(remote string, h http.Header) (client, peer string) {
	host := hostOf(remote)
	if len(s.trusted) == 0 {
		return host, ""
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !s.trusts(addr) {
		return host, ""
	}
	if found := s.forwarded(addr, h); found != addr {
		return found.String(), host
	}
	return host, ""
}

// hostOf is the host of an address "host:port", without the port; of a Unix
// socket, whose clients have no address, "". Middleware outside that believes a
// proxy leaves an IP address alone there (chi's RealIP, gorilla's ProxyHeaders).
func hostOf(remote string) string {
	i := strings.LastIndexByte(remote, ':')
	if i < 0 || remote[0] != '[' && strings.IndexByte(remote, ':') < i {
		if _, err := netip.ParseAddr(remote); err != nil {
			return ""
		}
		return remote
	}
	return strings.Trim(remote[:i], "[]")
}

// forwarded is the client that the trusted peer speaks for. A proxy that knows
// only one of the two headers passes on what the client put in the other; so
// where both are there they must agree, or the peer's own address is all that
// is certain.
func (s *settings) forwarded(peer netip.Addr, h http.Header) netip.Addr {
	xff, fwd := h["X-Forwarded-For"], h["Forwarded"]
	switch {
	case len(fwd) == 0:
		return s.walk(peer, xff, splitXFF)
	case len(xff) == 0:
		return s.walk(peer, fwd, parseForwarded)
	}
	a, b := s.walk(peer, xff, splitXFF), s.walk(peer, fwd, parseForwarded)
	if a != b {
		return peer
	}
	return a
}

// maxHops bounds the walk.
const maxHops = 32

// walk goes from the right, the end that the nearest proxy wrote, for as long as
// each hop is trusted. At the first thing that is no address it stops with the
// last hop that was one: who wrote the rest is unknown.
func (s *settings) walk(peer netip.Addr, lines []string, split func(string) ([]string, bool)) netip.Addr {
	last := peer
	hops := 0
	for _, line := range slices.Backward(lines) {
		elements, ok := split(line)
		if !ok {
			return last
		}
		for _, e := range slices.Backward(elements) {
			addr, ok := hop(e)
			if hops++; !ok || hops > maxHops {
				return last
			}
			if last = addr; !s.trusts(addr) {
				return addr
			}
		}
	}
	return last
}

// hop reads an address with or without a port and brackets. A zone means
// something only on the machine that wrote it.
func hop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			addr, err = netip.ParseAddr(inner[:len(inner)-1])
			if err == nil && !addr.Is6() {
				return netip.Addr{}, false
			}
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			addr = ap.Addr()
		}
	}
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// splitXFF is the elements of an X-Forwarded-For; empty ones do not count (RFC
// 9110 section 5.6.1).
func splitXFF(line string) ([]string, bool) {
	parts := strings.Split(line, ",")
	elements := parts[:0]
	for _, p := range parts {
		if p = strings.Trim(p, " \t"); p != "" {
			elements = append(elements, p)
		}
	}
	return elements, true
}
