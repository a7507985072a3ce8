package endings

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// server counts the requests that are in its handlers, including abandoned ones.
type server struct {
	http.Server
	served sync.WaitGroup
}

func listen(h http.Handler, writeTimeout time.Duration) (*server, string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := &server{}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.served.Add(1)
		defer s.served.Done()
		h.ServeHTTP(w, r)
	})
	s.ReadHeaderTimeout, s.WriteTimeout = watchdog, writeTimeout
	s.ErrorLog = log.New(io.Discard, "", 0)
	go func() { _ = s.Serve(ln) }()
	return s, ln.Addr().String(), nil
}

// end waits for the requests in flight, because they are logged when their handlers
// return. It waits no longer than the watchdog.
func (s *server) end() {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	_ = s.Shutdown(ctx)
	_ = s.Close()
	done := make(chan struct{})
	go func() { s.served.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// logged returns what the log says of a request: the status of each record that
// has one, and the outcome if the library logs one.
func (s Scenario) logged(stack stacks.Stack, log []byte) string {
	if stack.Status == "" {
		return ""
	}
	var said []string
	for line := range strings.Lines(string(log)) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil || stack.Message != "" && fields["msg"] != stack.Message {
			continue
		}
		status := field(fields, stack.Status)
		outcome := field(fields, stack.Outcome)
		switch {
		case status == "" && outcome == "": // a record that is not about a request
		case status == "":
			said = append(said, outcome)
		default:
			said = append(said, strings.TrimSpace(status+" "+outcome))
		}
	}
	if len(said) == 0 {
		return "no line"
	}
	if s.Log != nil {
		return s.Log(log)
	}
	return strings.Join(said, "; ")
}

// field returns the value under a path of keys, or under a key with dots in it.
func field(fields map[string]any, path string) string {
	if v, ok := fields[path]; ok {
		return fmt.Sprint(v)
	}
	head, rest, ok := strings.Cut(path, ".")
	if inner, isMap := fields[head].(map[string]any); ok && isMap {
		return field(inner, rest)
	}
	return ""
}
