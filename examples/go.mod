module github.com/bulwark-go/bulwark/examples

go 1.26

require (
	github.com/bulwark-go/bulwark v0.0.0
	github.com/bulwark-go/bulwark/adapters/bulwarkecho v0.0.0
	github.com/bulwark-go/bulwark/adapters/bulwarkgin v0.0.0
)

replace (
	github.com/bulwark-go/bulwark => ../
	github.com/bulwark-go/bulwark/adapters/bulwarkecho => ../adapters/bulwarkecho
	github.com/bulwark-go/bulwark/adapters/bulwarkgin => ../adapters/bulwarkgin
)
