package dl

import "golang.org/x/sys/windows"

// sysOpen looks for the library's own dependencies beside it and in the system folder, never in the working folder.
func sysOpen(path string) (uintptr, error) {
	h, err := windows.LoadLibraryEx(path, 0, windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS|windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR)
	if err != nil {
		// The flags need an absolute path; a bare name goes the plain way.
		h, err = windows.LoadLibrary(path)
	}
	return uintptr(h), err
}

func sysSymbol(handle uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(handle), name)
}
