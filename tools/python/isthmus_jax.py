"""JAX on the embedded device.

    import isthmus_jax
    isthmus_jax.use("libisthmus_pjrt.so")  # before JAX makes its first array
    import jax

`use` makes the device JAX's default, beside the CPU that JAX brings, and has jax.ffi.register_ffi_target(..., platform=
"cpu") register with both: functions of C run on the device, and so do those of LAPACK that come with JAX, instead of the
device's own. Where that is not wanted, two environment variables do the same:

    PJRT_NAMES_AND_LIBRARY_PATHS=isthmus:/path/to/libisthmus_pjrt.so JAX_PLATFORMS=isthmus,cpu
"""

import ctypes
import os

_EXTENSION_START, _FFI, _REGISTER_HANDLER = 8, 5, 40


class _Base(ctypes.Structure):
    pass


_Base._fields_ = [("size", ctypes.c_size_t), ("type", ctypes.c_int), ("next", ctypes.POINTER(_Base))]


class _RegisterHandler(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("target", ctypes.c_char_p), ("target_size", ctypes.c_size_t),
        ("handler", ctypes.c_void_p), ("platform", ctypes.c_char_p), ("platform_size", ctypes.c_size_t),
        ("traits", ctypes.c_int),
    ]  # fmt: skip


class _Message(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t), ("extensions", ctypes.c_void_p), ("error", ctypes.c_void_p),
        ("message", ctypes.c_void_p), ("message_size", ctypes.c_size_t),
    ]  # fmt: skip


_call = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def use(library, devices=1, functions=True):
    """Has JAX load the library as the plugin isthmus, with that many virtual devices. functions are those of C."""
    library = os.path.abspath(library)
    os.environ["PJRT_NAMES_AND_LIBRARY_PATHS"] = f"isthmus:{library}"
    os.environ["JAX_PLATFORMS"] = "isthmus,cpu"
    os.environ["ISTHMUS_DEVICES"] = str(devices)
    if not functions:
        return
    from jaxlib import xla_client

    lib = ctypes.CDLL(library)
    lib.GetPjrtApi.restype = ctypes.c_void_p
    api = lib.GetPjrtApi()

    def handler(name, fn, platform, api_version=1, traits=0):
        xla_client._xla.register_custom_call_target(name, fn, platform, api_version, traits)
        if api_version == 1:
            _register(api, name, fn)

    xla_client.register_custom_call_handler("cpu", handler)  # before JAX registers its own


def _register(api, name, fn):
    """Registers a handler of XLA's FFI with the plugin: a capsule, or a dict with the capsule of the stage execute."""
    if isinstance(fn, dict):
        if set(fn) != {"execute"}:
            raise NotImplementedError(f"{name}: JAX hands a plugin the stage execute alone; there are {sorted(fn)}")
        fn = fn["execute"]
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    named = ctypes.pythonapi.PyCapsule_GetName
    named.restype, named.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = get(fn, named(fn))
    at = ctypes.c_void_p.from_address(api + _EXTENSION_START).value
    while at and _Base.from_address(at).type != _FFI:
        at = ctypes.cast(_Base.from_address(at).next, ctypes.c_void_p).value
    if not at:
        raise RuntimeError("the plugin has no FFI extension")
    target = name.encode() if isinstance(name, str) else name
    args = _RegisterHandler(ctypes.sizeof(_RegisterHandler), target, len(target), pointer, b"cpu", 3, 0)
    args.size = _RegisterHandler.traits.offset + 4
    error = _call(ctypes.c_void_p.from_address(at + _REGISTER_HANDLER).value)(ctypes.addressof(args))
    if error:
        # The second and the first function of the table: the error's text, and its end.
        m = _Message(ctypes.sizeof(_Message), None, error, None, 0)
        _call(ctypes.c_void_p.from_address(api + 48).value)(ctypes.addressof(m))
        text = ctypes.string_at(m.message, m.message_size).decode()
        _call(ctypes.c_void_p.from_address(api + 40).value)(ctypes.addressof(_Message(24, None, error)))
        raise RuntimeError(text)
