//go:build unix

package limits_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// If a process was stopped while a handler waits for a body, or the machine is too busy
// to run it, a client whose bytes have arrived is not slow, but one that sends nothing
// even then is (https://github.com/aspnet/KestrelHttpServer/issues/2855).
func TestStoppedProcessIsNotASlowClient(t *testing.T) {
	for _, p := range testhttp.Protocols {
		for _, tc := range []struct {
			desc string
			rest string // of the body, sent while the process is stopped
			more bool   // the body goes on, but nothing comes
			want int
		}{
			{"all bytes are there", xs(20_000), false, http.StatusOK},
			{"the end is there", "", false, http.StatusOK},
			{"nothing is there", "", true, http.StatusRequestTimeout},
			{"some are there", "xyz", true, http.StatusRequestTimeout},
		} {
			t.Run(p.String()+"/"+tc.desc, func(t *testing.T) {
				t.Parallel()
				cmd := exec.Command(os.Args[0], "-test.run=^$") // this test's own binary
				cmd.Env = append(os.Environ(), stoppable+"=1")
				out, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				defer func() {
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
				}()
				lines := bufio.NewScanner(out)
				require.True(t, lines.Scan())
				addr := lines.Text()

				tr := &http.Transport{Protocols: p.Unencrypted()}
				defer tr.CloseIdleConnections()
				body, w := io.Pipe()
				defer w.Close()
				status := make(chan int, 1)
				go func() {
					res, err := (&http.Client{Transport: tr, Timeout: testhttp.Patience}).Post("http://"+addr, "text/plain", body)
					if err != nil {
						status <- 0
						return
					}
					_ = res.Body.Close()
					status <- res.StatusCode
				}()
				_, err = io.WriteString(w, "x")
				require.NoError(t, err)
				require.True(t, lines.Scan())
				require.Equal(t, "reading", lines.Text())

				require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
				_, err = io.WriteString(w, tc.rest)
				require.NoError(t, err)
				if !tc.more {
					require.NoError(t, w.Close())
				}
				time.Sleep(1200 * time.Millisecond) // the time of another process, which no test can fake
				require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
				assert.Equal(t, tc.want, testhttp.Await(t, status))
			})
		}
	}
}
