package mlir

import "bytes"

// SplitInput cuts a test file at its lines "// -----", which stand between programs. The parts joined are src: each
// separator, a comment, opens the part behind it. So the line of a part's start is one more than the newlines before
// it, and [Options.FirstLine] of each part is that of the one before plus its newlines.
func SplitInput(src []byte) [][]byte {
	sep := []byte("// -----")
	var parts [][]byte
	start := 0
	for i := 0; i < len(src); {
		n := bytes.Index(src[i:], sep)
		if n < 0 {
			break
		}
		i += n
		line := bytes.LastIndexByte(src[start:i], '\n') + 1 + start
		if len(bytes.TrimSpace(src[line:i])) == 0 && line > start {
			parts = append(parts, src[start:line:line])
			start = line
		}
		i += len(sep)
	}
	return append(parts, src[start:])
}
