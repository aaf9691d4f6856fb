package mirrorconstant

// #define LIMIT 512
// #define PORT_HTTP 80
// #define PORT_TLS 443
// enum colour { COLOUR_RED, COLOUR_GREEN, COLOUR_BLUE = 7 };
// static int limit(void) { return LIMIT; }
import "C"

//isthmus:mirrors enum colour
const (
	Red = iota
	Green
	Blue // want mirror-constant
)

//isthmus:mirrors enum colour
const (
	ColourRed   = 0
	ColourGreen = 1
	ColourBlue  = 7
)

//isthmus:mirrors PORT_*
const (
	HTTP = 80
	TLS  = 444 // want mirror-constant
)

//isthmus:mirrors LIMIT
const buffer = 512

//isthmus:mirrors enum none
const None = 1 // want mirror-constant:note

// LIMIT has the name that it has in C.
const LIMIT = 256 // want mirror-constant:warning

// Their values are their own, and their names are those of C by chance, or not.
const (
	PORT_HTTP = iota // want mirror-constant:note
	PORT_TLS         // want mirror-constant:note
)

const other = 512

var _ = []any{C.limit(), buffer, other}
