// CPython, through its C API.

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "bench.h"

bool python_start(void);
bool python_start(void) {
  Py_InitializeEx(0);
  return Py_IsInitialized();
}

static void append(PyObject *l, long i) {
  PyObject *o = PyLong_FromLong(i);
  PyList_Append(l, o);
  Py_DECREF(o);
}

static PyObject *numbers(long n) {
  PyObject *l = PyList_New(0);
  for (long i = 0; i < n; i++) append(l, i);
  return l;
}

static double array_get(long n) {
  uint64_t sum = 0;
  PyObject *l = numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) sum += (uint64_t)(uintptr_t)PyList_GetItem(l, i & (HOT - 1));
  t = cpu() - t;
  KEEP(sum);
  Py_DECREF(l);
  return t / (double)n;
}

static double array_set(long n) {
  PyObject *l = numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) PyList_SetItem(l, i & (HOT - 1), PyLong_FromLong(i));
  t = cpu() - t;
  Py_DECREF(l);
  return t / (double)n;
}

static double push(long n) {
  double t = cpu();
  Py_DECREF(numbers(n));
  return (cpu() - t) / (double)n;
}

static double new8(long n) {
  double t = cpu();
  for (long k = 0; k < n; k++) Py_DECREF(numbers(8));
  return (cpu() - t) / (double)n;
}

static PyObject *dict(long n) {
  PyObject *d = PyDict_New();
  for (long i = 0; i < n; i++) {
    PyObject *k = PyLong_FromLong((long)number((uint64_t)i)), *v = PyLong_FromLong(i);
    PyDict_SetItem(d, k, v);
    Py_DECREF(k);
    Py_DECREF(v);
  }
  return d;
}

static double dict_int_set(long n) {
  double t = cpu();
  PyObject *d = dict(n);
  t = cpu() - t;
  Py_DECREF(d);
  return t / (double)n;
}

static double dict_int_get(long n) {
  uint64_t x = 88172645463325252ULL, sum = 0;
  PyObject *d = dict(MANY);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    PyObject *k = PyLong_FromLong((long)number(next(&x) % MANY));
    sum += (uint64_t)(uintptr_t)PyDict_GetItem(d, k);
    Py_DECREF(k);
  }
  t = cpu() - t;
  KEEP(sum);
  Py_DECREF(d);
  return t / (double)n;
}

static double dict_string_get(long n) {
  static PyObject *ks[KEYS];
  uint64_t sum = 0;
  PyObject *d = PyDict_New();
  for (int i = 0; i < KEYS; i++) {
    ks[i] = PyUnicode_FromStringAndSize(keys[i], (Py_ssize_t)key_len[i]);
    PyObject *v = PyLong_FromLong(i);
    PyDict_SetItem(d, ks[i], v);
    Py_DECREF(v);
  }
  double t = cpu();
  for (long i = 0; i < n; i++) sum += (uint64_t)(uintptr_t)PyDict_GetItem(d, ks[scattered(i)]);
  t = cpu() - t;
  KEEP(sum);
  for (int i = 0; i < KEYS; i++) Py_DECREF(ks[i]);
  Py_DECREF(d);
  return t / (double)n;
}

static double string_new(long n) {
  uint64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    PyObject *s = PyUnicode_FromStringAndSize(keys[i & (KEYS - 1)], 16);
    sum += (uint64_t)PyUnicode_GetLength(s);
    Py_DECREF(s);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double concat(long n) {
  PyObject *a = PyUnicode_FromStringAndSize(keys[0], 16), *b = PyUnicode_FromStringAndSize(keys[1], 16);
  double t = cpu();
  for (long i = 0; i < n; i++) Py_DECREF(PyUnicode_Concat(a, b));
  t = cpu() - t;
  Py_DECREF(a);
  Py_DECREF(b);
  return t / (double)n;
}

static double tuple_get(long n) {
  uint64_t sum = 0;
  PyObject *o = Py_BuildValue("(iiii)", 1, 2, 3, 4);
  double t = cpu();
  for (long i = 0; i < n; i++) sum += (uint64_t)(uintptr_t)PyTuple_GetItem(o, i & 3);
  t = cpu() - t;
  KEEP(sum);
  Py_DECREF(o);
  return t / (double)n;
}

static PyObject *pair(void) {
  PyObject *o = PyTuple_New(2);
  Py_INCREF(Py_None);
  PyTuple_SET_ITEM(o, 0, Py_None);
  Py_INCREF(Py_None);
  PyTuple_SET_ITEM(o, 1, Py_None);
  return o;
}

static double object_new(long n) {
  double t = cpu();
  for (long i = 0; i < n; i++) Py_DECREF(pair());
  return (cpu() - t) / (double)n;
}

static double objects_1k(long n) {
  PyObject *all[1000];
  double t = cpu();
  for (long k = 0; k < n; k += 1000) {
    for (int i = 0; i < 1000; i++) all[i] = pair();
    for (int i = 0; i < 1000; i++) Py_DECREF(all[i]);
  }
  return (cpu() - t) / (double)((n + 999) / 1000 * 1000);
}

static PyObject *string_16(long i) { return PyUnicode_FromStringAndSize(keys[i & (KEYS - 1)], 16); }
static PyObject *object_2(long i) { return (void)i, pair(); }
static PyObject *array_8(long i) { // PyList_New(8) has room for 8, and 8 in it
  (void)i;
  PyObject *l = PyList_New(8);
  for (int j = 0; j < 8; j++) {
    Py_INCREF(Py_None);
    PyList_SET_ITEM(l, j, Py_None);
  }
  return l;
}

static double bytes_of(long n, PyObject *(*make)(long)) {
  PyObject *l = PyList_New(n);
  for (long i = 0; i < n; i++) {
    Py_INCREF(Py_None);
    PyList_SET_ITEM(l, i, Py_None);
  }
  double b = resident();
  for (long i = 0; i < n; i++) PyList_SetItem(l, i, make(i));
  b = resident() - b;
  Py_DECREF(l);
  return b / (double)n;
}

static double bytes_string(long n) { return bytes_of(n, string_16); }
static double bytes_object(long n) { return bytes_of(n, object_2); }
static double bytes_array(long n) { return bytes_of(n, array_8); }

const side python_sides[] = {
    {"array-get", "cpython", array_get, 4000000},
    {"array-set", "cpython", array_set, 1000000},
    {"push", "cpython", push, 1 << 19},
    {"new-8-push-free", "cpython", new8, 200000},
    {"dict-int-set", "cpython", dict_int_set, MANY},
    {"dict-int-get", "cpython", dict_int_get, MANY},
    {"dict-string-get", "cpython", dict_string_get, 40 * KEYS},
    {"string-new-free", "cpython", string_new, 300000},
    {"concat-free", "cpython", concat, 300000},
    {"tuple-get", "cpython", tuple_get, 4000000},
    {"object-new-free", "cpython", object_new, 300000},
    {"objects-1k-new-free", "cpython", objects_1k, 300000},
    {"bytes-string-16", "cpython", bytes_string, 1000000},
    {"bytes-object-2", "cpython", bytes_object, 1000000},
    {"bytes-array-8", "cpython", bytes_array, 1000000},
    END,
};
