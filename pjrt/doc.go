// Package pjrt runs compiled programs on any device that has a PJRT plugin: XLA's CPU, CUDA and TPU plugins, other
// vendors' ones, and the device that this module embeds. It needs no cgo and no C compiler.
//
//	p, err := pjrt.Load("pjrt_c_api_cpu_plugin.so")
//	c, err := p.NewClient(ctx, pjrt.ClientOptions{})
//	defer c.Close()
//	exe, err := c.Compile(ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
//	defer exe.Close()
//	x, err := pjrt.Put(ctx, c.Device(), []float32{1, 2, 3, 4}, 4)
//	defer x.Close()
//	out, err := exe.Execute(ctx, []*pjrt.Buffer{x}, pjrt.ExecuteOptions{})
//	defer out[0].Close()
//	y, err := pjrt.Get[float32](ctx, out[0])
//
// # Compiled programs
//
// A [Program] becomes an [Executable] by [Client.Compile]: loaded on devices, ready to run. A [Compiled] is the same
// without devices: [Topology.Compile] makes it for devices that need not be here, [Compiled.Serialize] keeps it as
// bytes, and [Client.Load] and [Client.Deserialize] make an Executable of it.
//
//	t, err := p.NewTopology(ctx, "v6e:2x2", nil) // TPUs that are elsewhere
//	x, err := t.Compile(ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
//	kept, err := x.Serialize()
//	exe, err := c.Deserialize(ctx, kept, pjrt.LoadOptions{}) // there
//
// # Ownership
//
// A [Plugin] lives as long as the process. A [Client], [Executable], [Compiled], [Topology], [Buffer] and [Event] is owned by the program,
// which closes it; what it was made from cannot be closed before it (the error says what is still alive and where it
// was made). [Device] and [Memory] belong to their client. Values may be shared between goroutines, and closed by one
// while another uses them: no order of calls, and no forgotten one, reaches freed memory. Every wrong order is an
// error: a closed value gives [isthmus.ErrClosed], a value of another client [isthmus.ErrInvalid].
//
// # Blocking
//
// Calls that may take long take a context first. When it ends they return its error; the native work goes on and
// everything that it needs is kept alive until it is done.
//
// # Errors
//
// What the plugin reports is an [*Error] with its [Code]; a function that the plugin lacks is an error that wraps
// [isthmus.ErrUnsupported] and names the function.
package pjrt
