package affinethread

// static void glfwPollEvents(void) {}
// static void glClear(int mask) { (void)mask; }
// static int add(int a, int b) { return a + b; }
import "C"

import "runtime"

func loop(stop <-chan struct{}) {
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				C.glfwPollEvents() // want affine-thread:warning
			}
		}
	}()
}

func drawing() {
	go draw()
}

func draw() {
	C.glClear(1) // want affine-thread:warning
}

func locked() {
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		C.glClear(1)
	}()
}

func anyThread() {
	go func() { C.add(1, 2) }()
}

func caller() { C.glClear(1) }
