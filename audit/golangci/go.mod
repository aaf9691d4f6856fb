module github.com/isthmus-ffi/isthmus/audit/golangci

go 1.26.0

require (
	github.com/golangci/plugin-module-register v0.1.2
	github.com/isthmus-ffi/isthmus v0.0.0
	golang.org/x/tools v0.52.0
)

replace github.com/isthmus-ffi/isthmus => ../..
