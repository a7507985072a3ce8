package inspect

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"runtime/pprof"
)

// profile has the samples of a goroutine profile that have our label. The format is
// https://github.com/google/pprof/blob/main/proto/profile.proto.
type profile struct {
	texts     [][]byte
	samples   map[string][]sample // by the value of the label
	locations map[uint64][]byte
	functions map[uint64][]byte
}

// sample is a number of goroutines with the same stack.
type sample struct {
	locations []uint64 // the innermost first
	count     int
}

// frame is one function call on a stack.
type frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int64  `json:"line"`
}

// takeProfile takes the stacks of all goroutines. It stops all goroutines twice for
// a few microseconds, which does not depend on their number. In between it takes
// each stack before the goroutine continues.
func takeProfile() (*profile, error) {
	var packed bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&packed, 0); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(&packed)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	return parseProfile(raw)
}

var errProfile = errors.New("inspect: the goroutine profile is not understood")

// fields calls f for each field of a protobuf message. A number is passed as v, and
// every other value as b.
func fields(msg []byte, f func(field int, v uint64, b []byte) error) error {
	for len(msg) > 0 {
		key, n := binary.Uvarint(msg)
		if n <= 0 {
			return errProfile
		}
		msg = msg[n:]
		var v uint64
		var b []byte
		switch key & 7 {
		case 0:
			if v, n = binary.Uvarint(msg); n <= 0 {
				return errProfile
			}
			msg = msg[n:]
		case 2:
			size, n := binary.Uvarint(msg)
			if n <= 0 || size > uint64(len(msg)-n) {
				return errProfile
			}
			b, msg = msg[n:n+int(size)], msg[n+int(size):]
		default: // profiles have no fixed-size fields
			return errProfile
		}
		if err := f(int(key>>3), v, b); err != nil {
			return err
		}
	}
	return nil
}

// numbers appends the numbers of a repeated field, packed or not.
func numbers(to []uint64, v uint64, b []byte) ([]uint64, error) {
	if b == nil {
		return append(to, v), nil
	}
	for len(b) > 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errProfile
		}
		to, b = append(to, v), b[n:]
	}
	return to, nil
}

func parseProfile(raw []byte) (*profile, error) {
	p := &profile{samples: map[string][]sample{}, locations: map[uint64][]byte{}, functions: map[uint64][]byte{}}
	var samples [][]byte
	err := fields(raw, func(field int, _ uint64, b []byte) error {
		switch field {
		case 2:
			samples = append(samples, b)
		case 4:
			return byID(p.locations, b)
		case 5:
			return byID(p.functions, b)
		case 6:
			p.texts = append(p.texts, b)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, s := range samples {
		if err := p.sample(s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// byID adds a message to a map. The key is the message's first field, its id.
func byID(to map[uint64][]byte, msg []byte) error {
	return fields(msg, func(field int, v uint64, _ []byte) error {
		if field == 1 {
			to[v] = msg
		}
		return nil
	})
}

// sample adds a sample to the profile if it has our label.
func (p *profile) sample(msg []byte) error {
	var s sample
	var label string
	err := fields(msg, func(field int, v uint64, b []byte) (err error) {
		switch field {
		case 1:
			s.locations, err = numbers(s.locations, v, b)
		case 2:
			var n []uint64
			if n, err = numbers(nil, v, b); len(n) > 0 {
				s.count = int(n[0])
			}
		case 3:
			var key, text uint64
			err = fields(b, func(field int, v uint64, _ []byte) error {
				switch field {
				case 1:
					key = v
				case 2:
					text = v
				}
				return nil
			})
			if p.text(key) == labelName {
				label = p.text(text)
			}
		}
		return err
	})
	if err == nil && label != "" {
		p.samples[label] = append(p.samples[label], s)
	}
	return err
}

func (p *profile) text(i uint64) string {
	if i >= uint64(len(p.texts)) {
		return ""
	}
	return string(p.texts[i])
}

// frames returns the frames of a sample, the innermost first.
func (p *profile) frames(s sample) (all []frame, err error) {
	for _, id := range s.locations {
		err = fields(p.locations[id], func(field int, _ uint64, b []byte) error {
			if field != 4 {
				return nil
			}
			f, err := p.frame(b)
			all = append(all, f)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// frame returns the frame of one line of a location: a function, or a function that
// was inlined into it.
func (p *profile) frame(line []byte) (f frame, err error) {
	var id uint64
	err = fields(line, func(field int, v uint64, _ []byte) error {
		switch field {
		case 1:
			id = v
		case 2:
			f.Line = int64(v)
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	return f, fields(p.functions[id], func(field int, v uint64, _ []byte) error {
		switch field {
		case 2:
			f.Function = p.text(v)
		case 4:
			f.File = p.text(v)
		}
		return nil
	})
}
