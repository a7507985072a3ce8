package timeout

// The parsers of bytes from outside, for the tests and the fuzz targets.
var (
	ParseGRPC    = parseGRPC
	ParseMillis  = parseMillis
	FormatBudget = formatBudget
)

const MaxBudget = maxBudget

var CallerBudget = callerBudget
