package statusdropped

/*
static int set(int k, int v) { return k < 0 ? -1 : 0; }
static int print(int v) { return v; }
*/
import "C"

import "errors"

func one() error {
	if C.set(1, 2) != 0 {
		return errors.New("set")
	}
	return nil
}

func two() error {
	if C.set(2, 3) != 0 {
		return errors.New("set")
	}
	return nil
}

func three() bool { return C.set(3, 4) == 0 }

func bad() {
	C.set(-1, 0) // want status-dropped:warning
	C.print(1)
}
