//go:build unix

package servers

import "runtime"

// run waits for the process on the thread that started it, because the signal of
// dieWithParent is sent when that thread ends.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		_ = s.cmd.Wait() // the server is killed, so Wait returns an error
	}
}
