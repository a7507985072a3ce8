package interop_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// sent records what a connection was passed to read from by itself. net/http reaches
// sendfile that way: the reader is a part of a file.
type sent struct {
	*net.TCPConn
	files chan<- int64 // the bytes of each
}

func (c sent) ReadFrom(src io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(src)
	if part, ok := src.(*io.LimitedReader); ok {
		if _, ok := part.R.(*os.File); ok {
			c.files <- n
		}
	}
	return n, err
}

// directory has one file of 1 MiB.
func directory(t *testing.T) (dir string, content []byte, modified time.Time) {
	t.Helper()
	dir, content = t.TempDir(), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big.bin"), content, 0o600))
	modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "big.bin"), modified, modified))
	return dir, content, modified
}

// TestFileServer: conditions and ranges work in http.FileServer as without the stack.
func TestFileServer(t *testing.T) {
	dir, content, modified := directory(t)
	for _, tc := range []struct {
		desc   string
		method string
		path   string
		header string
		status int
		want   string // the body, not compared if it is a page of net/http
		page   bool
		fields map[string]string
	}{
		{desc: "whole", path: "/big.bin", status: 200, want: string(content), fields: map[string]string{"Content-Length": "1048576", "Accept-Ranges": "bytes"}},
		{desc: "range", path: "/big.bin", header: "Range: bytes=16-31", status: 206, want: "0123456789abcdef", fields: map[string]string{"Content-Range": "bytes 16-31/1048576"}},
		{desc: "end", path: "/big.bin", header: "Range: bytes=-4", status: 206, want: "cdef"},
		{desc: "range of another version", path: "/big.bin", header: "If-Range: Thu, 01 Jan 2026 00:00:00 GMT", status: 200, want: string(content)},
		{desc: "range past the end", path: "/big.bin", header: "Range: bytes=1048576-", status: 416, page: true, fields: map[string]string{"Content-Range": "bytes */1048576"}},
		{desc: "not modified", path: "/big.bin", header: "If-Modified-Since: " + modified.Format(http.TimeFormat), status: 304},
		{desc: "precondition", path: "/big.bin", header: "If-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT", status: 412},
		{desc: "HEAD", method: http.MethodHead, path: "/big.bin", status: 200, fields: map[string]string{"Content-Length": "1048576"}},
		{desc: "listing", path: "/", status: 200, page: true},
		{desc: "nothing there", path: "/small.bin", status: 404, page: true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				s := stack{}.serve(t, p, http.FileServer(http.Dir(dir)))
				header := []string{"Accept-Encoding: identity"}
				if tc.header != "" {
					header = append(header, tc.header)
				}
				method := tc.method
				if method == "" {
					method = http.MethodGet
				}
				res := s.do(s.request(t, method, tc.path, nil, header...)).whole(t)
				assert.Equal(t, tc.status, res.status)
				for name, value := range tc.fields {
					assert.Equal(t, value, res.header.Get(name), name)
				}
				if !tc.page {
					same(t, tc.want, res.body)
				}
				l := s.logged(t, tc.status, logging.OutcomeOK)
				assert.EqualValues(t, len(res.body), l.Out)
			})
		})
	}
}

// TestSendfile: on HTTP/1 without TLS a file is sent from the disk to the connection by
// the kernel, also through the stack, and through other middleware that keeps
// io.ReaderFrom. net/http itself sends the part that it needs to detect the type.
func TestSendfile(t *testing.T) {
	dir, content, _ := directory(t)
	for _, tc := range []struct {
		desc  string
		fs    http.FileSystem
		at    place
		mw    []wrapper
		kept  bool
		guest string
	}{
		{desc: "stack alone", fs: http.Dir(dir), kept: true},
		{desc: "otelhttp outside", fs: http.Dir(dir), at: outside, guest: "otelhttp", kept: true},
		{desc: "otelhttp inside", fs: http.Dir(dir), at: inside, guest: "otelhttp", kept: true},
		{desc: "promhttp outside", fs: http.Dir(dir), at: outside, guest: "promhttp", kept: true},
		{desc: "promhttp inside", fs: http.Dir(dir), at: inside, guest: "promhttp", kept: true},
		{desc: "rs/cors inside", fs: http.Dir(dir), at: inside, guest: "rs/cors", kept: true},
		{desc: "gzhttp inside", fs: http.Dir(dir), at: inside, guest: "gzhttp"},
		{desc: "chi Compress inside", fs: http.Dir(dir), at: inside, guest: "chi Compress"},
		// net/http wraps the files of an fs.FS, with or without the stack.
		{desc: "stack alone, fs.FS", fs: http.FS(os.DirFS(dir))},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			for _, g := range guests {
				if g.name == tc.guest {
					tc.mw = []wrapper{g.make()}
				}
			}
			require.Equal(t, tc.guest != "", tc.mw != nil)
			files := make(chan int64, 10)
			st := stack{at: tc.at, mw: tc.mw, wrap: func(c net.Conn) net.Conn { return sent{c.(*net.TCPConn), files} }}
			s := st.serve(t, http1, http.FileServer(tc.fs))
			res := s.get(t, "/big.bin", "Accept-Encoding: identity").whole(t)
			same(t, string(content), res.body)
			l := s.logged(t, 200, logging.OutcomeOK)
			assert.EqualValues(t, len(content), l.Out)
			close(files)
			var n int64
			for part := range files {
				n += part
			}
			if tc.kept {
				assert.Greater(t, n, int64(len(content)-4096), "what did not go through a buffer")
			} else {
				assert.Zero(t, n)
			}
		})
	}
}
