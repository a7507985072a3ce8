// Package clientaddr finds the address of a request's client. That is the other end
// of the connection or, behind trusted proxies, the address that the proxies report
// in X-Forwarded-For or Forwarded (RFC 7239).
package clientaddr

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Reader reads client addresses. It is immutable and safe for concurrent use.
// The zero value trusts no proxy.
type Reader struct {
	trusted []netip.Prefix
	unix    bool // proxies that connect over a Unix socket are trusted
}

// New returns a Reader that trusts the forwarded headers of peers inside one of the
// prefixes. A prefix of IPv4-mapped IPv6 addresses stands for the IPv4 addresses.
// The zero [netip.Prefix] stands for peers that connect over a Unix socket and have
// no address.
func New(trusted []netip.Prefix) Reader {
	var rd Reader
	for _, p := range trusted {
		if p == (netip.Prefix{}) {
			rd.unix = true
			continue
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		rd.trusted = append(rd.trusted, p.Masked())
	}
	return rd
}

// Validate returns an error that names the prefixes that New cannot use: those
// that are neither valid nor zero.
func Validate(trusted []netip.Prefix) error {
	var errs []error
	for _, p := range trusted {
		if p != (netip.Prefix{}) && !p.IsValid() {
			errs = append(errs, fmt.Errorf("the prefix of %v has no valid length", p.Addr()))
		}
	}
	return errors.Join(errs...)
}

// Addrs returns the addresses of the client and of the peer, which is the other end
// of the connection. They are equal unless the peer is a trusted proxy that
// reported another address. IPv4-mapped IPv6 addresses are returned as IPv4. An
// unknown address is the zero Addr. The address of a peer on a Unix socket is
// unknown, and so is the client's if that peer reported none.
//
// The headers are read from the right, which the nearest proxy wrote, as long as
// each hop is trusted. If both headers are present they must agree, because a proxy
// that sets only one of them passes on what the client wrote in the other. If an
// element is empty or not an address, the walk ends with the hop before that
// element.
func (rd *Reader) Addrs(r *http.Request) (client, peer netip.Addr) {
	peer, _ = parse(r.RemoteAddr)
	if peer.IsValid() && rd.trusts(peer) || !peer.IsValid() && rd.unix && onUnixSocket(r) {
		return rd.forwarded(peer, r.Header), peer
	}
	return peer, peer
}

// Text returns the addresses as text. An unknown address is "". peer is also "" if
// the peer is the client itself. It allocates only if a proxy reported the client.
func (rd *Reader) Text(r *http.Request) (client, peer string) {
	c, p := rd.Addrs(r)
	if p.IsValid() {
		peer = text(p, r.RemoteAddr)
	}
	switch {
	case c == p:
		return peer, ""
	case c.IsValid():
		return c.String(), peer
	}
	return "", peer
}

// text returns a.String(). If remote contains that text, text returns the part of
// remote, which saves an allocation.
func text(a netip.Addr, remote string) string {
	var buf [64]byte
	b := a.AppendTo(buf[:0])
	if i := strings.IndexByte(remote, b[0]); i >= 0 && strings.HasPrefix(remote[i:], string(b)) {
		return remote[i : i+len(b)]
	}
	return string(b)
}

func (rd *Reader) trusts(a netip.Addr) bool {
	if len(rd.trusted) == 0 {
		return false
	}
	a = a.WithZone("")
	return slices.ContainsFunc(rd.trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// onUnixSocket reports whether the connection is over a Unix socket. The peer's end
// usually has an empty name; Linux shows it as "@".
func onUnixSocket(r *http.Request) bool {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a.Network() == "unix"
	}
	return r.RemoteAddr == "" || r.RemoteAddr[0] == '@' || r.RemoteAddr[0] == '/'
}

// forwarded returns the client that the trusted peer reports, or the peer itself
// if the headers report none.
func (rd *Reader) forwarded(peer netip.Addr, h http.Header) netip.Addr {
	xff, fwd := h["X-Forwarded-For"], h["Forwarded"]
	switch {
	case len(fwd) == 0:
		return rd.xForwardedFor(peer, xff)
	case len(xff) == 0:
		return rd.rfc7239(peer, fwd)
	}
	a, b := rd.xForwardedFor(peer, xff), rd.rfc7239(peer, fwd)
	if a != b {
		return peer
	}
	return a
}

// parse reads an address with or without a port and brackets.
func parse(s string) (addr netip.Addr, ok bool) {
	if len(s) > maxAddress {
		return netip.Addr{}, false
	}
	inner, open := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	var err error
	switch {
	case open && closed:
		if addr, err = netip.ParseAddr(inner); !addr.Is6() {
			return netip.Addr{}, false
		}
	case open, strings.Count(s, ":") == 1:
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		addr = ap.Addr()
	default:
		addr, err = netip.ParseAddr(s)
	}
	return addr.Unmap(), err == nil
}
