package measure

import (
	"fmt"
	"net/http"
	"time"
)

// Streamed describes the transfer of a long response.
type Streamed struct {
	Name  string
	First Spread // milliseconds to the first byte
	Peak  int64  // the largest increase of memory in all rounds, in bytes
}

// Stream reads a response of size bytes from each contender in turn.
func Stream(rounds int, size int64, cs []Contender) ([]Streamed, error) {
	all := make([]Streamed, len(cs))
	first := make([][]float64, len(cs))
	for round := range rounds {
		for turn := range cs {
			i := (turn + round) % len(cs)
			after, peak, err := stream(cs[i].Handler, size)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cs[i].Name, err)
			}
			first[i] = append(first[i], after.Seconds()*1e3)
			all[i].Peak = max(all[i].Peak, peak)
		}
	}
	for i, c := range cs {
		all[i].Name, all[i].First = c.Name, Of(first[i])
	}
	return all, nil
}

// stream reads a response and measures the memory meanwhile.
func stream(h http.Handler, size int64) (first time.Duration, peak int64, err error) {
	srv := server(h, false)
	defer srv.Close()
	before := inUseNow()
	start := time.Now()
	res, err := srv.Client().Get(srv.URL + Path)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	p := make([]byte, 64<<10)
	for got := int64(0); got < size; {
		n, err := res.Body.Read(p)
		if got == 0 {
			first = time.Since(start)
			peak = max(peak, inUseNow()-before)
		}
		if next := got + int64(n); got>>24 != next>>24 { // every 16 MiB
			peak = max(peak, inUseNow()-before)
		}
		if got += int64(n); err != nil && got < size {
			return 0, 0, fmt.Errorf("after %d bytes: %w", got, err)
		}
	}
	return first, peak, nil
}

// inUseNow returns the bytes in use after a garbage collection.
func inUseNow() int64 {
	m := memory()
	return int64(m.HeapAlloc + m.StackInuse)
}
