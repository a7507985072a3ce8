//go:build wire

package faults_test

import "github.com/bulwark-go/bulwark/timeout"

// reset moves the deadline of a request from inside its handler.
var reset = timeout.Reset
