module github.com/bulwark-go/bulwark/adapters/bulwarkecho

go 1.26
