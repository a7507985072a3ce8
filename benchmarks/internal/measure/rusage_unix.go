//go:build unix

package measure

import (
	"syscall"
	"time"
)

// cpuTime returns the CPU time that this process has used so far, in user code and
// in the kernel.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
