//go:build go1.27 && goexperiment.jsonv2

package errmap_test

import (
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/errmap"
)

// The errors of encoding/json/v2 are known as those of encoding/json are.
func TestErrorsOfJSONv2(t *testing.T) {
	type target struct {
		A int
		B struct{ C []int }
	}
	decode := func(body string) error {
		return jsonv2.UnmarshalRead(strings.NewReader(body), new(target))
	}
	for _, tt := range []struct{ desc, body, pointer string }{
		{"a type", `{"A":"x"}`, "/A"},
		{"a type, deep", `{"B":{"C":[1,"z"]}}`, "/B/C/1"},
		{"syntax", `{"B":{"C":[1,]}}`, "/B/C"},
		{"a repeated name", `{"A":1,"A":2}`, "/A"},
		{"truncated", `{"A":1`, ""},
		{"something behind", `{"A":1} x`, ""},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			err := fmt.Errorf("bind: %w", decode(tt.body))
			p := mapper().Problem(post("application/json", tt.body), err)
			assert.Equal(t, 400, p.Status)
			if assert.Len(t, p.Fields, 1) {
				assert.Equal(t, tt.pointer, p.Fields[0].Pointer)
			}
			assert.NotContains(t, fmt.Sprint(p.Detail, p.Fields), "Go ")
			assert.Equal(t, 500, mapper().Problem(get(), err).Status, "without a body it is another's")
		})
	}
	empty := httptest.NewRequest(http.MethodPost, "/", nil)
	assert.Equal(t, 400, mapper().Problem(empty, decode("")).Status)
	assert.Equal(t, 500, mapper().Problem(empty, decode("<html>")).Status)

	_, marshal := jsonv2.Marshal(map[string]any{"x": make(chan int)})
	assert.Equal(t, 500, mapper().Problem(post("application/json", "{}"), marshal).Status, "what cannot be encoded is ours")
	nothing := jsonv2.Unmarshal([]byte("{}"), (*int)(nil))
	assert.Equal(t, 500, mapper().Problem(post("application/json", "{}"), nothing).Status)
	assert.Equal(t, 418, mapper(errmap.As(func(*jsontext.SyntacticError) errmap.Problem { return errmap.Problem{Status: 418} })).
		Problem(post("application/json", "{"), decode("{")).Status, "a rule comes first")
}
