//go:build linux && cgo

package main_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// original are the sixty functions of the runtime that this one stands in for, and the names that its source has for some
// of them; then rt_init, which the header has inline.
const original = `
rt_future_new rt_future_await rt_future_is_ready rt_future_resolve rt_future_all rt_future_race
rt_async_file_create rt_async_file_close rt_async_file_read rt_async_file_write rt_async_file_prefault
rt_generator_new rt_generator_yield rt_generator_next rt_generator_get_slot rt_generator_set_slot
rt_channel_new rt_channel_send rt_channel_recv
rt_actor_spawn rt_actor_send rt_actor_recv rt_actor_join rt_actor_id rt_actor_is_alive
rt_array_new rt_array_len rt_array_get rt_array_set rt_array_push rt_array_pop rt_array_clear
rt_tuple_new rt_tuple_len rt_tuple_get rt_tuple_set
rt_string_new rt_string_len rt_string_data rt_string_concat
rt_dict_new rt_dict_len rt_dict_get rt_dict_set rt_dict_clear
rt_object_new rt_object_field_get rt_object_field_set rt_object_class_id rt_object_field_count
rt_closure_new rt_closure_set_capture rt_closure_get_capture rt_closure_func_ptr
rt_enum_new rt_enum_discriminant rt_enum_payload
rt_unique_new rt_unique_get rt_unique_set

rt_generator_get_state rt_generator_set_state rt_generator_store_slot rt_generator_load_slot rt_generator_get_ctx
rt_generator_mark_done
native_async_file_create native_async_file_start_loading native_async_file_is_ready native_async_file_get_state
native_async_file_wait

rt_init`

// The library exports all functions of the original, by all of their names, and all that the header declares; and nothing
// else of that form.
func TestExports(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	f, err := elf.Open(filepath.Join(library(t, ""), "libisthmus.so"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			exported[s.Name] = true
		}
	}
	header, err := os.ReadFile("../../include/isthmus_rt.h")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:RT_API_|RT_FN_|static inline) .*?\b((?:rt|native)_[a-z0-9_]+)\(`).FindAllStringSubmatch(string(header), -1) {
		declared[m[1]] = true
		if strings.HasPrefix(m[0], "RT_") && !exported[m[1]] {
			t.Errorf("%s is declared and not exported", m[1])
		}
	}
	names := strings.Fields(original)
	if len(names) != 60+11+1 {
		t.Errorf("%d names of the original", len(names))
	}
	for _, name := range names {
		if !declared[name] || !exported[name] {
			t.Errorf("%s: declared %v, exported %v", name, declared[name], exported[name])
		}
	}
	for name := range exported {
		if strings.HasPrefix(name, "rt_") && !declared[name] {
			t.Errorf("%s is exported, and not declared", name)
		}
	}
}
