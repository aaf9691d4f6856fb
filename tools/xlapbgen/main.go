// Command xlapbgen writes the Go types of XLA's protocol buffers.
//
//	go run .                      pjrt/internal/xlapb/z*.pb.go out of the schema beside them
//	go run . -schema PLUGIN.so    that schema out of a library of XLA, which carries the descriptors of what it reads
//
// The Go types are registered under names of their own, isthmus.xla.…: two packages that register the same name end
// a program when it starts, and other bindings register XLA's.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
	"mvdan.cc/gofumpt/format"

	_ "google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	root    = "xla/pjrt/proto/compile_options.proto" // all that it needs comes with it
	google  = "google/"                              // files of the library's own
	ours    = "isthmus."
	goTypes = "github.com/isthmus-ffi/isthmus/pjrt/internal/xlapb"
	target  = "../../pjrt/internal/xlapb"
)

// roots are the messages that package pjrt reads and writes.
var roots = []string{"xla.CompileOptionsProto", "xla.ExecutableAndOptionsProto", "xla.DeviceAssignmentProto", "xla.ProgramShapeProto", "xla.HloInputOutputAliasProto", "xla.HloBufferDonorProto"}

func main() {
	log.SetFlags(0)
	library := flag.String("schema", "", "write the schema out of this library")
	flag.Parse()
	err := error(nil)
	if *library != "" {
		err = writeSchema(*library, filepath.Join(target, "schema"))
	} else {
		err = generate(filepath.Join(target, "schema"), target)
	}
	if err != nil {
		log.Fatal("xlapbgen: ", err)
	}
}

// writeSchema finds the descriptors in a library and prints them as source.
func writeSchema(library, dir string) error {
	data, err := os.ReadFile(library)
	if err != nil {
		return err
	}
	files := map[string]*descriptorpb.FileDescriptorProto{}
	if err := find(data, root, files); err != nil {
		return err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, f := range files {
		set.File = append(set.File, f)
	}
	known, err := protodesc.NewFiles(set)
	if err != nil {
		return err
	}
	for name := range files {
		if strings.HasPrefix(name, google) {
			continue
		}
		d, err := known.FindFileByPath(name)
		if err != nil {
			return err
		}
		text, err := (&protoprint.Printer{Indent: "  ", SortElements: false, Compact: true}).PrintProtoToString(d)
		if err != nil {
			return err
		}
		out := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(out, []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// find looks for the serialised descriptor of a file: it begins with the file's name, as field 1.
func find(data []byte, name string, files map[string]*descriptorpb.FileDescriptorProto) error {
	if files[name] != nil {
		return nil
	}
	if f, err := protoregistry.GlobalFiles.FindFileByPath(name); err == nil && strings.HasPrefix(name, google) {
		files[name] = protodesc.ToFileDescriptorProto(f)
		return nil
	}
	head := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	for at := 0; ; {
		i := bytes.Index(data[at:], head)
		if i < 0 {
			return fmt.Errorf("the library does not describe %s", name)
		}
		at += i
		if f := descriptorAt(data[at:]); f != nil {
			files[name] = f
			for _, d := range f.Dependency {
				if err := find(data, d, files); err != nil {
					return err
				}
			}
			return nil
		}
		at++
	}
}

// descriptorAt reads a descriptor whose length is not known: it ends where no field of one follows. protoc writes
// fields in the order of their numbers.
func descriptorAt(b []byte) *descriptorpb.FileDescriptorProto {
	n, last := 0, protowire.Number(0)
	for n < len(b) {
		num, typ, size := protowire.ConsumeField(b[n:])
		if size < 0 || num < last || num > 14 || typ != protowire.BytesType && typ != protowire.VarintType {
			break
		}
		if num == 1 && n > 0 {
			break
		}
		n, last = n+size, num
	}
	f := &descriptorpb.FileDescriptorProto{}
	if proto.Unmarshal(b[:n], f) != nil || f.GetSyntax() == "" && f.GetPackage() == "" {
		return nil
	}
	return f
}

// generate compiles the schema and writes the Go types.
func generate(schema, out string) error {
	var names []string
	err := filepath.WalkDir(schema, func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".proto") {
			rel, err := filepath.Rel(schema, p)
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		return err
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{schema}})}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return err
	}
	req := &pluginpb.CodeGeneratorRequest{}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		d := protodesc.ToFileDescriptorProto(f)
		if !strings.HasPrefix(f.Path(), google) {
			rename(d)
			req.FileToGenerate = append(req.FileToGenerate, d.GetName())
		}
		req.ProtoFile = append(req.ProtoFile, d)
	}
	for _, f := range files {
		add(f)
	}
	prune(req)
	plugin, err := protogen.Options{}.New(req)
	if err != nil {
		return err
	}
	plugin.SupportedFeatures = internal_gengo.SupportedFeatures
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	res := plugin.Response()
	if res.Error != nil {
		return errors.New(res.GetError())
	}
	for _, f := range res.File {
		text, err := format.Source([]byte(safe.ReplaceAllStringFunc(f.GetContent(), copied)), format.Options{})
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, "z"+path.Base(f.GetName())), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// prune leaves out the types that nothing here reads or writes.
func prune(req *pluginpb.CodeGeneratorRequest) {
	uses := map[string][]string{} // what each message, by its whole name, needs
	outer := map[string]string{}  // the message that each type stands in
	var walk func(prefix, parent string, m *descriptorpb.DescriptorProto)
	walk = func(prefix, parent string, m *descriptorpb.DescriptorProto) {
		name := prefix + "." + m.GetName()
		outer[name] = parent
		for _, f := range m.Field {
			uses[name] = append(uses[name], f.GetTypeName())
		}
		for _, n := range m.NestedType {
			walk(name, name, n)
			if n.GetOptions().GetMapEntry() {
				uses[name] = append(uses[name], name+"."+n.GetName())
			}
		}
		for _, e := range m.EnumType {
			outer[name+"."+e.GetName()] = name
		}
	}
	for _, f := range req.ProtoFile {
		for _, m := range f.MessageType {
			walk("."+f.GetPackage(), "", m)
		}
	}
	keep := map[string]bool{"": true}
	var mark func(name string)
	mark = func(name string) {
		if keep[name] {
			return
		}
		keep[name] = true
		mark(outer[name])
		for _, u := range uses[name] {
			mark(u)
		}
	}
	for _, r := range roots {
		mark("." + ours + r)
	}
	var trim func(prefix string, list []*descriptorpb.DescriptorProto) []*descriptorpb.DescriptorProto
	trim = func(prefix string, list []*descriptorpb.DescriptorProto) []*descriptorpb.DescriptorProto {
		return slices.DeleteFunc(list, func(m *descriptorpb.DescriptorProto) bool {
			name := prefix + "." + m.GetName()
			m.NestedType = trim(name, m.NestedType)
			m.EnumType = slices.DeleteFunc(m.EnumType, func(e *descriptorpb.EnumDescriptorProto) bool { return !keep[name+"."+e.GetName()] })
			return !keep[name]
		})
	}
	empty := map[string]bool{}
	for _, f := range req.ProtoFile {
		if strings.HasPrefix(f.GetName(), google) {
			continue
		}
		f.MessageType = trim("."+f.GetPackage(), f.MessageType)
		f.EnumType = slices.DeleteFunc(f.EnumType, func(e *descriptorpb.EnumDescriptorProto) bool { return !keep["."+f.GetPackage()+"."+e.GetName()] })
		empty[f.GetName()] = len(f.MessageType)+len(f.EnumType) == 0
	}
	for _, f := range req.ProtoFile {
		f.Dependency = slices.DeleteFunc(f.Dependency, func(d string) bool { return empty[d] })
	}
	req.ProtoFile = slices.DeleteFunc(req.ProtoFile, func(f *descriptorpb.FileDescriptorProto) bool { return empty[f.GetName()] })
	req.FileToGenerate = slices.DeleteFunc(req.FileToGenerate, func(f string) bool { return empty[f] })
}

// safe takes the one use of unsafe out of the generated code: it spares a copy of the descriptor, which is read once.
var safe = regexp.MustCompile(`unsafe\.Slice\(unsafe\.StringData\((\w+)\), len\(\w+\)\)|\n\tunsafe "unsafe"`)

func copied(use string) string {
	if name := safe.FindStringSubmatch(use)[1]; name != "" {
		return "[]byte(" + name + ")"
	}
	return ""
}

// rename puts a file and all that it names into our own name space, and into one Go package.
func rename(f *descriptorpb.FileDescriptorProto) {
	f.Name = proto.String("isthmus/" + f.GetName())
	f.Package = proto.String(ours + f.GetPackage())
	for i, d := range f.Dependency {
		if !strings.HasPrefix(d, google) {
			f.Dependency[i] = "isthmus/" + d
		}
	}
	f.Options = &descriptorpb.FileOptions{GoPackage: proto.String(goTypes)}
	for _, m := range f.MessageType {
		renameMessage(m)
	}
}

func renameMessage(m *descriptorpb.DescriptorProto) {
	for _, f := range slices.Concat(m.Field, m.Extension) {
		if t := f.GetTypeName(); t != "" && !strings.HasPrefix(t, ".google.") {
			f.TypeName = proto.String("." + ours + t[1:])
		}
	}
	for _, n := range m.NestedType {
		renameMessage(n)
	}
}
