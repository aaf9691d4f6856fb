// A function of XLA's FFI, for jaxcheck.py: y = factor * x, and an error for a factor of 0.
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

static ffi::Error Scale(float factor, std::string_view what, ffi::Buffer<ffi::F32> x, ffi::ResultBuffer<ffi::F32> y) {
  if (factor == 0) return ffi::Error::InvalidArgument(std::string("scaled to nothing: ").append(what));
  for (size_t i = 0; i < x.element_count(); ++i) y->typed_data()[i] = factor * x.typed_data()[i];
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(IsthmusScale, Scale,
                              ffi::Ffi::Bind().Attr<float>("factor").Attr<std::string_view>("what")
                                  .Arg<ffi::Buffer<ffi::F32>>().Ret<ffi::Buffer<ffi::F32>>());
