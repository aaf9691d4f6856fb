package isthmus

import "fmt"

// Finding is a rule of a native interface that a call broke, found by a validation layer: which rule, in which call, on
// which object. It is the Err of a [Report]. `isthmus explain ID` prints what the rule is, and how to keep it.
type Finding struct {
	ID     string // the rule, such as pjrt/use-after-destroy; stable
	Call   string // the native function
	Text   string // what is wrong, in one line
	Object Object // the object concerned, with the place that made it; its Kind is empty when there is none
	MadeBy string // the native function that made the object
	Ended  Site   // where the object was destroyed, deleted or given away, when that matters
	Site   Site   // where the call was made
}

// Error returns rule, call, text and places.
func (f *Finding) Error() string {
	if f == nil {
		return "no finding"
	}
	s := fmt.Sprintf("%s: %s: %s", f.ID, f.Call, f.Text)
	if f.Object.Kind != "" {
		s += "; " + f.Object.String()
		if f.MadeBy != "" {
			s += " by " + f.MadeBy
		}
	}
	if f.Ended.Known() {
		s += ", ended at " + f.Ended.String()
	}
	if f.Site.Known() {
		s += "; called at " + f.Site.String()
	}
	return s
}

// Unwrap says that a Finding is an invalid call.
func (f *Finding) Unwrap() error { return ErrInvalid }
