package objc

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// Where an argument's word goes.
type place uint8

const (
	inInt   place = iota // a register for integers
	inFloat              // a register for floating-point numbers
	inStack              // the stack
	inCopy               // a register with the address of a copy: all the argument's words
)

type move struct {
	arg, word, at uint8
	to            place
}

// plan says how a method is called: made of its encoding once, followed by each call.
type plan struct {
	result string
	kinds  []byte // the first byte of each argument's type; blocks are '?', structs '0' and their words
	moves  []move
	few    uintptr // not 0: nothing goes on the stack
	stret  bool    // the result comes back in memory
	err    bool    // the last argument is the place for an NSError
}

const (
	maxStack = 8
	arm      = runtime.GOARCH == "arm64"
)

func intRegisters() int {
	if arm {
		return 8
	}
	return 6
}

// planOf makes the plan of a method. What this package cannot pass is [isthmus.ErrUnsupported].
func planOf(selector, encoding string, errorOut bool) (*plan, error) {
	parts, err := Split(encoding)
	if err != nil {
		return nil, err
	}
	cannot := func(t string) error {
		return fmt.Errorf("objc: %s: type %s of %s: %w", selector, t, encoding, isthmus.ErrUnsupported)
	}
	if len(parts) < 3 || parts[1] != "@" || parts[2] != ":" || strings.Count(selector, ":") != len(parts)-3 {
		return nil, fmt.Errorf("objc: %s has the encoding %s: %w", selector, encoding, isthmus.ErrInvalid)
	}
	p := &plan{result: parts[0], few: 1, err: errorOut}
	ints, floats, stack := 2, 0, 0
	switch n := words(p.result); {
	case n > 2:
		p.stret = true
		if !arm {
			ints++
		}
	case n == 0 && strings.IndexByte("{([bjDtT?%", p.result[0]) >= 0:
		return nil, cannot(p.result)
	}
	args := parts[3:]
	if errorOut && (len(args) == 0 || args[len(args)-1] != "^@") {
		return nil, fmt.Errorf("objc: %s has the encoding %s and no place for an error: %w", selector, encoding, isthmus.ErrInvalid)
	}
	for i, t := range args {
		add := func(word int, to place, at *int) {
			p.moves = append(p.moves, move{arg: uint8(i), word: uint8(word), to: to, at: uint8(*at)})
			*at++
		}
		kind := t[0]
		switch t[0] {
		case '@', '#', ':', '^', '*', 'q', 'Q', 'i', 'I', 's', 'S', 'c', 'C', 'B':
			if t == "@?" {
				kind = '?'
			}
			if ints < intRegisters() {
				add(0, inInt, &ints)
				break
			}
			if runtime.GOOS == "darwin" && arm && strings.IndexByte("iIsScCB", t[0]) >= 0 {
				return nil, cannot(t) // it is packed there
			}
			add(0, inStack, &stack)
		case 'f', 'd':
			if floats == 8 {
				return nil, cannot(t)
			}
			add(0, inFloat, &floats)
		default:
			n := words(t)
			if n == 0 || n > 3 {
				return nil, cannot(t)
			}
			kind = '0' + byte(n)
			switch {
			case n > 2 && arm:
				if ints == intRegisters() {
					return nil, cannot(t)
				}
				add(0, inCopy, &ints)
			case n > 2 || ints+n > intRegisters():
				if arm {
					ints = intRegisters() // none of the registers after it are used
				}
				for w := range n {
					add(w, inStack, &stack)
				}
			default:
				for w := range n {
					add(w, inInt, &ints)
				}
			}
		}
		p.kinds = append(p.kinds, kind)
	}
	if stack > maxStack {
		return nil, fmt.Errorf("objc: %s: %d words on the stack: %w", selector, stack, isthmus.ErrUnsupported)
	}
	if stack > 0 {
		p.few = 0
	}
	return p, nil
}
