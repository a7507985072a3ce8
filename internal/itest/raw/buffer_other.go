//go:build !unix

package raw

func smallBuffer(uintptr) {}
