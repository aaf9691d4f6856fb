// The host: it lists its sides, then measures the one that each line of its input names, and prints the figure.

#include "bench.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char keys[KEYS][24];
size_t key_len[KEYS];

extern const side inline_sides[], exported_sides[], conc_sides[], actor_sides[], plain_sides[];
bool ours_start(void);
#ifdef HAVE_RUST
extern const side rust_sides[];
#endif
#ifdef HAVE_LUA
extern const side lua_sides[];
bool lua_start(void);
#endif
#ifdef HAVE_PYTHON
extern const side python_sides[];
bool python_start(void);
#endif
#ifdef HAVE_GLIB
extern const side glib_sides[];
#endif

static const side *const all[] = {
    inline_sides,
    exported_sides,
    conc_sides,
    actor_sides,
    plain_sides,
#ifdef HAVE_RUST
    rust_sides,
#endif
#ifdef HAVE_LUA
    lua_sides,
#endif
#ifdef HAVE_PYTHON
    python_sides,
#endif
#ifdef HAVE_GLIB
    glib_sides,
#endif
};

enum { FILES = sizeof all / sizeof *all };

double resident(void) {
  long pages = 0, got = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL) return 0;
  if (fscanf(f, "%ld %ld", &pages, &got) != 2) got = 0;
  fclose(f);
  return (double)got * (double)sysconf(_SC_PAGESIZE);
}

int main(void) {
  for (int i = 0; i < KEYS; i++) key_len[i] = (size_t)snprintf(keys[i], sizeof keys[i], "key_%05d_abcdefgh", i * 7919 % 100003);
  if (!ours_start()) return 1;
#ifdef HAVE_LUA
  if (!lua_start()) return 1;
#endif
#ifdef HAVE_PYTHON
  if (!python_start()) return 1;
#endif
  for (int i = 0; i < FILES; i++)
    for (const side *s = all[i]; s->row != NULL; s++) printf("%s %s\n", s->row, s->name);
  puts(".");
  fflush(stdout);
  char row[64], name[64];
  long less;
  while (scanf("%63s %63s %ld", row, name, &less) == 3) {
    double ns = -1;
    for (int i = 0; i < FILES; i++)
      for (const side *s = all[i]; s->row != NULL; s++)
        if (strcmp(s->row, row) == 0 && strcmp(s->name, name) == 0) ns = s->f(s->n / less > 0 ? s->n / less : 1);
    printf("%.4f\n", ns);
    fflush(stdout);
  }
  return 0;
}
