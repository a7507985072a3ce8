package costs

import (
	"net/http"

	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func metrics(e Effort) (report.Section, error) {
	cs, err := e.interleave(get(), http.StatusOK, stacks.Metrics(answers{}))
	if err != nil {
		return report.Section{}, err
	}
	s := report.Section{
		Title:  "Metrics",
		About:  interleaved + " \"Beside a log record\" is what the metrics add to logging in JSON. \"Without a log record\", logging writes nothing and only makes the Record. promhttp counts the requests in flight and observes the duration by status and method. otelhttp makes no spans.",
		Tables: []report.Table{table(cs, stacks.Promhttp)},
	}
	for _, peer := range []string{stacks.Promhttp, stacks.Otelhttp} {
		for _, ours := range []string{stacks.Prometheus, stacks.OpenTelemetry} {
			s.Bounds = append(s.Bounds, report.AtMost(ours+": time, × "+peer, "%.2f", 1, cs.Ratio(ours, peer).Value))
		}
	}
	return s, nil
}
