//go:build go1.27 && goexperiment.jsonv2

package errmap

import (
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"errors"
	"io"
)

// builtinsJSONv2 returns the rules for the errors of encoding/json/v2 and jsontext,
// which Go 1.27 has unless GOEXPERIMENT=nojsonv2 is set.
func builtinsJSONv2() []Rule {
	return []Rule{
		badRequest("JSON v2 syntax", As(func(e *jsontext.SyntacticError) Problem {
			return invalidAt(string(e.JSONPointer), "is not valid JSON")
		})).about(ofJSON),
		badRequest("JSON v2 type", As(func(e *jsonv2.SemanticError) Problem {
			return invalidAt(string(e.JSONPointer), "is not a value that is accepted here")
		})).onlyIf(whenDecoding).about(ofRequestBody),
	}
}

// whenDecoding reports whether err is a mistake of the client. An error about a Go
// type has no JSON value.
func whenDecoding(err error) bool {
	e, ok := err.(*jsonv2.SemanticError) //nolint:errorlint // the walk unwraps
	return ok && e.JSONKind != 0
}

// isEmptyV2 reports whether err is the error that encoding/json/v2 returns for an
// empty input.
func isEmptyV2(err error) bool {
	e, ok := err.(*jsontext.SyntacticError) //nolint:errorlint // the walk unwraps
	return ok && e.ByteOffset == 0 && errors.Is(e.Err, io.ErrUnexpectedEOF)
}
