package isthmus

import (
	"fmt"
	"sync/atomic"
)

// Check is how closely native objects are watched. The zero value is invalid.
type Check uint8

const (
	checkInvalid Check = iota
	// CheckOff keeps no census and no creation sites, and drops reports. Objects are protected as always.
	CheckOff
	// CheckReport keeps the census with creation sites and hands reports to the reporter. It is the default.
	CheckReport
	// CheckPanic is CheckReport, and then every report ends the process with a panic.
	CheckPanic
	// CheckValidate is CheckReport, and a validation layer stands before every plugin that is opened under it: each
	// native call is checked, and what breaks a rule is reported as a [Finding]. An MPI that is opened under it compares what
	// its ranks do.
	CheckValidate
)

// String returns the name that [ParseCheck] reads.
func (c Check) String() string {
	switch c {
	case CheckOff:
		return "off"
	case CheckReport:
		return "report"
	case CheckPanic:
		return "panic"
	case CheckValidate:
		return "validate"
	default:
		return fmt.Sprintf("Check(%d)", uint8(c))
	}
}

// ParseCheck reads off, report, panic or validate. The empty string is report, the default.
func ParseCheck(s string) (Check, error) {
	switch s {
	case "off":
		return CheckOff, nil
	case "", "report":
		return CheckReport, nil
	case "panic":
		return CheckPanic, nil
	case "validate":
		return CheckValidate, nil
	}
	return checkInvalid, fmt.Errorf("isthmus: check mode %q: %w; use off, report, panic or validate", s, ErrInvalid)
}

// The mode, stored so that the zero of the atomic means the default.
var checkMode atomic.Uint32

// SetCheck sets the process's check mode and returns the one before it. An invalid mode changes nothing.
// Objects made under an earlier mode keep the census entry they have, or lack.
func SetCheck(c Check) (before Check) {
	if c < CheckOff || c > CheckValidate {
		return CurrentCheck()
	}
	if old := Check(checkMode.Swap(uint32(c))); old != checkInvalid {
		return old
	}
	return CheckReport
}

// CurrentCheck returns the process's check mode.
func CurrentCheck() Check {
	if c := Check(checkMode.Load()); c != checkInvalid {
		return c
	}
	return CheckReport
}
