module github.com/isthmus-ffi/isthmus/bench/langrt

go 1.26.0

replace github.com/isthmus-ffi/isthmus => ../..
