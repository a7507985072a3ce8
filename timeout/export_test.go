package timeout

// What bytes from outside go through, for the tests and the fuzzer.
var (
	ParseGRPC    = parseGRPC
	ParseMillis  = parseMillis
	FormatBudget = formatBudget
)

const MaxBudget = maxBudget
