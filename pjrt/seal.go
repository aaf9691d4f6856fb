package pjrt

import (
	"crypto/sha256"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
)

// A plugin takes the bytes of a compiled program at their word: of 300 copies with one bit turned round, XLA's CPU plugin
// ended the process on 6, and computed something else with 3. So they are kept sealed: a mark, the SHA-256 of the bytes, the bytes.
const (
	sealMark = "isthmus pjrt executable, sha256\n"
	sealSize = len(sealMark) + sha256.Size
)

// seal begins b, which the caller gives up, with the seal.
func seal(b []byte) []byte {
	sum := sha256.Sum256(b)
	out := make([]byte, 0, sealSize+len(b))
	return append(append(append(out, sealMark...), sum[:]...), b...)
}

// unseal gives the plugin's bytes. Those of other clients of PJRT have no seal, and are given as they are.
func unseal(op string, b []byte) ([]byte, error) {
	head := b[:min(len(b), len(sealMark))]
	same := 0
	for i := range head {
		if head[i] == sealMark[i] {
			same++
		}
	}
	if 2*same <= len(head) { // a damaged seal is more alike
		return b, nil
	}
	if len(b) > sealSize && same == len(sealMark) {
		if sum := sha256.Sum256(b[sealSize:]); string(sum[:]) == string(b[len(sealMark):sealSize]) {
			return b[sealSize:], nil
		}
	}
	return nil, fmt.Errorf("pjrt: %s: the %d bytes are not those that Serialize gave: they were damaged or cut: %w; compile the program again", op, len(b), isthmus.ErrInvalid)
}
