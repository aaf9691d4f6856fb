// Package after has the shape of the code after a bug was mended.
//
// Bug: a value that the caller owns is read and not destroyed
// Source: github.com/marcboeker/go-duckdb commit b646fbd
package after

/*
typedef struct _duckdb_value { void *internal; } *duckdb_value;
typedef void *duckdb_bind_info;
duckdb_value duckdb_bind_get_parameter(duckdb_bind_info i, unsigned long n);
long duckdb_get_int64(duckdb_value v);
void duckdb_destroy_value(duckdb_value *v);
*/
import "C"

func arguments(i C.duckdb_bind_info, n int) []int {
	out := make([]int, n)
	for k := range n {
		v := C.duckdb_bind_get_parameter(i, C.ulong(k))
		out[k] = int(C.duckdb_get_int64(v))
		C.duckdb_destroy_value(&v)
	}
	return out
}
