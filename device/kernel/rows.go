package kernel

// RowKind names an operation on each row of a matrix.
type RowKind uint8

// The operations on rows.
const (
	Softmax RowKind = iota
	LogSoftmax
	RMSNorm   // source / sqrt(mean(source^2) + epsilon) * weight
	LayerNorm // (source - mean) / sqrt(variance + epsilon) * weight + bias
)

func (k RowKind) String() string {
	if names := [...]string{"softmax", "log softmax", "rms norm", "layer norm"}; int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Rows is an operation on rows of float32, one after the other in memory. Weight and Bias have an element for a column, or are nil.
type Rows struct {
	Kind           RowKind
	Rows, Columns  int
	Source, Result []float32
	Weight, Bias   []float32
	Epsilon        float32
}
