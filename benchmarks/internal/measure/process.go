package measure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ServeProcess runs a server in its own process. It serves h on loopback, and
// writes its address to out. For each line on in it writes the CPU time that the
// process has used so far, in nanoseconds. It returns at the end of in.
func ServeProcess(h http.Handler, in io.Reader, out io.Writer) error {
	srv := server(h, false)
	defer srv.Close()
	if _, err := fmt.Fprintln(out, srv.Listener.Addr()); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		used, err := cpuTime()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, int64(used)); err != nil {
			return err
		}
	}
	return nil
}

// process is a server that runs ServeProcess, with persistent connections to it.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	conns []*kept
}

// startProcess runs this program again with args, for which the program must call
// ServeProcess.
func startProcess(conns int, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(context.Background(), self, args...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.dial(conns); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func (p *process) dial(conns int) error {
	addr, err := p.out.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the server did not start: %w", err)
	}
	for range conns {
		c, err := keep(strings.TrimSpace(addr))
		if err != nil {
			return err
		}
		p.conns = append(p.conns, c)
	}
	return nil
}

// used returns the CPU time of the process so far.
func (p *process) used() (time.Duration, error) {
	if _, err := fmt.Fprintln(p.in); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	nanos, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(nanos), err
}

// end closes the connections and the input, and waits for the process.
func (p *process) end() error {
	for _, c := range p.conns {
		c.conn.Close()
	}
	p.in.Close()
	bark := time.AfterFunc(watchdog, func() { _ = p.cmd.Process.Kill() })
	defer bark.Stop()
	return p.cmd.Wait()
}

// kept is a persistent connection.
type kept struct {
	conn net.Conn
	r    *bufio.Reader
}

func keep(addr string) (*kept, error) {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &kept{conn, bufio.NewReader(conn)}, nil
}

// ask sends a request and reads the response, which must be a 200.
func (k *kept) ask(raw []byte) error {
	if _, err := k.conn.Write(raw); err != nil {
		return err
	}
	return skip200(k.r)
}
