// Package release holds the script that tags a release and the test that what
// it tags can be had with go get. It is a module of its own so that it is not
// part of what is published: away from the repository it has nothing to test.
package release
