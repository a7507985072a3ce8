package exchange

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Every move from every state, with and without an operation under way, is as the table
// in state.go says, and no move leaves a final state.
func TestMovesBetweenAllStates(t *testing.T) {
	want := map[state][]state{
		open:     {late, gone, aborted, upgraded, returned},
		aborted:  {late, returned},
		upgraded: {returned},
	}
	for from := open; from <= returned; from++ {
		for to := open; to <= returned; to++ {
			for _, flagged := range []state{0, writing, clientLeft, writing | clientLeft | leftFirst} {
				var w stateWord
				w.word.Store(uint32(from | flagged))
				was, ok := w.moveTo(to)
				allowed := false
				for _, s := range want[from] {
					allowed = allowed || s == to
				}
				assert.Equal(t, allowed, ok, "%v to %v", from, to)
				after := from
				if allowed {
					after = to
				}
				assert.Equal(t, after, w.load(), "%v to %v", from, to)
				assert.Equal(t, from|flagged, was, "%v to %v", from, to)
				assert.Equal(t, flagged&clientLeft != 0, w.has(clientLeft), "the flags stay")
			}
		}
	}
}

// A write starts only in open, and done reports whether the state is still open.
func TestWritingInAllStates(t *testing.T) {
	for s := open; s <= returned; s++ {
		var w stateWord
		w.word.Store(uint32(s | clientLeft))
		assert.Equal(t, s == open, w.startWriting(), "%v", s)
		if s != open {
			assert.Error(t, s.writeErr(), "%v", s)
			continue
		}
		assert.False(t, w.startWriting(), "one at a time")
		_, ok := w.moveTo(late)
		assert.True(t, ok)
		assert.False(t, w.stopWriting(), "it has ended meanwhile")
	}
	assert.Equal(t, http.ErrHandlerTimeout, late.writeErr())
	assert.Equal(t, http.ErrHijacked, upgraded.writeErr())
	assert.Equal(t, ErrClientGone, gone.writeErr())
}
