package raw

import (
	"errors"
	"math/bits"
	"net/http"
	"strings"
)

// This is the part of HPACK (RFC 7541) that a client needs if it has told the
// server to keep no dynamic table. It has the Huffman codes of printable characters
// only.

// static has the names of the static table (appendix A), with the values that
// responses use.
var static = strings.Split(":authority :method :method :path :path :scheme :scheme :status=200 :status=204 :status=206 :status=304 "+
	":status=400 :status=404 :status=500 accept-charset accept-encoding accept-language accept-ranges accept "+
	"access-control-allow-origin age allow authorization cache-control content-disposition content-encoding content-language "+
	"content-length content-location content-range content-type cookie date etag expect expires from host if-match "+
	"if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards "+
	"proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "+
	"strict-transport-security transfer-encoding user-agent vary via www-authenticate", " ")

// coded has the characters for each code length in bits, in the order of their
// codes, which are consecutive (appendix B). The only printable character with a
// code of more than 15 bits is the backslash.
var coded = []struct {
	bits  uint
	chars string
}{
	{5, "012aceiost"},
	{6, " %-./3456789=A_bdfghlmnpru"},
	{7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"},
	{8, "&*,;XZ"},
	{10, `!"()?`},
	{11, "'+|"},
	{12, "#>"},
	{13, "\x00$@[]~"},
	{14, "^}"},
	{15, "<`{"},
	{19, `\`},
}

var errBlock = errors.New("raw: unknown header block")

// huffman decodes a string.
func huffman(p []byte) (string, error) {
	var out strings.Builder
	var acc, held uint
	for i := 0; i < len(p) || held > 0; {
		for held < 19 && i < len(p) {
			acc, held, i = acc<<8|uint(p[i]), held+8, i+1
		}
		code, n, ok := uint(0), uint(0), false
		for _, c := range coded {
			code <<= c.bits - n
			n = c.bits
			if held >= n {
				if v := acc >> (held - n) & (1<<n - 1); v < code+uint(len(c.chars)) {
					out.WriteByte(c.chars[v-code])
					held, ok = held-n, true
					break
				}
			}
			code += uint(len(c.chars))
		}
		if !ok {
			if held < 8 && bits.OnesCount(acc&(1<<held-1)) == int(held) { // padding
				break
			}
			return "", errBlock
		}
	}
	return out.String(), nil
}

// integer decodes an integer with a prefix of n bits.
func integer(p []byte, n int) (v int, rest []byte, err error) {
	if len(p) == 0 {
		return 0, nil, errBlock
	}
	full := 1<<n - 1
	v, p = int(p[0])&full, p[1:]
	if v < full {
		return v, p, nil
	}
	for shift := 0; len(p) > 0; shift += 7 {
		b := p[0]
		p = p[1:]
		v += int(b&0x7f) << shift
		if b < 0x80 {
			return v, p, nil
		}
	}
	return 0, nil, errBlock
}

func text(p []byte) (s string, rest []byte, err error) {
	if len(p) == 0 {
		return "", nil, errBlock
	}
	packed := p[0]&0x80 != 0
	n, p, err := integer(p, 7)
	if err != nil || n > len(p) {
		return "", nil, errBlock
	}
	if packed {
		s, err = huffman(p[:n])
		return s, p[n:], err
	}
	return string(p[:n]), p[n:], nil
}

// field decodes the next field. If it returns no name, there was no field, but for
// example the size of the table.
func field(p []byte) (name, value string, rest []byte, err error) {
	var i int
	switch b := p[0]; {
	case b&0x80 != 0: // indexed
		if i, p, err = integer(p, 7); err != nil || i < 1 || i > len(static) {
			return "", "", nil, errBlock
		}
		name, value, _ = strings.Cut(static[i-1], "=")
		return name, value, p, nil
	case b&0xe0 == 0x20: // the size of the table
		_, p, err = integer(p, 5)
		return "", "", p, err
	case b&0x40 != 0:
		i, p, err = integer(p, 6)
	default:
		i, p, err = integer(p, 4)
	}
	switch {
	case err != nil || i > len(static):
		return "", "", nil, errBlock
	case i > 0:
		name, _, _ = strings.Cut(static[i-1], "=")
	default:
		if name, p, err = text(p); err != nil {
			return "", "", nil, err
		}
	}
	value, p, err = text(p)
	return name, value, p, err
}

// decode returns the status and the fields of a header block.
func decode(p []byte) (status string, h http.Header, err error) {
	h = http.Header{}
	for len(p) > 0 {
		var name, value string
		if name, value, p, err = field(p); err != nil {
			return "", nil, err
		}
		switch name {
		case "":
		case ":status":
			status = value
		default:
			h.Add(name, value)
		}
	}
	return status, h, nil
}

// encode appends a field without using a table. Strings are Huffman coded if that
// is shorter.
func encode(p []byte, name, value string) []byte {
	p = append(p, 0)
	for _, s := range []string{strings.ToLower(name), value} {
		var packed byte
		if short, ok := pack(s); ok && len(short) < len(s) {
			s, packed = short, 0x80
		}
		if n := len(s); n < 0x7f {
			p = append(p, packed|byte(n))
		} else {
			p = append(p, packed|0x7f)
			for n -= 0x7f; n >= 0x80; n >>= 7 {
				p = append(p, byte(n)|0x80)
			}
			p = append(p, byte(n))
		}
		p = append(p, s...)
	}
	return p
}

// pack encodes a string with the Huffman code. It fails if the code of a character
// is not known.
func pack(s string) (string, bool) {
	var out []byte
	var acc, held uint
	for i := range len(s) {
		code, bits, ok := codeOf(s[i])
		if !ok {
			return "", false
		}
		acc, held = acc<<bits|code, held+bits
		for ; held >= 8; held -= 8 {
			out = append(out, byte(acc>>(held-8)))
		}
	}
	if held > 0 {
		out = append(out, byte(acc<<(8-held))|byte(0xff>>held))
	}
	return string(out), true
}

func codeOf(c byte) (code, bits uint, ok bool) {
	for _, class := range coded {
		code, bits = code<<(class.bits-bits), class.bits
		if i := strings.IndexByte(class.chars, c); i >= 0 {
			return code + uint(i), bits, true
		}
		code += uint(len(class.chars))
	}
	return 0, 0, false
}
