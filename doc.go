// Package isthmus is the vocabulary that every boundary of this module shares: sentinel errors, the check mode,
// the census of live native objects, and reports of what went wrong where no caller can be told.
//
// # Census
//
// Every native object that the module owns is entered in a process-wide census when it is made and leaves it when
// it is destroyed, with its kind and the place that made it. [Live] returns what is alive now:
//
//	if err := isthmus.Live().Err(); err != nil {
//		log.Fatal(err) // names every object and its creation site
//	}
//
// # Check mode
//
// How much is watched is one process-wide setting, [SetCheck]. Packages do not read it from the environment, but for the
// language runtime, whose program may be in C; a program that wants that says so itself:
//
//	c, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK"))
//	if err != nil {
//		return err
//	}
//	isthmus.SetCheck(c)
//
// # Reports
//
// A forgotten Close is noticed on a goroutine of the garbage collector, a panicking callback below a C frame:
// there is nobody to return an error to. Such problems become a [Report] handed to the function set by
// [SetReporter]; until one is set they go to [log/slog]'s default logger.
//
// Everything here is safe for concurrent use.
package isthmus
