//go:build unix

package servers

import "runtime"

// run waits for the process on the thread that started it: the signal that
// dieWithParent asks for comes when that thread ends.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		_ = s.cmd.Wait() // it is killed
	}
}
