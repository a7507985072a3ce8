module github.com/bulwark-go/bulwark

// The older of the two supported Go releases. net/http's deadlines, HTTP/2 and
// body draining changed in both, and every behaviour is tested on both.
go 1.26

require (
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.22.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
