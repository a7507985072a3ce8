// Package logging writes one structured line a request that says what really
// went over the wire, and how it ended.
package logging
