package errmap

import (
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/uuid"
)

const urn = "urn:uuid:"

// instance returns a URN with the request id if that is a UUID, and otherwise with a
// new UUID, which the log record then has as problem_id.
func instance(x *exchange.Exchange) string {
	if x == nil {
		return urn + uuid.New(time.Now())
	}
	id := x.ID()
	if !uuid.Valid(id) {
		id = uuid.New(time.Now())
		x.Notes.SetProblemID(id)
	}
	return urn + id
}
