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
// Package device/embedded gives the embedded device's plugin, for which nothing has to be installed:
//
//	p, err := embedded.Plugin(device.Options{})
//
// # Programs
//
// A [Program] becomes an [Executable] by [Client.Compile]: loaded on devices, ready to run. A [Compiled] is the same
// without devices: [Topology.Compile] makes it for devices that need not be here, [Compiled.Serialize] keeps it as
// bytes, and [Client.Load] and [Client.Deserialize] make an Executable of it. [Executable.Execute] waits, and
// [Executable.Start] gives an [Execution] that is under way; [Executable.ExecuteAll] and [Executable.StartAll] run on
// all devices of the program.
//
// # Buffers and transfers
//
// A [Buffer] is a tensor on a [Device], in one of its [Memory] spaces; its [Type] says elements and dimensions, and a
// [Layout] where each element lies. [Put] and [Get] copy; the forms in …Into bring the destination, those in …With say a
// layout or options, and Bytes is for element types that Go has not. [PutLent] lends the memory, [Memory.View] looks at
// it in place, [Read] reads a buffer in place, and an [Upload] fills buffers in pieces. [Buffer.DLPack] and
// [Memory.Import] exchange tensors with other libraries.
//
// # Events and promises
//
// An [Event] fires when work of the plugin is done: [Event.Wait], [WaitAll], [WaitAny], [Completions]. A [Promise] is
// the other direction: something that the plugin waits for and the program gives.
//
// # Code that programs call
//
// [Plugin.RegisterHandler] makes Go code the handler of custom calls, [Plugin.RegisterPartitioner] has it split them
// over devices, [Plugin.RegisterTransform] has it rewrite programs, and [SendHandler] and [RecvHandler] exchange data
// with a program that runs.
//
// # Extensions and other plugins
//
// [Plugin.Extensions] and [Plugin.Missing] tell what a plugin has. Methods that need an extension say so, and give
// [isthmus.ErrUnsupported] without it: layouts, shardings, raw buffers, streams, profilers ([Plugin.NewProfiler]), binary
// interfaces ([Client.RuntimeABI]), TPUs ([Topology.TPU], [Compiled.TPU]), several processes ([KV],
// [Client.NewReceive]) and several slices ([Client.NewMegascale]). [Validate] puts a validation layer before a plugin,
// and [Trace] writes down its calls.
//
// # Ownership
//
// A [Plugin] lives as long as the process. What else has a Close is owned by the program, which closes it; what it was
// made from cannot be closed before it (the error says what is still alive and where it was made). [Device] and [Memory] belong to their client. Values may be shared between goroutines, and closed by one
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
