"""Writes compile_options.txt: what jaxlib's own CompileOptions serialise to, for the test of ours.

Run: python compile_options.py > compile_options.txt   (jax 0.10.2)
"""
import numpy as np
from jax._src.lib import xla_client as xc


def options(replicas=1, partitions=1, spmd=False, devices=None, portable=False, overrides=()):
    o = xc.CompileOptions()
    b = o.executable_build_options
    b.num_replicas, b.num_partitions, b.use_spmd_partitioning = replicas, partitions, spmd
    if devices is not None:
        o.device_assignment = xc.DeviceAssignment.create(np.array(devices, dtype=np.int32))
    o.compile_portable_executable = portable
    o.env_option_overrides = list(overrides)
    return o.SerializeAsString().hex()


print("plain", options())
print("device", options(devices=[[2]]))
print("replicas", options(replicas=2, devices=[[1], [3]]))
print("mesh", options(replicas=2, partitions=2, spmd=True, devices=[[0, 1], [2, 3]]))
print("portable", options(portable=True))
print("flag", options(overrides=[("xla_cpu_enable_fast_math", True)]))
print("text", options(overrides=[("xla_x", "y")]))
print("number", options(overrides=[("n", 3)]))
print("real", options(overrides=[("f", 0.5)]))


def rich():
    o = xc.CompileOptions()
    b = o.executable_build_options
    b.use_spmd_partitioning = b.use_shardy_partitioner = b.use_auto_spmd_partitioning = True
    b.auto_spmd_partitioning_mesh_shape, b.auto_spmd_partitioning_mesh_ids = [2, 2], [3, 1, 0, 2]
    b.num_partitions = 4
    b.allow_spmd_sharding_propagation_to_parameters = [True, False, True]
    b.allow_spmd_sharding_propagation_to_output = [True]
    b.optimization_level, b.memory_fitting_level = 39, 9
    b.fdo_profile = b"profile"
    o.parameter_is_tupled_arguments = True
    o.profile_version = 7
    return o.SerializeAsString().hex()


def layouts():
    o = xc.CompileOptions()
    f32, s8 = np.dtype("float32"), np.dtype("int8")
    o.argument_layouts = [xc.Shape.array_shape(f32, (2, 3), (0, 1)), xc.Shape.array_shape(s8, (), ())]
    o.executable_build_options.result_layout = xc.Shape.tuple_shape([xc.Shape.array_shape(f32, (2, 3), (1, 0)), xc.Shape.array_shape(s8, (5,), (0,))])
    return o.SerializeAsString().hex()


print("rich", rich())
print("layouts", layouts())
