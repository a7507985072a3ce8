package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		desc, name, email string
		want              []string // the wrong fields
	}{
		{"well", "Ada Lovelace", "ada@example.org", nil},
		{"nothing", "", "", []string{"/name", "/email"}},
		{"blank", " \t", "ada@example.org", []string{"/name"}},
		{"as long as it may be", strings.Repeat("ä", 100), "ada@example.org", nil},
		{"too long", strings.Repeat("ä", 101), "ada@example.org", []string{"/name"}},
		{"NUL", "A\x00da", "ada@example.org", []string{"/name"}},
		{"with a name", "Ada", "Ada <ada@example.org>", []string{"/email"}},
		{"no address", "Ada", "ada", []string{"/email"}},
		{"too long an address", "Ada", strings.Repeat("a", 250) + "@x.org", []string{"/email"}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			err := domain.NewUser{Name: tc.name, Email: tc.email}.Validate()
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			var invalid *domain.InvalidError
			require.ErrorAs(t, err, &invalid)
			var got []string
			for _, f := range invalid.Fields {
				assert.NotEmpty(t, f.Detail)
				got = append(got, f.Pointer)
			}
			assert.Equal(t, tc.want, got)
		})
	}
}
