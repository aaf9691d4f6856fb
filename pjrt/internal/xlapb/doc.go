// Package xlapb is the part of XLA's protocol buffers that package pjrt speaks: compile options, the compiler's debug
// options, shapes with their layouts, device assignments.
//
// The schema in schema/ is what XLA's CPU plugin for PJRT API 0.115 carries about itself, printed as source: XLA is
// Copyright The OpenXLA Authors, under the Apache License 2.0, https://github.com/openxla/xla. Its library is the
// plugin "cpu" of this module (jax 0.11.2's XLA), pinned by hash in internal/plugins. To take a newer one:
//
//	go run -C ../../../tools/xlapbgen . -schema PLUGIN.so
//
// Only the messages that are reached from what is read or written are generated, and they are registered as
// isthmus.xla.…, so that a program may link other bindings of XLA beside this one: the wire form has no names.
package xlapb

//go:generate go run -C ../../../tools/xlapbgen .
