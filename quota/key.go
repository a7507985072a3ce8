package quota

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"

	"github.com/bulwark-go/bulwark/internal/clientaddr"
)

// ByAddress returns a [Config].Key that returns the IP address of the client. If
// the connection comes from a trusted proxy, that is the address that the proxy
// reports in X-Forwarded-For or Forwarded. Entries are read from right to left, up
// to the first one that is not a trusted proxy, so a client cannot choose its key.
// If a request has both headers and they disagree, it counts for the proxy, because
// one of them is the client's. So let the proxy remove the header that it does not
// set, or each client can use the bucket of the proxy besides its own. Do not list a
// proxy that sets neither. The zero Prefix stands for proxies that connect over a Unix
// socket.
//
// All addresses of an IPv6 /64 have the same key, because one client usually has all
// of them. IPv4-mapped IPv6 addresses count as IPv4. Clients without a known address,
// for example on a Unix socket that is not trusted, share one key.
//
// ByAddress panics if a prefix is neither valid nor zero.
func ByAddress(trusted ...netip.Prefix) func(*http.Request) string {
	if err := clientaddr.Validate(trusted); err != nil {
		panic("quota: ByAddress: " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	reader := clientaddr.New(trusted)
	return func(r *http.Request) string {
		client, _ := reader.Addrs(r)
		switch {
		case !client.IsValid():
			return "unknown"
		case client.Is4():
			return client.String()
		}
		return netip.PrefixFrom(client.WithZone(""), 64).Masked().String()
	}
}

const (
	maxKey = 64        // longer keys are hashed in a shared Store
	hashed = "sha256:" // the prefix of hashed keys
)

// sharedKey returns the key in a shared Store: the policy's name, a colon and the
// key. A long or unusual key is replaced by its SHA-256: a client may choose the
// length of a key, and braces in a key would select a node of the cluster.
func (p *policy) sharedKey(key string) string {
	if len(key) > maxKey || strings.HasPrefix(key, hashed) || strings.ContainsFunc(key, unusual) {
		sum := sha256.Sum256([]byte(key))
		key = hashed + hex.EncodeToString(sum[:])
	}
	return p.prefix + key
}

func unusual(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`{}*?[]\"`, r) }

// keyPrefix returns the prefix for a name. Different names have different prefixes.
func keyPrefix(name string) string {
	return strings.NewReplacer("%", "%25", ":", "%3A", "{", "%7B", "}", "%7D", " ", "%20").Replace(name) + ":"
}
