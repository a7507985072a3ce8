module github.com/bulwark-go/bulwark

// The older of the two supported Go releases. net/http's deadlines, HTTP/2 and
// body draining changed in both, and every behaviour is tested on both.
go 1.26
