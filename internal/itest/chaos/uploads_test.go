package chaos_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// form is a multipart upload, whose file goes to a temporary file.
func form(d *draw, a *act) {
	const inMemory = 0
	size := d.between(1, maxBody-1000)
	a.what = fmt.Sprintf("%d bytes", size)
	const boundary = "================"
	a.send("--"+boundary+"\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"+
		a.text(size)+"\r\n--"+boundary+"--\r\n", d.maybe())
	a.req.Set("Content-Type", `multipart/form-data; boundary="`+boundary+`"`)
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if err := r.ParseMultipartForm(inMemory); err != nil {
			return err
		}
		f, err := r.MultipartForm.File["f"][0].Open()
		if err != nil {
			return err
		}
		defer f.Close()
		if got, err := io.ReadAll(f); err != nil || string(got) != a.text(size) {
			a.faultf("the file is %s, %v", shortened(string(got)), err)
		}
		return a.write(w, 200, some)
	}
	a.ok(200, a.text(some))
}

// tooLarge is a body that exceeds the limit, declared or not, and sent, or stalling at
// the limit.
func tooLarge(d *draw, a *act) {
	size, chunked, stalls := d.between(maxBody+1, 2*maxBody), d.maybe(), d.maybe()
	a.what = fmt.Sprintf("%d bytes, chunked %v, stalls %v", size, chunked, stalls)
	a.upload(size, chunked)
	a.handler = readAndWrite(some)
	if stalls {
		a.client = func(a *act, c client) raw.Answer {
			if c.begin(a) == nil {
				_ = c.send(a.up[:maxBody+1], false)
			}
			return c.receive(a.notices)
		}
	}
	a.traffic = &traffic{0, len(errorText(a.id, 413))}
	if chunked {
		a.traffic.in = maxBody + 1
		a.failed(413, "ok")
	} else {
		a.unrouted = true
		a.failed(413, "refused")
	}
}

// asksFirst sends its body after a 100 Continue.
func asksFirst(d *draw, a *act) {
	size := []int{d.between(1, maxBody), d.between(maxBody+1, 2*maxBody)}[d.IntN(2)]
	reads := d.maybe()
	a.what = fmt.Sprintf("%d bytes, reads %v", size, reads)
	a.upload(size, false)
	a.req.Set("Expect", "100-continue")
	a.handler = func(a *act, w http.ResponseWriter, r *http.Request) error {
		if !reads {
			return a.write(w, 403, some)
		}
		return readAndWrite(some)(a, w, r)
	}
	a.client = func(a *act, c client) raw.Answer {
		_ = c.begin(a)
		if reads && size <= maxBody {
			a.awaitOn(c, a.entered, "the handler") // it reads, and the server says 100
			_ = c.send(a.up, true)
		}
		return c.receive(a.notices)
	}
	switch {
	case size > maxBody:
		a.unrouted = true
		a.failed(413, "refused")
	case reads:
		a.ok(200, a.text(some))
	default:
		a.ok(403, a.text(some))
	}
}

func gzipped(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

func deflated(p []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(p)
	_ = w.Close()
	return b.Bytes()
}

var codings = map[string]func([]byte) []byte{
	"gzip": gzipped, "deflate": deflated, "gzip, gzip": func(p []byte) []byte { return gzipped(gzipped(p)) },
}

var codingNames = []string{"gzip", "deflate", "gzip, gzip"}

// readDecoded is the handler of an upload that was encoded.
func readDecoded(want string) func(*act, http.ResponseWriter, *http.Request) error {
	return func(a *act, w http.ResponseWriter, r *http.Request) error {
		got, err := io.ReadAll(r.Body)
		if !strings.HasPrefix(want, string(got)) || err == nil && len(got) != len(want) {
			a.faultf("the handler read %s, %v", shortened(string(got)), err)
		}
		if err != nil {
			return err
		}
		return a.write(w, 200, some)
	}
}

func encoded(d *draw, a *act) {
	coding, size := codingNames[d.IntN(3)], d.between(0, 200_000)
	a.what = fmt.Sprintf("%s, %d bytes", coding, size)
	a.send(string(codings[coding]([]byte(a.text(size)))), d.maybe())
	a.req.Set("Content-Encoding", coding)
	a.handler = readDecoded(a.text(size))
	a.ok(200, a.text(some))
	a.traffic = &traffic{len(a.up), some}
}

// bombs are 6 MiB of zeros, which any compressor encodes in less than maxBody.
var bombs = sync.OnceValue(func() map[string]string {
	all, zeros := map[string]string{}, make([]byte, 6<<20)
	for name, code := range codings {
		all[name] = string(code(zeros))
	}
	return all
})

func zipBomb(d *draw, a *act) {
	coding, chunked, stalls := codingNames[d.IntN(3)], d.maybe(), d.maybe()
	a.what = fmt.Sprintf("%s, chunked %v, stalls %v", coding, chunked, stalls)
	a.send(bombs()[coding], chunked)
	a.req.Set("Content-Encoding", coding)
	a.handler = func(_ *act, _ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}
	if stalls && coding != "gzip, gzip" { // for it a little is everything
		a.client = func(a *act, c client) raw.Answer {
			if c.begin(a) == nil {
				_ = c.send(a.up[:len(a.up)-1], false)
			}
			return c.receive(a.notices)
		}
	}
	a.failed(413, "ok")
}

// badCoding is a body that is not in its declared coding, or declares an unknown one.
func badCoding(d *draw, a *act) {
	text := a.text(d.between(100, 5000))
	packed := string(gzipped([]byte(text)))
	coding, body, status := "gzip", packed, 400
	switch kind := d.IntN(4); kind {
	case 0:
		a.what, body = "cut off", packed[:len(packed)-d.between(1, 20)]
	case 1:
		a.what, body = "something follows", packed+text
	case 2:
		a.what, body = "not encoded", text
	case 3:
		a.what, coding, status = "unknown", "br", 415
	}
	a.send(body, d.maybe())
	a.req.Set("Content-Encoding", coding)
	a.handler = readDecoded(text)
	if status == 400 {
		a.failed(400, "ok")
	} else {
		a.unrouted = true
		a.failed(415, "refused")
	}
}

// giantHeader exceeds our limit of bytes or fields, or the server's.
func giantHeader(d *draw, a *act) {
	a.handler = readAndWrite(some)
	a.unrouted = true
	fields, size := d.between(1, 8), maxHeader
	switch d.IntN(3) {
	case 0:
		fields, size = d.between(maxFields, 2*maxFields), 0
	case 1:
		fields, size = 40, 50_000
		if d.http2 { // much more ends the connection
			size = 34_000
		}
	}
	a.what = fmt.Sprintf("%d fields, %d bytes", fields, size)
	for i := range fields {
		a.req.Set(fmt.Sprintf("X-Field-%d", i), strings.Repeat("0", 1+size/fields))
	}
	if size > serverHead {
		a.serversOwn(431)
		return
	}
	a.failed(431, "refused")
}

func longURI(d *draw, a *act) {
	a.handler = readAndWrite(some)
	a.unrouted = true
	n := []int{d.between(maxURI, 2*maxURI), 50_000}[d.IntN(2)]
	if d.http2 { // there the target is a field, and a longer one ends the connection
		n = d.between(maxURI, 2*maxURI)
	}
	a.what = fmt.Sprintf("%d bytes", n)
	a.req.Path += "?q=" + strings.Repeat("q", n)
	if n > serverHead {
		a.serversOwn(431)
		return
	}
	a.failed(414, "refused")
}

// serversOwn is a response of net/http, which no middleware sees.
func (a *act) serversOwn(status int) {
	a.unseen = true
	body := map[int]string{431: "431 Request Header Fields Too Large", 400: "400 Bad Request"}[status]
	if a.entry.http2 {
		body = "<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>"
	}
	a.allow(verdict{status: status, end: whole, body: body})
}

// trickle sends too slowly, but does not stop.
func trickle(d *draw, a *act) {
	pause, chunked := d.ms(20, 100), d.maybe()
	a.what = fmt.Sprintf("a byte every %v, chunked %v", pause, chunked)
	a.upload(maxBody, chunked)
	a.handler = readAndWrite(some)
	a.client = func(a *act, c client) raw.Answer {
		if c.begin(a) != nil {
			return c.receive(a.notices)
		}
		done, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			t := time.NewTicker(pause)
			defer t.Stop()
			for i := 0; c.send(a.up[i:i+1], false) == nil; i++ {
				select {
				case <-t.C:
				case <-done:
					return
				}
			}
		}()
		defer func() { close(done); <-stopped }()
		return c.receive(a.notices)
	}
	a.failed(408, "ok")
}
