package stablehlo

// The cases of the enumerations, as programs write them. The index is the value.
var (
	directionNames    = [...]string{EQ: "EQ", NE: "NE", GE: "GE", GT: "GT", LE: "LE", LT: "LT"}
	compareTypeNames  = [...]string{NoCompareType: "NOTYPE", CompareFloat: "FLOAT", CompareTotalOrder: "TOTALORDER", CompareSigned: "SIGNED", CompareUnsigned: "UNSIGNED"}
	transposeNames    = [...]string{NoTranspose: "NO_TRANSPOSE", TransposeOnly: "TRANSPOSE", Adjoint: "ADJOINT"}
	fftNames          = [...]string{FFTForward: "FFT", FFTInverse: "IFFT", FFTReal: "RFFT", FFTInverseReal: "IRFFT"}
	precisionNames    = [...]string{PrecisionDefault: "DEFAULT", PrecisionHigh: "HIGH", PrecisionHighest: "HIGHEST"}
	distributionNames = [...]string{RNGUniform: "UNIFORM", RNGNormal: "NORMAL"}
	rngAlgorithmNames = [...]string{RNGDefault: "DEFAULT", RNGThreeFry: "THREE_FRY", RNGPhilox: "PHILOX"}
)

// String returns the direction as programs write it, such as "LT".
func (d Direction) String() string { return caseName(directionNames[:], int(d)) }

// String returns the type as programs write it, such as "TOTALORDER".
func (t CompareType) String() string { return caseName(compareTypeNames[:], int(t)) }

// String returns the transformation as programs write it, such as "ADJOINT".
func (t TransposeA) String() string { return caseName(transposeNames[:], int(t)) }

// String returns the transform as programs write it, such as "RFFT".
func (t FFTType) String() string { return caseName(fftNames[:], int(t)) }

// String returns the precision as programs write it, such as "HIGHEST".
func (p Precision) String() string { return caseName(precisionNames[:], int(p)) }

// String returns the distribution as programs write it, such as "UNIFORM".
func (d RNGDistribution) String() string { return caseName(distributionNames[:], int(d)) }

// String returns the generator as programs write it, such as "THREE_FRY".
func (a RNGAlgorithm) String() string { return caseName(rngAlgorithmNames[:], int(a)) }

func caseName(names []string, i int) string {
	if i >= len(names) || names[i] == "" {
		return "invalid"
	}
	return names[i]
}

// oneOf reads an enumeration attribute: the index of its case among names, or 0 with an error.
func (a *attrs) oneOf(attr string, names []string, needed bool) int {
	s := a.enum(attr)
	if s == "" {
		if needed {
			a.errorf("attribute %s is missing", attr)
		}
		return 0
	}
	for i, n := range names {
		if n == s {
			return i
		}
	}
	a.errorf("attribute %s has no case %q", attr, s)
	return 0
}

func (a *attrs) direction() Direction {
	return Direction(a.oneOf("comparison_direction", directionNames[:], true))
}

func (a *attrs) compareType() CompareType {
	return CompareType(a.oneOf("compare_type", compareTypeNames[:], false))
}

func (a *attrs) transpose() TransposeA {
	return TransposeA(a.oneOf("transpose_a", transposeNames[:], true))
}

func (a *attrs) fftType() FFTType { return FFTType(a.oneOf("fft_type", fftNames[:], true)) }

func (a *attrs) distribution() RNGDistribution {
	return RNGDistribution(a.oneOf("rng_distribution", distributionNames[:], true))
}

func (a *attrs) rngAlgorithm() RNGAlgorithm {
	return RNGAlgorithm(a.oneOf("rng_algorithm", rngAlgorithmNames[:], true))
}
