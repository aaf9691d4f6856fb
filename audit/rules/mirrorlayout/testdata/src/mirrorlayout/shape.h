#include <stdint.h>

#define LABEL (4 * 4)

typedef struct shape {
  char kind;
  int64_t id;
  union {
    float radius;
    int sides;
  };
  char label[LABEL];
  unsigned visible : 1, layer : 7;
} shape;

struct pair {
  uint32_t first;
  uint32_t second;
};

#pragma pack(push, 1)
struct packet {
  char tag;
  uint32_t length;
};
#pragma pack(pop)
