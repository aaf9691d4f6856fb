// Runs programs of kernels that come on standard input, and writes the memory that they leave: for sanitizers, which want a process
// of their own. A program is: u32 buffers; of each u64 size, the bytes; u32 calls; of each u32 length, name, u32 arguments, of each
// a u32 (a buffer) or 2^32-1, u64 length and bytes (a constant); six u64, groups and threads. The answer: for each call an i32, then
// the bytes of all buffers.
#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" int isthmus_msl_run(const char *, void *const *, const uint64_t *, int, const uint64_t *, const uint64_t *);

static void get(void *p, size_t n) {
  if (n && fread(p, 1, n, stdin) != n) exit(3);
}
template <class T> static T get() {
  T v;
  get(&v, sizeof v);
  return v;
}
static void *memory(uint64_t n) { // exactly n bytes: one more is the sanitizer's
  void *p = malloc(n);
  get(p, n);
  return p;
}

int main() {
  for (int c; (c = getchar()) != EOF;) {
    ungetc(c, stdin);
    std::vector<void *> buffers(get<uint32_t>());
    std::vector<uint64_t> sizes;
    for (auto &b : buffers) {
      sizes.push_back(get<uint64_t>());
      b = memory(sizes.back());
    }
    for (uint32_t calls = get<uint32_t>(); calls > 0; calls--) {
      std::string name(get<uint32_t>(), 0);
      get(name.data(), name.size());
      std::vector<void *> args(get<uint32_t>()), constants;
      std::vector<uint64_t> lengths;
      for (auto &a : args) {
        if (const uint32_t i = get<uint32_t>(); i != UINT32_MAX) {
          a = buffers.at(i);
          lengths.push_back(sizes.at(i));
        } else {
          lengths.push_back(get<uint64_t>());
          constants.push_back(a = memory(lengths.back()));
        }
      }
      uint64_t grid[6];
      get(grid, sizeof grid);
      const int32_t rc = isthmus_msl_run(name.c_str(), args.data(), lengths.data(), int(args.size()), grid, grid + 3);
      fwrite(&rc, sizeof rc, 1, stdout);
      for (void *p : constants) free(p);
    }
    for (size_t i = 0; i < buffers.size(); i++) {
      fwrite(buffers[i], 1, sizes[i], stdout);
      free(buffers[i]);
    }
    fflush(stdout);
  }
}
