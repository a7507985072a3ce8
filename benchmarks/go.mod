module github.com/bulwark-go/bulwark/benchmarks

go 1.26

require (
	github.com/bulwark-go/bulwark v0.0.0
	github.com/go-chi/chi/v5 v5.5.0
	github.com/labstack/echo/v5 v5.4.4
)

require (
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace github.com/bulwark-go/bulwark => ../
