module github.com/bulwark-go/bulwark/adapters/bulwarkgin

go 1.26
