package objc

func system() libraries {
	return libraries{
		cxx:        []string{"/usr/lib/libc++abi.dylib", "/usr/lib/libc++.1.dylib"},
		objc:       []string{"/usr/lib/libobjc.A.dylib"},
		foundation: []string{"/System/Library/Frameworks/Foundation.framework/Foundation"},
	}
}
