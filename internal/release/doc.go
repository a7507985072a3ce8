// Package release has the scripts that tag a release, and a test that the tagged
// modules can be downloaded with go get. It is a separate module, so it is not
// published with the core: outside the repository there is nothing to test.
package release
