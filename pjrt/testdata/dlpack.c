// A producer and a consumer of DLPack tensors, as libraries of arrays are.
#include <pthread.h>
#include <stdlib.h>

#include "dlpack.h"

typedef struct {
  union {
    DLManagedTensor old;
    struct DLManagedTensorVersioned versioned;
  } t;
  int64_t shape[8], strides[8];
  unsigned char* memory;
} Made;

static int deleted;

static void drop(Made* m) {
  __atomic_add_fetch(&deleted, 1, __ATOMIC_SEQ_CST);
  free(m->memory);
  free(m);
}
static void drop_old(DLManagedTensor* self) { drop((Made*)self); }
static void drop_versioned(struct DLManagedTensorVersioned* self) { drop((Made*)self); }

int64_t how_many_deleted(void) { return __atomic_load_n(&deleted, __ATOMIC_SEQ_CST); }

// spec: versioned, major, flags, code, bits, lanes, device, device id, ndim, byte offset, has strides, bytes before
// the data, then 8 dimensions and 8 strides. The memory is 4096 bytes that count up.
void* make_tensor(const int64_t* spec) {
  Made* m = calloc(1, sizeof *m);
  if (posix_memalign((void**)&m->memory, 4096, 4096)) return 0;
  for (int i = 0; i < 4096; i++) m->memory[i] = (unsigned char)i;
  for (int i = 0; i < 8; i++) {
    m->shape[i] = spec[12 + i];
    m->strides[i] = spec[20 + i];
  }
  DLTensor* t = spec[0] ? &m->t.versioned.dl_tensor : &m->t.old.dl_tensor;
  t->data = m->memory + spec[11];
  t->device.device_type = (DLDeviceType)spec[6];
  t->device.device_id = (int32_t)spec[7];
  t->ndim = (int32_t)spec[8];
  t->dtype.code = (uint8_t)spec[3];
  t->dtype.bits = (uint8_t)spec[4];
  t->dtype.lanes = (uint16_t)spec[5];
  t->shape = m->shape;
  t->strides = spec[10] ? m->strides : 0;
  t->byte_offset = (uint64_t)spec[9];
  if (spec[0]) {
    m->t.versioned.version.major = (uint32_t)spec[1];
    m->t.versioned.flags = (uint64_t)spec[2];
    m->t.versioned.deleter = drop_versioned;
  } else {
    m->t.old.deleter = drop_old;
  }
  return m;
}

static DLTensor* tensor(void* h, int64_t versioned) {
  return versioned ? &((struct DLManagedTensorVersioned*)h)->dl_tensor : &((DLManagedTensor*)h)->dl_tensor;
}

static int64_t sum(DLTensor* t, int dim, int64_t at) {
  if (dim == t->ndim) return ((int32_t*)((char*)t->data + t->byte_offset))[at];
  int64_t s = 0;
  for (int64_t i = 0; i < t->shape[dim]; i++) s += (i + 1) * sum(t, dim + 1, at + i * t->strides[dim]);
  return s;
}

// consume adds up an int32 tensor, each element times its place along each dimension from 1.
int64_t consume(void* h, int64_t versioned) {
  DLTensor* t = tensor(h, versioned);
  if (t->dtype.code != kDLInt || t->dtype.bits != 32 || t->dtype.lanes != 1 || t->device.device_type != kDLCPU) return -1;
  return sum(t, 0, 0);
}

static void* give_back_old(void* h) {
  ((DLManagedTensor*)h)->deleter(h);
  return 0;
}
static void* give_back_versioned(void* h) {
  ((struct DLManagedTensorVersioned*)h)->deleter(h);
  return 0;
}

// give_back calls the deleter from a thread of its own.
int64_t give_back(void* h, int64_t versioned) {
  pthread_t t;
  if (pthread_create(&t, 0, versioned ? give_back_versioned : give_back_old, h)) return 0;
  pthread_join(t, 0);
  return 1;
}

// give_back_twice is what a broken consumer does.
int64_t give_back_twice(void* h) {
  void (*f)(struct DLManagedTensorVersioned*) = ((struct DLManagedTensorVersioned*)h)->deleter;
  f(h);
  f(h);
  return 1;
}
