package logging

import "time"

// NewID is newID for the tests.
func NewID() string { return newID(time.Now()) }
