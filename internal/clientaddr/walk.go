package clientaddr

import (
	"net/netip"
	"slices"
	"strings"
)

// Bounds for headers, because clients can make them as long as the server accepts.
const (
	maxHops      = 32
	maxAddress   = 128  // bytes of one element, with zone, port and white space
	maxForwarded = 4096 // bytes of all Forwarded lines that are read
)

// walk follows the hops from the nearest to the farthest.
type walk struct {
	rd   *Reader
	last netip.Addr // the last hop with a trusted address
	hops int
}

// hop reports whether this hop is a trusted proxy, so that the next one may be
// read.
func (w *walk) hop(element string) (more bool) {
	if w.hops++; w.hops > maxHops {
		return false
	}
	if w.rd.unix && element == "unix:" { // nginx writes this for a peer on a Unix socket
		return true
	}
	addr, ok := parse(element)
	switch {
	case !ok:
		return false
	case w.rd.trusts(addr):
		w.last = addr.WithZone("")
		return true
	case addr.Zone() == "": // a zone is only valid on the machine that wrote it
		w.last = addr
	}
	return false
}

// xForwardedFor reads the elements one by one from the right. An empty element
// comes from a proxy that did not know its client. So it is not known who wrote the
// elements before it.
func (rd *Reader) xForwardedFor(peer netip.Addr, lines []string) netip.Addr {
	w := walk{rd: rd, last: peer}
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			var element string
			if element, line, more = lastElement(line); !w.hop(element) {
				return w.last
			}
		}
	}
	return w.last
}

// lastElement cuts the last element of a comma-separated list. It returns "" if the
// element is too long for an address.
func lastElement(line string) (element, rest string, more bool) {
	tail := line[max(0, len(line)-maxAddress):]
	i := strings.LastIndexByte(tail, ',')
	switch {
	case i >= 0:
		element, rest, more = tail[i+1:], line[:len(line)-len(tail)+i], true
	case len(tail) == len(line):
		element = line
	}
	return strings.Trim(element, " \t"), rest, more
}

// rfc7239 reads Forwarded. Quotes can only be parsed from the left, so each line is
// parsed as a whole. The length of all lines together is bounded.
func (rd *Reader) rfc7239(peer netip.Addr, lines []string) netip.Addr {
	w := walk{rd: rd, last: peer}
	left := maxForwarded
	for _, line := range slices.Backward(lines) {
		if left -= len(line); left < 0 {
			return w.last
		}
		elements, ok := parseForwarded(line)
		if !ok {
			return w.last
		}
		for _, e := range slices.Backward(elements) {
			if !w.hop(e) {
				return w.last
			}
		}
	}
	return w.last
}
