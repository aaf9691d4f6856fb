package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/target"
)

// The example writes JAX's text on every device.
func TestStart(t *testing.T) {
	for _, form := range []string{"bytecode", "text"} {
		for name, device := range map[string]string{
			"embedded": target.Embedded, "cpu": os.Getenv("ISTHMUS_PJRT_CPU"), "cpu-old": os.Getenv("ISTHMUS_PJRT_CPU_OLD"),
		} {
			t.Run("device="+name+"/form="+form, func(t *testing.T) {
				if device == "" {
					t.Skip("no plugin given; ./check sets ISTHMUS_PJRT_CPU and ISTHMUS_PJRT_CPU_OLD to the installed ones")
				}
				for prompt, want := range map[string]string{
					"":                "\nThe keeper said: |a cart that nobody owns will block the road. A cart",
					"In the evening ": "\nIn the evening |the two keepers meet in the middle of the road",
				} {
					var out bytes.Buffer
					if err := start(t.Context(), &out, device, form, prompt); err != nil {
						t.Fatal(err)
					}
					if !strings.Contains(out.String(), want) {
						t.Errorf("output lacks %q:\n%s", want, out.String())
					}
					if checked := strings.Contains(out.String(), "all 128 characters are JAX's"); checked != (prompt == "") {
						t.Errorf("prompt %q: compared with JAX: %v", prompt, checked)
					}
				}
			})
		}
	}
}

func TestStartRefusesTheForm(t *testing.T) {
	if err := start(t.Context(), &bytes.Buffer{}, target.Embedded, "protobuf", ""); err == nil || !strings.Contains(err.Error(), `no form "protobuf"`) {
		t.Errorf("error %v, want one about the form", err)
	}
}

func TestEncode(t *testing.T) {
	vocabulary := []string{" ", "a", "b"}
	slots := []int32{2, 2, 2, 2}
	n, err := encode(slots, vocabulary, "a b")
	if err != nil || n != 3 || [4]int32(slots) != [4]int32{1, 0, 2, 0} {
		t.Errorf("%v, %d, %v", slots, n, err)
	}
	for prompt, says := range map[string]string{"aaaaa": "at most 4", "ä": `'ä'; it knows " ab"`} {
		if _, err := encode(slots, vocabulary, prompt); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want %q", prompt, err, says)
		}
	}
	if _, err := decode([]int32{3}, vocabulary); err == nil {
		t.Error("number outside the vocabulary decoded")
	}
}
