#include "sample_bridge.h"

#include <stdio.h>

int main(int argc, char **argv) {
  FILE *f = fopen(argv[argc - 1], "rb");
  fseek(f, 0, SEEK_END);
  size_t size = (size_t)ftell(f);
  rewind(f);
  uint8_t *all = malloc(size), *p = all + 8;
  if (fread(all, 1, size, f) != size) return 2;
  fclose(f);
  uint64_t cases, n, m = 0, good = 0;
  memcpy(&cases, all, 8);
  for (uint64_t i = 0; i < cases; i++) {
    int is_msg = p[0], accepted = p[1];
    memcpy(&n, p + 2, 8);
    uint8_t *bytes = malloc(n ? n : 1), *again = NULL; /* of its own, so that reading behind it is seen */
    memcpy(bytes, p + 10, n);
    p += 10 + n;
    if (accepted) {
      memcpy(&m, p, 8);
      again = p + 8;
      p += 8 + m;
    }
    br_arena arena = {0};
    br_reader r = br_read(bytes, n, &arena);
    sample_All a;
    sample_Msg msg;
    if (is_msg) sample_read_Msg(&r, &msg);
    else sample_read_All(&r, &a);
    const char *why = br_finish(&r);
    if ((why == NULL) != accepted) {
      printf("case %zu: %s, Go says %d\n", (size_t)i, why ? why : "accepted", accepted);
      return 1;
    }
    if (accepted) {
      br_writer w = {0};
      if (is_msg) sample_write_Msg(&w, &msg);
      else sample_write_All(&w, &a);
      if (w.why != NULL || w.len != m || memcmp(w.data, again, m) != 0) {
        printf("case %zu: written otherwise: %s\n", (size_t)i, w.why ? w.why : "");
        return 1;
      }
      free(w.data);
      good++;
    }
    br_arena_free(&arena);
    free(bytes);
  }
  free(all);
  printf("%zu cases, %zu accepted\n", (size_t)cases, (size_t)good);
  return 0;
}
