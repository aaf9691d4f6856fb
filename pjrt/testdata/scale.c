// A custom call in C for the benchmark of handlers: result 0 is argument 0 times 3.
#include <stddef.h>
#include "xla/ffi/api/c_api.h"

XLA_FFI_Error* isthmus_scale(XLA_FFI_CallFrame* f) {
  if (f->extension_start && f->extension_start->type == XLA_FFI_Extension_Metadata) {
    struct XLA_FFI_Metadata* m = ((struct XLA_FFI_Metadata_Extension*)f->extension_start)->metadata;
    m->api_version.major_version = 0;
    m->api_version.minor_version = 1;
    m->traits = 0;
    return 0;
  }
  struct XLA_FFI_Buffer* in = f->args.args[0];
  struct XLA_FFI_Buffer* out = f->rets.rets[0];
  size_t n = 1;
  for (int64_t i = 0; i < in->rank; i++) n *= in->dims[i];
  for (size_t i = 0; i < n; i++) ((float*)out->data)[i] = 3 * ((float*)in->data)[i];
  return 0;
}
