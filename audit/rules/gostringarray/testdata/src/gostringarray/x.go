package gostringarray

// typedef struct { char name[16]; char *text; } info;
import "C"

func bad(i *C.info) string { return C.GoString(&i.name[0]) } // want gostring-array:note

func good(i *C.info) string { return C.GoString(i.text) + C.GoStringN(&i.name[0], 16) }
