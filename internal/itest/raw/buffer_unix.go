//go:build unix

package raw

import "syscall"

func smallBuffer(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1) // the system's minimum
}
