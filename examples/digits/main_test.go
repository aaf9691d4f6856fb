package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/ranks"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// A rank of a test's job is this binary.
func TestMain(m *testing.M) {
	if ranks.Launched() {
		main()
		return
	}
	os.Exit(m.Run())
}

// What is learned is the same to the bit on any number of ranks, with every library, and good.
func TestTrain(t *testing.T) {
	learned := map[string]bool{}
	mpitest.EachInTurn(t, func(t *testing.T, l mpitest.Library) {
		t.Setenv("ISTHMUS_MPI", l.Lib)
		for _, n := range []int{1, 2, 4} {
			var out bytes.Buffer
			if err := train(t.Context(), &out, lesson{ranks: n, epochs: 2}); err != nil {
				t.Fatal(err)
			}
			text, _, ok := strings.Cut(out.String(), fmt.Sprintf("%d ranks,", n))
			if !ok || !strings.Contains(text, "epoch 2: loss 0.5126") {
				t.Errorf("%d ranks: %s", n, out.String())
			}
			learned[text] = true
		}
	})
	if len(learned) > 1 {
		t.Errorf("what is learned differs: %v", learned)
	}
}

func TestTrainRefuses(t *testing.T) {
	for _, o := range []lesson{{3, 1}, {4, 0}, {}} {
		if err := train(t.Context(), &bytes.Buffer{}, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// The example prints the same numbers on every device.
func TestStart(t *testing.T) {
	for _, form := range []string{"bytecode", "text"} {
		for name, device := range map[string]string{
			"embedded": target.Embedded, "cpu": os.Getenv("ISTHMUS_PJRT_CPU"), "cpu-old": os.Getenv("ISTHMUS_PJRT_CPU_OLD"),
		} {
			t.Run("device="+name+"/form="+form, func(t *testing.T) {
				if device == "" {
					t.Skip("no plugin given; ./check sets ISTHMUS_PJRT_CPU and ISTHMUS_PJRT_CPU_OLD to the installed ones")
				}
				var out bytes.Buffer
				if err := start(t.Context(), &out, device, form); err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{
					"accuracy 99.61 % (1790 of 1797)",
					" shows 2   .   2 175   .   .   .   .   .   .   .\n",
					"all 1797 answers are JAX's",
				} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("output lacks %q:\n%s", want, out.String())
					}
				}
			})
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, c := range []struct{ device, form, says string }{
		{target.Embedded, "protobuf", `no form "protobuf"`},
		{"nothing", "text", `no device is called "nothing"`},
	} {
		if err := start(t.Context(), &bytes.Buffer{}, c.device, c.form); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v, want %q", err, c.says)
		}
	}
}

// The images are what scikit-learn ships: 1,797 of 8 x 8 pixels with values from 0 to 16.
func TestData(t *testing.T) {
	images, err := values[float32](imagesFile)
	if err != nil || len(images) != 1797*8*8 {
		t.Fatalf("%d pixels, %v", len(images), err)
	}
	for i, v := range images {
		if v < 0 || v > 16 || v != float32(int(v)) {
			t.Fatalf("pixel %d is %v", i, v)
		}
	}
}
