// Package interop proves with real libraries over real sockets what becomes of
// them behind the whole stack. It has tests only, and is a module of its own, so
// that nobody else gets these libraries.
package interop
