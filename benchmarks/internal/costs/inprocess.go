package costs

import (
	"io"
	"net/http"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

const (
	limit     = 10 * time.Second
	bodyLimit = 1 << 20
)

func timeoutAsked(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Deadlines(limit, answers{asks: true}))
	if err != nil {
		return report.Section{}, err
	}
	goroutines, err := goroutines(stacks.Bulwark)
	return report.Section{
		Title: "A deadline, and a handler that asks for Done",
		About: interleaved + " The code by hand, chi and Echo enforce nothing.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 1.2),
			times(cs, stacks.Bulwark, stacks.TimeoutHandler, 0.5),
			allocs(cs, 7),
			report.AtMost("goroutines", "%.0f", 0, goroutines),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, err
}

// goroutines returns how many additional goroutines a waiting request with a
// deadline has.
func goroutines(name string) (float64, error) {
	ws, err := measure.Waiters{N: 100, Asks: true}.InFlight(1, get(), waitingDeadlines)
	for _, w := range ws {
		if w.Name == name {
			return w.Goroutines, err
		}
	}
	return 0, err
}

func timeoutUnasked(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Deadlines(limit, answers{}))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title: "A deadline, and a handler that never looks at its context",
		About: interleaved,
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 0.8),
			allocs(cs, 1),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func limitsBody(e Effort) (report.Section, error) {
	cs, err := e.interleave(post(), http.StatusOK, stacks.Bodies(bodyLimit, answers{reads: true}))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title: "A limit, and a body of 1 KiB",
		About: interleaved + " chi changes the server's own request, and Echo takes its reader from a pool; the others make a copy.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.MaxBytesHandler, 2.5),
			allocs(cs, 2),
		},
		Tables: []report.Table{table(cs, stacks.MaxBytesHandler)},
	}, nil
}

func limitsInStack(e Effort) (report.Section, error) {
	cs, err := e.interleave(post(), http.StatusOK, stacks.InStack(stacks.BodiesPlain(bodyLimit, answers{reads: true})))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title:  "The same limit inside other middleware of Bulwark",
		About:  inStack,
		Bounds: []report.Bound{times(cs, stacks.Bulwark, stacks.MaxBytesHandler, 1.2)},
		Tables: []report.Table{table(cs, stacks.MaxBytesHandler)},
	}, nil
}

func limitsPermit(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Permits(100, answers{}))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title:  "A limit of requests in flight, with room for one more",
		About:  interleaved,
		Tables: []report.Table{table(cs, "chi Throttle")},
	}, nil
}

func errmapAlone(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusNotFound, stacks.Errors())
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title: "An error, wrapped once, and the response to it",
		About: interleaved + " By hand is a chain of three errors.Is, and encoding/json. The bare handler sends the status without a body. Echo and huma only look for an error of their own type, and map nothing.",
		Bounds: []report.Bound{
			times(cs, stacks.Rules50, stacks.Floor, 1.3),
			report.AtMost("time with 500 rules, × with 5, within 10 %", "%.2f", 1.1, cs.Ratio(stacks.Rules500, stacks.Rules5).Value),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func errmapInStack(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusNotFound, stacks.InStack(stacks.ErrorsByHand()))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title:  "The same error inside other middleware of Bulwark",
		About:  inStack,
		Bounds: []report.Bound{times(cs, stacks.Rules50, stacks.Floor, 0.7)},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func loggingOn(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Loggers(io.Discard, false, answers{}))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title: "A log record in JSON",
		About: interleaved + " Bulwark and the code by hand log the same twelve attributes with log/slog. The others log what their documentation shows; zerolog has its own encoder.",
		Bounds: []report.Bound{
			times(cs, stacks.Bulwark, stacks.Floor, 1.1),
			allocs(cs, 4),
		},
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}

func loggingOff(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Loggers(io.Discard, true, answers{}))
	if err != nil {
		return report.Section{}, err
	}
	return report.Section{
		Title:  "A log record below the logger's level",
		About:  interleaved,
		Tables: []report.Table{table(cs, stacks.Floor)},
	}, nil
}
