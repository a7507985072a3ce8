package measure

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// CPU is the CPU time that a server's process takes for a request.
type CPU struct {
	Name  string
	Nanos Spread
	nanos []float64 // by round
}

// CPUs are the results of one interleaved run.
type CPUs []CPU

// Of returns the result of a server. It panics if there is none.
func (cs CPUs) Of(name string) CPU {
	for _, c := range cs {
		if c.Name == name {
			return c
		}
	}
	panic("measure: no server " + name)
}

// Ratio returns the time of one server as a multiple of the time of the other.
func (cs CPUs) Ratio(name, to string) Ratio { return ratio(cs.Of(name).nanos, cs.Of(to).nanos) }

// CPU puts the load on servers in turns. Each server has persistent connections and
// its own process, which is this program with the arguments command and the
// server's name. In each turn Requests requests are sent, one after another on each
// connection. For is the watchdog. All CPU time of the process counts, including
// the garbage collector and the runtime.
func (l Load) CPU(rounds int, raw []byte, command string, names []string) (_ CPUs, err error) {
	if _, err := cpuTime(); err != nil { // the servers could not measure it either
		return nil, err
	}
	cs, servers := make(CPUs, len(names)), make([]*process, len(names))
	for i, name := range names {
		p, startErr := startProcess(l.Conns, command, name)
		if startErr != nil {
			return nil, fmt.Errorf("%s: %w", name, startErr)
		}
		defer func() { err = errors.Join(err, p.end()) }()
		cs[i].Name, servers[i] = name, p
		if _, err := l.turn(p, raw); err != nil { // for one-time initialization
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for round := range rounds {
		for turn := range servers {
			i := (turn + round) % len(servers)
			nanos, err := l.turn(servers[i], raw)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cs[i].Name, err)
			}
			cs[i].nanos = append(cs[i].nanos, nanos)
		}
	}
	for i := range cs {
		cs[i].Nanos = Of(append([]float64(nil), cs[i].nanos...))
	}
	return cs, nil
}

// turn returns the nanoseconds of CPU time for each request.
func (l Load) turn(p *process, raw []byte) (float64, error) {
	before, err := p.used()
	if err != nil {
		return 0, err
	}
	each := l.Requests / l.Conns
	errs := make([]error, len(p.conns))
	var all sync.WaitGroup
	for i, c := range p.conns {
		all.Go(func() {
			errs[i] = c.conn.SetDeadline(time.Now().Add(l.For))
			for n := 0; n < each && errs[i] == nil; n++ {
				errs[i] = c.ask(raw)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	after, err := p.used()
	return float64(after-before) / float64(each*l.Conns), err
}
