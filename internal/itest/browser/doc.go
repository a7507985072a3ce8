// Package browser tests the page of package inspect in a real browser. It is a
// separate module, so no other module requires chromedp.
//
//	go test ./internal/itest/browser -screenshots=/tmp/pages -traffic=2m
package browser
