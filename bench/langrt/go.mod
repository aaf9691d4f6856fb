module github.com/isthmus-ffi/isthmus/bench/langrt

go 1.26.0

require github.com/isthmus-ffi/isthmus v0.0.0-00010101000000-000000000000

require github.com/asynkron/protoactor-go v0.0.0-20240822202345-3c0e61ca19c9 // indirect

replace github.com/isthmus-ffi/isthmus => ../..
