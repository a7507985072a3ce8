package clientaddr_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/clientaddr"
	"github.com/stretchr/testify/require"
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if s == "unix" {
			out = append(out, netip.Prefix{})
			continue
		}
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func request(remote string, xff, fwd []string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	if xff != nil {
		r.Header["X-Forwarded-For"] = xff
	}
	if fwd != nil {
		r.Header["Forwarded"] = fwd
	}
	return r
}

// Only a trusted proxy can change the client's address by a header.
//
// Reported elsewhere:
//   - a header renames any client, https://github.com/teamhanko/hanko/issues/2739
//   - X-Forwarded-For is believed, https://github.com/gin-gonic/gin/issues/2473
func TestClient(t *testing.T) {
	trusted := prefixes("10.0.0.0/8", "fd00::/8", "::ffff:172.16.0.0/108", "fe80::/64")
	unix := prefixes("10.0.0.0/8", "unix")
	for _, tt := range []struct {
		desc    string
		remote  string
		xff     []string
		fwd     []string
		trusted []netip.Prefix
		want    string
	}{
		{"no proxy is trusted by default", "10.0.0.1:1", []string{"1.2.3.4"}, nil, nil, "10.0.0.1"},
		{"an untrusted peer", "9.9.9.9:1", []string{"1.2.3.4"}, []string{"for=1.2.3.4"}, trusted, "9.9.9.9"},
		{"a trusted peer", "10.0.0.1:1", []string{"1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"from the right", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"through two proxies", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, nil, trusted, "1.2.3.4"},
		{"several headers", "10.0.0.1:1", []string{"6.6.6.6", "1.2.3.4", "10.0.0.2"}, nil, trusted, "1.2.3.4"},
		{"all trusted", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, nil, trusted, "10.0.0.3"},
		{"garbage on the right", "10.0.0.1:1", []string{"1.2.3.4, evil"}, nil, trusted, "10.0.0.1"},
		{"garbage behind a proxy", "10.0.0.1:1", []string{"evil, 10.0.0.2"}, nil, trusted, "10.0.0.2"},
		{"an empty last element", "10.0.0.1:1", []string{"6.6.6.6, "}, nil, trusted, "10.0.0.1"},
		{"an empty last element, nothing behind the comma", "10.0.0.1:1", []string{"6.6.6.6,"}, nil, trusted, "10.0.0.1"},
		{"a tab as the last element", "10.0.0.1:1", []string{"6.6.6.6,\t"}, nil, trusted, "10.0.0.1"},
		{"several empty elements", "10.0.0.1:1", []string{"6.6.6.6, ,"}, nil, trusted, "10.0.0.1"},
		{"an empty element behind a proxy", "10.0.0.1:1", []string{"6.6.6.6, , 10.0.0.2"}, nil, trusted, "10.0.0.2"},
		{"an empty last line", "10.0.0.1:1", []string{"6.6.6.6", ""}, nil, trusted, "10.0.0.1"},
		{"an empty line between", "10.0.0.1:1", []string{"6.6.6.6", " ", "10.0.0.2"}, nil, trusted, "10.0.0.2"},
		{"an empty first element", "10.0.0.1:1", []string{", 1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"an empty header", "10.0.0.1:1", []string{""}, nil, trusted, "10.0.0.1"},
		{"a port", "10.0.0.1:1", []string{"1.2.3.4:567"}, nil, trusted, "1.2.3.4"},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8::1]:567"}, nil, trusted, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8::1]"}, nil, trusted, "2001:db8::1"},
		{"an open bracket", "10.0.0.1:1", []string{"[2001:db8::1"}, nil, trusted, "10.0.0.1"},
		{"IPv4 in brackets", "10.0.0.1:1", []string{"[1.2.3.4]"}, nil, trusted, "10.0.0.1"},
		{"v4-mapped", "10.0.0.1:1", []string{"::ffff:1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"v4-mapped in hexadecimal", "10.0.0.1:1", []string{"::FFFF:102:304"}, nil, trusted, "1.2.3.4"},
		{"a v4-mapped peer is its IPv4 address", "[::ffff:203.0.113.1]:1", nil, nil, nil, "203.0.113.1"},
		{"a v4-mapped peer without port", "::ffff:203.0.113.1", nil, nil, trusted, "203.0.113.1"},
		{"an IPv6 peer in another spelling", "[2001:DB8:0::1]:1", nil, nil, nil, "2001:db8::1"},
		{"a v4-mapped proxy", "[::ffff:10.0.0.1]:1", []string{"1.2.3.4, ::ffff:10.0.0.2"}, nil, trusted, "1.2.3.4"},
		{"a v4-mapped prefix", "172.16.0.1:1", []string{"1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"a client with a zone", "10.0.0.1:1", []string{"fe80:1::1%eth0"}, nil, trusted, "10.0.0.1"},
		{"a trusted hop with a zone", "10.0.0.1:1", []string{"1.2.3.4, fe80::1%eth0"}, nil, trusted, "1.2.3.4"},
		{"a trusted hop with a zone, brackets and port", "10.0.0.1:1", []string{"1.2.3.4, [fd00::1%eth0]:80"}, nil, trusted, "1.2.3.4"},
		{"a trusted hop with a zone is the farthest", "10.0.0.1:1", []string{"fe80::1%eth0"}, nil, trusted, "fe80::1"},
		{"a peer with a zone", "[fd00::1%eth0]:1", []string{"1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"a client that is the peer, with a zone", "[fe80::7%eth0]:1", nil, nil, nil, "fe80::7%eth0"},
		{"no port", "192.0.2.7", nil, nil, nil, "192.0.2.7"},
		{"no port, IPv6", "2001:db8::7", nil, nil, nil, "2001:db8::7"},
		{"no port, IPv6 in brackets", "[2001:db8::7]", nil, nil, nil, "2001:db8::7"},
		{"no port, a trusted peer", "10.0.0.1", []string{"1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"no port, a trusted peer, IPv6", "fd00::1", []string{"1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"no port, a zone", "fe80::1%eth0", nil, nil, nil, "fe80::1%eth0"},
		{"no address", "proxy", nil, nil, nil, ""},
		{"a name with a port", "proxy:80", nil, nil, unix, ""},
		{"a Unix socket that is not trusted", "@", []string{"1.2.3.4"}, nil, trusted, ""},
		{"a Unix socket", "@", []string{"6.6.6.6, 1.2.3.4"}, nil, unix, "1.2.3.4"},
		{"a named Unix socket", "/run/proxy.sock", []string{"1.2.3.4"}, nil, unix, "1.2.3.4"},
		{"a nameless Unix socket", "", []string{"1.2.3.4"}, nil, unix, "1.2.3.4"},
		{"a Unix socket behind a trusted proxy", "@", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, nil, unix, "1.2.3.4"},
		{"a Unix socket and an empty element", "@", []string{"6.6.6.6,"}, nil, unix, ""},
		{"a Unix socket without headers", "@", nil, nil, unix, ""},
		{"a Unix socket with headers that disagree", "@", []string{"1.2.3.4"}, []string{"for=6.6.6.6"}, unix, ""},
		{"a hop over a Unix socket", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4, unix:"}, nil, unix, "1.2.3.4"},
		{"a hop over a Unix socket that is not trusted", "10.0.0.1:1", []string{"1.2.3.4, unix:"}, nil, trusted, "10.0.0.1"},
		{"unnamed peers are no reason to trust others", "9.9.9.9:1", []string{"1.2.3.4"}, nil, unix, "9.9.9.9"},
		{"Forwarded", "10.0.0.1:1", nil, []string{`for=6.6.6.6, For="[2001:db8::1]:47";proto=http;by=203.0.113.43`}, trusted, "2001:db8::1"},
		{"Forwarded in several headers", "10.0.0.1:1", nil, []string{"for=6.6.6.6", "for=1.2.3.4; host=a", "for=10.0.0.2"}, trusted, "1.2.3.4"},
		{"Forwarded unknown", "10.0.0.1:1", nil, []string{"for=6.6.6.6, for=unknown"}, trusted, "10.0.0.1"},
		{"Forwarded hidden", "10.0.0.1:1", nil, []string{"for=6.6.6.6, for=_hidden, for=10.0.0.2"}, trusted, "10.0.0.2"},
		{"Forwarded without for", "10.0.0.1:1", nil, []string{"for=6.6.6.6, proto=https"}, trusted, "10.0.0.1"},
		{"Forwarded with an empty last element", "10.0.0.1:1", nil, []string{"for=6.6.6.6, "}, trusted, "10.0.0.1"},
		{"Forwarded with an empty element", "10.0.0.1:1", nil, []string{"for=6.6.6.6, , for=10.0.0.2"}, trusted, "10.0.0.2"},
		{"Forwarded with an empty last line", "10.0.0.1:1", nil, []string{"for=6.6.6.6", ""}, trusted, "10.0.0.1"},
		{"Forwarded with an open quote", "10.0.0.1:1", nil, []string{`for="6.6.6.6, for=1.2.3.4`}, trusted, "10.0.0.1"},
		{"Forwarded with a quote that swallows", "10.0.0.1:1", nil, []string{`for=6.6.6.6;x=", for="[2001:db8::1]"`}, trusted, "10.0.0.1"},
		{"Forwarded twice in one", "10.0.0.1:1", nil, []string{"for=1.2.3.4;for=6.6.6.6"}, trusted, "10.0.0.1"},
		{"both and they agree", "10.0.0.1:1", []string{"1.2.3.4"}, []string{"for=1.2.3.4"}, trusted, "1.2.3.4"},
		{"both and they do not", "10.0.0.1:1", []string{"1.2.3.4"}, []string{"for=6.6.6.6"}, trusted, "10.0.0.1"},
		{"an empty one and another", "10.0.0.1:1", []string{""}, []string{"for=6.6.6.6"}, trusted, "10.0.0.1"},
		{"too many hops", "10.0.0.1:1", []string{"1.2.3.4" + strings.Repeat(",10.0.0.2", 40)}, nil, trusted, "10.0.0.2"},
		{"too many lines", "10.0.0.1:1", append([]string{"1.2.3.4"}, strings.Split(strings.Repeat("10.0.0.2,", 40)+"10.0.0.2", ",")...), nil, trusted, "10.0.0.2"},
		{"an element longer than any address", "10.0.0.1:1", []string{"6.6.6.6, " + strings.Repeat(" ", 1<<20)}, nil, trusted, "10.0.0.1"},
		{"a long line before the client", "10.0.0.1:1", []string{strings.Repeat("x", 1<<20) + ", 1.2.3.4"}, nil, trusted, "1.2.3.4"},
		{"a long Forwarded", "10.0.0.1:1", nil, []string{strings.Repeat("for=6.6.6.6,", 1000) + "for=1.2.3.4"}, trusted, "10.0.0.1"},
		{"long lines of Forwarded before the client", "10.0.0.1:1", nil, []string{strings.Repeat("for=6.6.6.6,", 1000), "for=1.2.3.4"}, trusted, "1.2.3.4"},
		{"a long zone", "10.0.0.1:1", []string{"1.2.3.4, fe80::1%" + strings.Repeat("e", 200)}, nil, trusted, "10.0.0.1"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			rd := clientaddr.New(tt.trusted)
			r := request(tt.remote, tt.xff, tt.fwd)

			client, peer := rd.Addrs(r)
			if tt.want == "" {
				require.False(t, client.IsValid(), client)
			} else {
				require.Equal(t, tt.want, client.String())
			}

			text, peerText := rd.Text(r)
			require.Equal(t, tt.want, text)
			switch {
			case client == peer, !peer.IsValid():
				require.Empty(t, peerText)
			default:
				require.Equal(t, peer.String(), peerText)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	rd := clientaddr.New(prefixes("10.0.0.0/8", "unix"))
	for _, tt := range []struct{ desc, remote, client, peer string }{
		{"a proxy", "10.0.0.1:1", "1.2.3.4", "10.0.0.1"},
		{"a v4-mapped proxy", "[::ffff:10.0.0.1]:1", "1.2.3.4", "10.0.0.1"},
		{"a Unix socket", "@", "1.2.3.4", ""},
		{"a client", "9.9.9.9:1", "9.9.9.9", ""},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			client, peer := rd.Text(request(tt.remote, []string{"1.2.3.4"}, nil))
			require.Equal(t, tt.client, client)
			require.Equal(t, tt.peer, peer)
		})
	}
}

func TestTextAllocatesForAReportedClientOnly(t *testing.T) {
	none, proxy := clientaddr.New(nil), clientaddr.New(prefixes("10.0.0.0/8"))
	for _, tt := range []struct {
		desc   string
		rd     clientaddr.Reader
		remote string
		want   float64
	}{
		{"IPv4", none, "9.9.9.9:1", 0},
		{"IPv6", none, "[2001:db8::1]:1", 0},
		{"a zone", none, "[fe80::1%eth0]:1", 0},
		{"a proxy", proxy, "10.0.0.1:1", 1},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := request(tt.remote, []string{"1.2.3.4"}, nil)
			require.LessOrEqual(t, testing.AllocsPerRun(100, func() { tt.rd.Text(r) }), tt.want)
		})
	}
}

func TestReaderCopiesTheList(t *testing.T) {
	list := prefixes("10.0.0.0/8")
	rd := clientaddr.New(list)
	list[0] = netip.MustParsePrefix("192.168.0.0/16")
	client, _ := rd.Text(request("10.0.0.1:1", []string{"1.2.3.4"}, nil))
	require.Equal(t, "1.2.3.4", client)
}

func TestValidate(t *testing.T) {
	require.NoError(t, clientaddr.Validate(prefixes("10.0.0.0/8", "unix", "::/0")))
	bad := netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 33)
	require.EqualError(t, clientaddr.Validate([]netip.Prefix{bad, {}}), "the prefix of 10.0.0.1 has no valid length")
}

// A handler that sets RemoteAddr from a header must not turn a TCP connection into a
// trusted Unix socket.
func TestUnixSocketIsRecognizedByTheListener(t *testing.T) {
	rd := clientaddr.New(prefixes("unix"))
	r := request("@", []string{"1.2.3.4"}, nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}))
	client, _ := rd.Addrs(r)
	require.False(t, client.IsValid())
}

func TestUnixSocketServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatalf("no Unix socket: %v", err)
	}
	rd := clientaddr.New(prefixes("unix"))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _ := rd.Text(r)
		_, _ = w.Write([]byte(client))
	}))
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	defer srv.Close()

	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer tr.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://service/", nil)
	require.NoError(t, err)
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 1.2.3.4")
	res, err := tr.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body := make([]byte, 64)
	n, _ := res.Body.Read(body)
	require.Equal(t, "1.2.3.4", string(body[:n]))
}
