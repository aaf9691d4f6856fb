// Command isthmus-vet runs isthmus's own analyzers under go vet:
//
//	go build -o isthmus-vet ./cmd/isthmus-vet
//	go vet -vettool=$PWD/isthmus-vet ./...
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/isthmus-ffi/isthmus/audit/rules/confine"
)

func main() { unitchecker.Main(confine.Analyzer) }
