//go:build !darwin

package objc

import "os"

// system is GNUstep, or the libraries that the environment names: the doubles of Apple's runtime.
func system() libraries {
	l := libraries{
		cxx:        []string{"libstdc++.so.6"},
		objc:       []string{"libobjc.so.4"},
		foundation: []string{"libgnustep-base.so.1.28", "libgnustep-base.so.1.31", "libgnustep-base.so.1.30", "libgnustep-base.so.1.29", "libgnustep-base.so"},
	}
	if o, f := os.Getenv("ISTHMUS_OBJC"), os.Getenv("ISTHMUS_FOUNDATION"); o != "" && f != "" {
		l.objc, l.foundation = []string{o}, []string{f}
	}
	return l
}
