package clientaddr_test

import (
	"testing"

	"github.com/bulwark-go/bulwark/internal/clientaddr"
)

// For any two headers of a client, the address is the one that the trusted proxy
// appended, or that of a proxy.
func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4", `for="[2001:db8::1]:1";by=x, for=a`)
	f.Add(`,"`, `for="`)
	f.Add("1.2.3.4:5, [::1]", "for=1;;")
	f.Add("unix:", "for=unix:")
	rd := clientaddr.New(prefixes("10.0.0.0/8", "unix"))
	f.Fuzz(func(t *testing.T, xff, fwd string) {
		for _, h := range []struct{ xff, fwd []string }{
			{xff: []string{xff + ", 203.0.113.9"}},
			{xff: []string{xff, "203.0.113.9"}},
			{xff: []string{xff + ", 203.0.113.9, 10.0.0.2"}},
			{xff: []string{xff + ", 203.0.113.9, unix:"}},
			{fwd: []string{fwd + ", for=203.0.113.9"}},
			{fwd: []string{fwd, "for=203.0.113.9"}},
			{fwd: []string{fwd + `, for="203.0.113.9:1";proto=https, for=10.0.0.2`}},
			{xff: []string{xff + ", 203.0.113.9"}, fwd: []string{fwd}},
			{xff: []string{xff}, fwd: []string{fwd + ", for=203.0.113.9"}},
			{xff: []string{xff + ","}},
			{xff: []string{xff, ""}},
			{fwd: []string{fwd + ","}},
			{fwd: []string{fwd, " "}},
		} {
			for _, remote := range []string{"10.0.0.1:1", "@"} {
				switch got, _ := rd.Text(request(remote, h.xff, h.fwd)); got {
				case "203.0.113.9", "10.0.0.1", "10.0.0.2", "":
				default:
					t.Fatalf("%q %v gave %q", remote, h, got)
				}
			}
		}
	})
}
