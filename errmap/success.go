package errmap

import (
	"net/http"
	"strings"
)

// dropSuccess removes the headers of the response that is not sent: those that
// describe its content, its transfer and its caching. status is the status of the
// error response.
func dropSuccess(h http.Header, status int) {
	dropAnnounced(h)
	for k, values := range h {
		switch {
		case isCacheControl(k):
			if kept := forbidding(values); kept != "" {
				h[k] = []string{kept}
			} else {
				delete(h, k)
			}
		case k == "Content-Range" && status == http.StatusRequestedRangeNotSatisfiable && unsatisfied(values):
		case (k == "Expires" || k == "X-Accel-Expires") && len(values) == 1 && values[0] == "0": // forbids caching
		case ofSuccess(k), strings.HasPrefix(k, http.TrailerPrefix):
			delete(h, k)
		}
	}
}

// ofSuccess reports whether a header describes the response that is not sent.
func ofSuccess(k string) bool {
	switch k {
	case "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
		"Content-Disposition", "Content-Location", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest",
		"Etag", "Last-Modified", "Expires", "Age", "Accept-Ranges", "Location", "Refresh", "Trailer",
		// Instructions for a server in front: nginx, Apache, lighttpd, h2o.
		"X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Charset", "X-Accel-Limit-Rate", "X-Accel-Buffering",
		"X-Sendfile", "X-Sendfile2", "X-Lighttpd-Send-File", "X-Lighttpd-Send-Tempfile", "X-Reproxy-Url", "X-Reproxy-File",
		"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin":
		return true
	default:
		return false
	}
}

// isCacheControl reports whether a header says who may cache the response:
// Cache-Control (RFC 9111 section 5.2), the headers for one kind of cache (RFC
// 9213, such as CDN-Cache-Control and Cloudflare-CDN-Cache-Control), and the older
// Surrogate-Control and Edge-Control.
func isCacheControl(k string) bool {
	return k == "Cache-Control" || k == "Surrogate-Control" || k == "Edge-Control" || strings.HasSuffix(k, "-Cache-Control")
}

// forbidding returns the directives that forbid caching. If outer middleware sets
// no-store, it applies to errors, too.
func forbidding(values []string) string {
	var kept []string
	for _, list := range values {
		for rest := list; rest != ""; {
			var directive string
			directive, rest = cut(rest, ',')
			directive = strings.Trim(directive, " \t")
			name, _, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "no-store", "no-cache", "private":
				kept = append(kept, directive)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// unsatisfied reports whether a Content-Range is one for a 416, which has only the
// length of the file (RFC 9110 section 14.4).
func unsatisfied(values []string) bool {
	return len(values) == 1 && strings.Contains(values[0], "*/")
}

// dropAnnounced removes the values of the trailers that were announced.
func dropAnnounced(h http.Header) {
	for _, list := range h["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
}
