package main

import "regexp"

// rule is a word or a construction that does not occur in comments, documents and
// messages.
type rule struct {
	pattern *regexp.Regexp
	instead string
}

// rules are only what can be checked without knowing what a sentence means. The rest
// is for review: see "Rules" in CONTRIBUTING.md.
var rules = []rule{
	text(`\b([Nn]o|[Ss]ome|[Aa]ny)body\b|\b[Ww]ho(so)?m?ever\b`, "name the actor: the client, the handler, the caller, you"),
	word(`one's own|a \w+ of one's own`, "your own, its own, custom"),
	word(`farewell|courtesy|seldom`, "a plain word"),
	word(`further (out|in)|what stands (outside|inside|around)`, "outside, inside, around"),
	word(`tells? of|(is|are|was|were|being) told (of|by|that|to)|is never told`, "describe, report, say"),
	word(`as (it|they|he) (likes?|pleases?)|(it|they|client|clients) pleases?`, "any, without limit"),
	word(`for ever`, "forever"),
	word(`one after the other`, "one at a time, in order"),
	word(`log lines?|the line (says|has|is written|of a request)`, "log record"),
	word(`tells? (whether|us)`, "report"),
	word(`hands? (on|inward)`, "pass on"),
	word(`depart(s|ed|ures?)`, "disconnect, end"),
	word(`lets? (it|them|him) know`, "tell"),

	// A condition begins with if or when.
	text(`(^|[.:;] |// |\* |\| )Where (it|its|there|they|nothing|none|no|one|only|both|that|this|we|you|a|an) `, "if, when"),
	text(`\b(nil|none|zero|0|-1|""|true|false) where\b`, "if, when"),
	text(`, (also|not|and|but|only|even|except) where (it|there|they|nothing|none|no) `, "if, when"),
	text(`\bwhere (nothing|none|neither|a test fails)\b|\bmatters?( only)? where\b`, "if, when"),

	// The possessive with an infinitive.
	text(`\b\w+(’s|'s|s') to (bound|choose|close|count|decide|end|judge|keep|know|repeat|say|set|tell)\b`, "say who must do it"),

	// American spelling, as in the standard library.
	word(`behaviours?|recognis\w+|(dis)?honour\w*|favour\w*|colours?|neighbours?|centre[ds]?|`+
		`authoris\w+|minimis\w+|normalis\w+|initialis\w+|serialis\w+|optimis(e|es|ed|ing|ation)|summaris\w+|`+ //nolint:misspell // they are
		`cancelled|cancelling|whilst|judgement`, "the American spelling"),

	// A test is named after a fault or a behavior, in words that need no explanation.
	text(`^func (Test|Fuzz|Benchmark|Example)[A-Z]{1,2}[0-9]+_`, "a name that says the fault or the behavior"),
	text(`^func (Test|Fuzz)\w*(IsTold|IsNo[A-Z]|ThatLeaves|InThe(Log)?Line|Where[A-Z])`,
		"Is reported, IsNot, Disconnect, LogRecord, If"),
}

// word matches whole words, in any case.
func word(pattern, instead string) rule {
	return rule{regexp.MustCompile(`(?i)\b(` + pattern + `)\b`), instead}
}

// text matches exactly.
func text(pattern, instead string) rule {
	return rule{regexp.MustCompile(pattern), instead}
}
