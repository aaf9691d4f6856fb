// Command isthmus-vet runs the rules of isthmus audit under go vet, for builds that run that already:
//
//	go build -o isthmus-vet ./cmd/isthmus-vet
//	go vet -vettool=$PWD/isthmus-vet ./...
package main

import (
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/isthmus-ffi/isthmus/audit/rules"
)

func main() { unitchecker.Main(rules.All()...) }
