package logging

import (
	"math"
	"strconv"
)

// sampled says whether to keep a line, and its share.
func (l *line) sampled(rec *Record) (share float64, keep bool) {
	share = 1
	if l.Sample == nil || rec.Outcome != OK || rec.Status >= 500 || rec.Duration >= l.Slow {
		return share, true
	}
	share = l.share(rec)
	if math.IsNaN(share) || share >= 1 {
		return 1, true
	}
	return share, share > 0 && randomness(rec) >= threshold(share)
}

func (l *line) share(rec *Record) (share float64) {
	share = 1 //nolint:wastedassign // what a Sample that panics comes to
	defer l.survive("Sample")
	return l.Sample(*rec)
}

// randomBits is how much of a trace id is random (W3C Trace Context Level 2,
// section 3.2.2.3): the last seven bytes.
const randomBits = 56

// threshold is OpenTelemetry's for consistent probability sampling: everything
// with a randomness of at least that is kept, so that whoever keeps a smaller
// share keeps a subset.
func threshold(share float64) uint64 {
	return uint64((1 - share) * (1 << randomBits))
}

// randomness is that of the trace, else of the request's id.
func randomness(rec *Record) uint64 {
	const digits = randomBits / 4
	if n := len(rec.TraceID); n >= digits {
		if v, err := strconv.ParseUint(rec.TraceID[n-digits:], 16, 64); err == nil {
			return v
		}
	}
	return hash(rec.RequestID) >> (64 - randomBits)
}

// hash is FNV-1a with the finalizer of MurmurHash3: the same in every process,
// unlike hash/maphash, and even in its upper bits, unlike FNV alone.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
