package quota

import (
	"context"
	"time"
)

// Store keeps the buckets. It must be safe for concurrent use.
//
// For each key a Store keeps the time at which the bucket will be full, and not the
// number of requests in it, because r differs between calls for the same key:
// [Charge] passes the largest Burst, and a policy that gives back a part of a cost
// passes a shorter Per. Taking n moves that time by n × r.Per / r.Requests, and giving
// back n moves it back by as much, but not before now.
type Store interface {
	// Take takes cost from the bucket of key if the bucket holds that much, and
	// otherwise nothing. The bucket of a new key is full. A full bucket holds r.Burst,
	// or r.Requests if that is 0. Buckets are filled with r.Requests in every r.Per.
	//
	// A cost of 0 takes nothing, and is allowed unless the bucket is in debt. A
	// negative cost is always allowed. It gives back what an earlier Take has
	// taken, until the bucket is full. A cost that is more than a full bucket holds
	// is refused with a RetryAfter of 0. An error means that the Store could not
	// decide.
	Take(ctx context.Context, key string, cost int, r Rate) (Result, error)
}

// Result is a decision of a [Store].
type Result struct {
	Allowed    bool          // whether the cost was taken
	Remaining  int           // what is left in the bucket, at least 0
	RetryAfter time.Duration // the time until the same cost is allowed; 0 if it is allowed now or never
	ResetAfter time.Duration // the time until the bucket is full
}
