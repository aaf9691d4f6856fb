package kernel

import "math/bits"

// threefryParity is the constant of the key schedule (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3").
const threefryParity = 0x1BD11BDA

func threefry(k0, k1 uint32, x0, x1 []uint32) {
	x1 = x1[:len(x0)]
	k2 := k0 ^ k1 ^ threefryParity
	for i := range x0 {
		a, b := x0[i]+k0, x1[i]+k1
		a, b = threefryRounds(a, b, 13, 15, 26, 6)
		a, b = threefryRounds(a+k1, b+k2+1, 17, 29, 16, 24)
		a, b = threefryRounds(a+k2, b+k0+2, 13, 15, 26, 6)
		a, b = threefryRounds(a+k0, b+k1+3, 17, 29, 16, 24)
		a, b = threefryRounds(a+k1, b+k2+4, 13, 15, 26, 6)
		x0[i], x1[i] = a+k2, b+k0+5
	}
}

func threefryRounds(a, b uint32, r0, r1, r2, r3 int) (uint32, uint32) {
	a += b
	b = bits.RotateLeft32(b, r0) ^ a
	a += b
	b = bits.RotateLeft32(b, r1) ^ a
	a += b
	b = bits.RotateLeft32(b, r2) ^ a
	a += b
	b = bits.RotateLeft32(b, r3) ^ a
	return a, b
}
