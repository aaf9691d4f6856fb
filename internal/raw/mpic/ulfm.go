package mpic

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// What some libraries have beyond the standard: user-level failure mitigation, ULFM, as Open MPI 5 and MPICH export it.
// The names are those of the libraries' own headers, which the generator does not read; Info does not count them.
const (
	FnXCommRevoke          Func = NumFuncs + iota // MPI_Comm comm
	FnXCommIsRevoked                              // MPI_Comm comm, int *flag
	FnXCommShrink                                 // MPI_Comm comm, MPI_Comm *newcomm
	FnXCommAgree                                  // MPI_Comm comm, int *flag
	FnXCommGetFailed                              // MPI_Comm comm, MPI_Group *failed
	FnXCommFailureAck                             // MPI_Comm comm
	FnXCommFailureGetAcked                        // MPI_Comm comm, MPI_Group *failed
	numAll
)

// extensions has the C name and the number of parameters of each function after NumFuncs.
var extensions = [numAll - NumFuncs]struct {
	name   string
	params int
}{
	{"MPIX_Comm_revoke", 1},
	{"MPIX_Comm_is_revoked", 2},
	{"MPIX_Comm_shrink", 2},
	{"MPIX_Comm_agree", 2},
	{"MPIX_Comm_get_failed", 2},
	{"MPIX_Comm_failure_ack", 1},
	{"MPIX_Comm_failure_get_acked", 2},
}

// extend looks the extensions up. MPICH exports them with every device, and with ch4, the usual one, they are assertions
// that end the process.
func (l *Library) extend(symbol func(string) (call.Fn, error)) {
	if l.Family == MPICH && strings.Contains(l.Version, "ch4") {
		return
	}
	for i, e := range extensions {
		l.fns[NumFuncs+i], _ = symbol(e.name)
	}
}

// FaultClass is the name of an error class of ULFM's, as the MPI Forum's proposal spells it; "" for another class.
func (l *Library) FaultClass(class int) string {
	first := 75 // Open MPI 5, mpi.h
	if l.Family == MPICH {
		first = 101 // MPICH_ERR_FIRST_MPIX+1 in mpi.h of 4.0 and 5.0
	}
	if l.ABI.Name == standard.Name {
		return ""
	}
	switch class - first {
	case 0:
		return "MPI_ERR_PROC_FAILED"
	case 1:
		return "MPI_ERR_PROC_FAILED_PENDING"
	case 2:
		return "MPI_ERR_REVOKED"
	}
	return ""
}
