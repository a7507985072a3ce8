package exchange

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// An exchange fits the allocator's class of 768 bytes, eight of which are the
// allocator's own for an object with pointers of more than 512.
func TestSizeOfAnExchange(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 {
		assert.LessOrEqual(t, unsafe.Sizeof(Exchange{}), uintptr(768-8))
	}
}
