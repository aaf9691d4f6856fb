#include <stdbool.h>
#include <stdint.h>
#define API(type) extern type

typedef struct { float x, y; } point;
enum colour { RED, GREEN };
typedef void (*visit)(point p, void *user);

API(int32_t) shape_count(const char *name);
API(double) shape_area(point p, double scale);
API(bool) shape_closed(void *shape);
API(int) shape_valid(void *shape);
API(void) shape_paint(void *shape, enum colour c, uint8_t alpha);
API(void) shape_each(void *shape, visit v, void *user);
API(int) shape_log(const char *format, ...);
API(int64_t) shape_id(void *shape), shape_old();
