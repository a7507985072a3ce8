package logging

import (
	"math"
	"strconv"
)

// sampled reports whether to keep a log record, and returns its share.
func (l *requestLog) sampled(rec *Record) (share float64, keep bool) {
	share = 1
	if l.Sample == nil || rec.Outcome != OutcomeOK || rec.Status >= 500 || rec.Duration >= l.Slow {
		return share, true
	}
	share = l.share(rec)
	if math.IsNaN(share) || share >= 1 {
		return 1, true
	}
	return share, share > 0 && randomness(rec) >= threshold(share)
}

func (l *requestLog) share(rec *Record) (share float64) {
	share = 1 //nolint:wastedassign // the result if Sample panics
	defer l.reportPanic("Config.Sample")
	return l.Sample(*rec)
}

// randomBits is the number of random bits in a trace id, which are in its last
// seven bytes (W3C Trace Context Level 2, section 3.2.2.3).
const randomBits = 56

// threshold returns the threshold of OpenTelemetry's consistent probability
// sampling. Records with at least this randomness are kept. So a service with a
// smaller share keeps a subset of what a service with a larger share keeps.
func threshold(share float64) uint64 {
	return uint64((1 - share) * (1 << randomBits))
}

// randomness returns the random bits of a trace id in W3C's form. Other trace
// ids, such as Datadog's decimal numbers, and request ids are hashed.
func randomness(rec *Record) uint64 {
	const digits = 32
	switch id := rec.TraceID; {
	case len(id) == digits && lowerHex(id):
		v, _ := strconv.ParseUint(id[digits-randomBits/4:], 16, 64) // the id is hexadecimal
		return v
	case id != "":
		return hash(id) >> (64 - randomBits)
	}
	return hash(rec.RequestID) >> (64 - randomBits)
}

// hash is FNV-1a with the finalizer of MurmurHash3. Unlike hash/maphash it is the
// same in every process; unlike FNV alone its upper bits are evenly distributed.
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
