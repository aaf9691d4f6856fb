// Package rules lists the rules of the auditor. Each is an analyzer in a package of its own below this one, for any
// driver of golang.org/x/tools/go/analysis; what a rule says is on its page in docs/checks/audit.
package rules

import (
	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus/audit/rules/affinethread"
	"github.com/isthmus-ffi/isthmus/audit/rules/boolview"
	"github.com/isthmus-ffi/isthmus/audit/rules/bytealignment"
	"github.com/isthmus-ffi/isthmus/audit/rules/callbackpercall"
	"github.com/isthmus-ffi/isthmus/audit/rules/cleanupcaptures"
	"github.com/isthmus-ffi/isthmus/audit/rules/closepanics"
	"github.com/isthmus-ffi/isthmus/audit/rules/closetwice"
	"github.com/isthmus-ffi/isthmus/audit/rules/confine"
	"github.com/isthmus-ffi/isthmus/audit/rules/cstringleak"
	"github.com/isthmus-ffi/isthmus/audit/rules/doublefree"
	"github.com/isthmus-ffi/isthmus/audit/rules/emptyslice"
	"github.com/isthmus-ffi/isthmus/audit/rules/errnolate"
	"github.com/isthmus-ffi/isthmus/audit/rules/exportgopointer"
	"github.com/isthmus-ffi/isthmus/audit/rules/exportint"
	"github.com/isthmus-ffi/isthmus/audit/rules/exportpanics"
	"github.com/isthmus-ffi/isthmus/audit/rules/freebeforeset"
	"github.com/isthmus-ffi/isthmus/audit/rules/freegomemory"
	"github.com/isthmus-ffi/isthmus/audit/rules/gopointerretained"
	"github.com/isthmus-ffi/isthmus/audit/rules/gopointerstored"
	"github.com/isthmus-ffi/isthmus/audit/rules/gostringarray"
	"github.com/isthmus-ffi/isthmus/audit/rules/handleleak"
	"github.com/isthmus-ffi/isthmus/audit/rules/handlepointer"
	"github.com/isthmus-ffi/isthmus/audit/rules/headerpassed"
	"github.com/isthmus-ffi/isthmus/audit/rules/hugearray"
	"github.com/isthmus-ffi/isthmus/audit/rules/keepaliveearly"
	"github.com/isthmus-ffi/isthmus/audit/rules/largercast"
	"github.com/isthmus-ffi/isthmus/audit/rules/lasterrorthread"
	"github.com/isthmus-ffi/isthmus/audit/rules/leakonpath"
	"github.com/isthmus-ffi/isthmus/audit/rules/lennarrowing"
	"github.com/isthmus-ffi/isthmus/audit/rules/mallocsize"
	"github.com/isthmus-ffi/isthmus/audit/rules/missingkeepalive"
	"github.com/isthmus-ffi/isthmus/audit/rules/missingnul"
	"github.com/isthmus-ffi/isthmus/audit/rules/missingunpin"
	"github.com/isthmus-ffi/isthmus/audit/rules/noescape"
	"github.com/isthmus-ffi/isthmus/audit/rules/pinheader"
	"github.com/isthmus-ffi/isthmus/audit/rules/rawpointerapi"
	"github.com/isthmus-ffi/isthmus/audit/rules/safetycomment"
	"github.com/isthmus-ffi/isthmus/audit/rules/signedlength"
	"github.com/isthmus-ffi/isthmus/audit/rules/sliceheader"
	"github.com/isthmus-ffi/isthmus/audit/rules/statusdropped"
	"github.com/isthmus-ffi/isthmus/audit/rules/stringwrite"
	"github.com/isthmus-ffi/isthmus/audit/rules/structcopy"
	"github.com/isthmus-ffi/isthmus/audit/rules/structsize"
	"github.com/isthmus-ffi/isthmus/audit/rules/textcut"
	"github.com/isthmus-ffi/isthmus/audit/rules/uintptrkept"
	"github.com/isthmus-ffi/isthmus/audit/rules/useafterfree"
	"github.com/isthmus-ffi/isthmus/audit/rules/wrongfree"
)

// All are the rules: what is lost or broken in memory first, then types, callbacks, errors and the house's own.
func All() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		cstringleak.Analyzer,
		leakonpath.Analyzer,
		freebeforeset.Analyzer,
		doublefree.Analyzer,
		useafterfree.Analyzer,
		closetwice.Analyzer,
		missingkeepalive.Analyzer,
		cleanupcaptures.Analyzer,
		gopointerretained.Analyzer,
		pinheader.Analyzer,
		missingunpin.Analyzer,
		gopointerstored.Analyzer,
		uintptrkept.Analyzer,
		handleleak.Analyzer,
		handlepointer.Analyzer,
		wrongfree.Analyzer,
		exportgopointer.Analyzer,
		freegomemory.Analyzer,
		callbackpercall.Analyzer,
		keepaliveearly.Analyzer,
		structsize.Analyzer,
		lennarrowing.Analyzer,
		signedlength.Analyzer,
		largercast.Analyzer,
		headerpassed.Analyzer,
		boolview.Analyzer,
		structcopy.Analyzer,
		bytealignment.Analyzer,
		mallocsize.Analyzer,
		missingnul.Analyzer,
		gostringarray.Analyzer,
		textcut.Analyzer,
		sliceheader.Analyzer,
		hugearray.Analyzer,
		stringwrite.Analyzer,
		exportpanics.Analyzer,
		exportint.Analyzer,
		errnolate.Analyzer,
		lasterrorthread.Analyzer,
		affinethread.Analyzer,
		noescape.Analyzer,
		statusdropped.Analyzer,
		emptyslice.Analyzer,
		closepanics.Analyzer,
		confine.Analyzer,
		safetycomment.Analyzer,
		rawpointerapi.Analyzer,
	}
}
