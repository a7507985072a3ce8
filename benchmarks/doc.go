// Command benchmarks compares Bulwark with other libraries: what they cost, and how
// requests end. It writes figures and plots to RESULTS.md. It writes the bounds for
// Bulwark, with their figures, to results.json, which -check reads:
//
//	go run ./benchmarks                       # all of it, some ten minutes
//	go run ./benchmarks -check                # prints what was held and missed
//	go run ./benchmarks -short -out /tmp      # a quick look
//	go run ./benchmarks -only stack,endings -out /tmp
//	go run ./benchmarks -check /tmp/results.json
//	go run ./benchmarks overload              # OVERLOAD.md, some ten minutes
//
// It is a separate module, so no other module requires the other libraries.
//
// Times vary on a shared machine, so the only absolute times that are checked are
// those promised to a client. Contenders take turns in one run. The report has the
// ratio of what each contender adds to a bare handler.
package main
