// Doubles of the classes of Metal and Metal Performance Shaders for GNU's Objective-C runtime with GNUstep's Foundation. They compute on
// the processor, count live objects, check what Apple documents, and fail on request.
#import <Foundation/Foundation.h>
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#define INC(v) __atomic_add_fetch(&(v), 1, __ATOMIC_SEQ_CST)
#define DEC(v) __atomic_sub_fetch(&(v), 1, __ATOMIC_SEQ_CST)
#define GET(v) __atomic_load_n(&(v), __ATOMIC_SEQ_CST)

// --- what tests read and set ---------------------------------------------------------------------------------------------

enum { FNone, FNil, FError, FThrow, FThrowCxx, FThrowOther, FThrowEvil, FGPU, FHang, FLate };
static long dbl_live, dbl_misuse, dbl_overlaps, dbl_calls, dbl_commits, dbl_fired;
static int dbl_kind;
static long dbl_at; // calls (or commits) until it happens
static long dbl_code;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; // of all that follows, and of the command buffers
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static long dbl_flushes, dbl_unhangs, dbl_completions;
static char dbl_last[256];
static long dbl_threads; // that run command buffers

long dbl_get(int k) {
  switch (k) {
  case 0: return GET(dbl_live);
  case 1: return GET(dbl_misuse);
  case 2: return GET(dbl_overlaps);
  case 3: return GET(dbl_calls);
  case 4: return GET(dbl_commits);
  case 5: return GET(dbl_fired);
  }
  return -1;
}
const char *dbl_misused(void) { return dbl_last; }
void dbl_arm(int kind, long at, long code) {
  pthread_mutex_lock(&mu);
  dbl_kind = kind; dbl_at = at; dbl_code = code; dbl_calls = dbl_commits = dbl_fired = 0;
  pthread_mutex_unlock(&mu);
}
// dbl_release lets buffers that hang end, and those that are late complete.
void dbl_release(void) { pthread_mutex_lock(&mu); dbl_unhangs++; dbl_flushes++; pthread_cond_broadcast(&cv); pthread_mutex_unlock(&mu); }
void dbl_throw_cxx(void);

// dbl_settle waits until no thread of ours runs: what they release is released then.
void dbl_settle(void) { pthread_mutex_lock(&mu); while (dbl_threads) pthread_cond_wait(&cv, &mu); pthread_mutex_unlock(&mu); }

static void misuse(const char *what) { INC(dbl_misuse); pthread_mutex_lock(&mu); strncpy(dbl_last, what, sizeof dbl_last - 1); pthread_mutex_unlock(&mu); }

@interface DblThing : NSObject @end
@implementation DblThing
- (NSString *)reason { return @"not an NSException"; }
@end

@interface DblEvil : NSException @end
@implementation DblEvil
- (NSString *)reason { @throw self; }
@end

// enter counts a call, and fails it if it is the one: 0, FNil, or FError.
static int enter(const char *name) {
  int f = 0;
  pthread_mutex_lock(&mu);
  if (dbl_kind >= FNil && dbl_kind <= FThrowEvil && dbl_at == dbl_calls) { f = dbl_kind; dbl_kind = FNone; dbl_fired++; }
  dbl_calls++;
  pthread_mutex_unlock(&mu);
  switch (f) {
  case FThrow: [NSException raise:NSInternalInconsistencyException format:@"%s failed (double)", name];
  case FThrowCxx: dbl_throw_cxx();
  case FThrowEvil: [DblEvil raise:@"DblEvilName" format:@"unsaid"];
  case FThrowOther: @throw [[[DblThing alloc] init] autorelease];
  }
  return f;
}

// atCommit is what a commit does: 0, FGPU, FHang, FLate.
static int atCommit(long *code) {
  int f = 0;
  pthread_mutex_lock(&mu);
  if (dbl_kind >= FGPU && dbl_at == dbl_commits) { f = dbl_kind; *code = dbl_code; dbl_kind = FNone; dbl_fired++; }
  dbl_commits++;
  pthread_mutex_unlock(&mu);
  return f;
}

static NSError *errorOf(NSString *domain, long code, NSString *text) {
  return [NSError errorWithDomain:domain code:code userInfo:[NSDictionary dictionaryWithObject:text forKey:NSLocalizedDescriptionKey]];
}

@interface DblObject : NSObject @end
@implementation DblObject
+ (id)allocWithZone:(NSZone *)z { id o = [super allocWithZone:z]; if (o) INC(dbl_live); return o; }
- (void)dealloc { DEC(dbl_live); [super dealloc]; }
@end

typedef struct { NSUInteger x, y, z; } Size3;
typedef struct { uint32_t a, b, c, d; } Offsets;
typedef struct Block { void *isa; int flags, reserved; void (*invoke)(struct Block *, id); void *desc; } Block;

// --- numbers ---------------------------------------------------------------------------------------------------------------

enum { F32 = 0x10000020, F16 = 0x10000010, BF16 = 0x90000010, U32 = 32 };
static float fromHalf(uint16_t h) {
  int e = h >> 10 & 31, m = h & 0x3ff;
  float v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexpf(m + 1024, e - 25) : ldexpf(m, -24);
  return h & 0x8000 ? -v : v;
}
static uint16_t toHalf(double d) {
  uint16_t s = signbit(d) ? 0x8000 : 0;
  d = fabs(d);
  if (isnan(d)) return s | 0x7e00;
  if (d >= 65520) return s | 0x7c00;
  if (d < 0x1p-14) return s | (uint16_t)nearbyint(d * 0x1p24);
  int e; double f = frexp(d, &e); // d = f 2^e, f in [.5, 1)
  return s | (uint16_t)(((e + 14) << 10) + (int)nearbyint((f * 2 - 1) * 1024));
}
static double load(const void *p, unsigned t) {
  switch (t) {
  case F32: return *(const float *)p;
  case F16: return fromHalf(*(const uint16_t *)p);
  case BF16: { uint32_t u = (uint32_t)*(const uint16_t *)p << 16; float f; memcpy(&f, &u, 4); return f; }
  case U32: return *(const uint32_t *)p;
  case 0x20000020: return *(const int32_t *)p;
  case 0x20000010: return *(const int16_t *)p;
  case 0x20000008: return *(const int8_t *)p;
  }
  misuse("an element type that the double has not");
  return 0;
}
static void store(void *p, unsigned t, double v) {
  switch (t) {
  case F32: *(float *)p = (float)v; return;
  case F16: *(uint16_t *)p = toHalf(v); return;
  case BF16: { float f = (float)v; uint32_t u; memcpy(&u, &f, 4); *(uint16_t *)p = isnan(f) ? 0x7fc0 : (u + 0x7fff + (u >> 16 & 1)) >> 16; return; }
  case U32: *(uint32_t *)p = (uint32_t)v; return;
  }
  misuse("an element type that the double has not");
}

// --- buffers, matrices, vectors --------------------------------------------------------------------------------------------

@interface DblBuffer : DblObject { @public uint8_t *p; NSUInteger n; } @end
@implementation DblBuffer
- (void *)contents { if (enter("contents")) return 0; return p; }
- (NSUInteger)length { enter("length"); return n; }
- (void)didModifyRange:(NSRange)r { enter("didModifyRange:"); if (r.location > n || r.length > n - r.location) misuse("didModifyRange: outside the buffer"); }
- (void)dealloc { memset(p, 0xdd, n); free(p); [super dealloc]; }
@end

@interface MPSMatrixDescriptor : DblObject { @public NSUInteger rows, columns, matrices, rowBytes, matrixBytes; unsigned dataType; } @end
@implementation MPSMatrixDescriptor
+ (id)matrixDescriptorWithRows:(NSUInteger)r columns:(NSUInteger)c matrices:(NSUInteger)m rowBytes:(NSUInteger)rb matrixBytes:(NSUInteger)mb dataType:(unsigned)t {
  if (enter("matrixDescriptor")) return nil;
  MPSMatrixDescriptor *d = [[[self alloc] init] autorelease];
  d->rows = r; d->columns = c; d->matrices = m; d->rowBytes = rb; d->matrixBytes = mb; d->dataType = t;
  return d;
}
+ (id)matrixDescriptorWithRows:(NSUInteger)r columns:(NSUInteger)c rowBytes:(NSUInteger)rb dataType:(unsigned)t {
  return [self matrixDescriptorWithRows:r columns:c matrices:1 rowBytes:rb matrixBytes:rb * r dataType:t];
}
+ (NSUInteger)rowBytesForColumns:(NSUInteger)c dataType:(unsigned)t { enter("rowBytes"); return (c * ((t & 0xffff) / 8) + 15) & ~(NSUInteger)15; }
- (NSUInteger)rows { return rows; }
- (NSUInteger)columns { return columns; }
- (NSUInteger)matrices { return matrices; }
- (NSUInteger)rowBytes { return rowBytes; }
- (NSUInteger)matrixBytes { return matrixBytes; }
- (unsigned)dataType { return dataType; }
@end

@interface MPSVectorDescriptor : DblObject { @public NSUInteger length, vectors, vectorBytes; unsigned dataType; } @end
@implementation MPSVectorDescriptor
+ (id)vectorDescriptorWithLength:(NSUInteger)n vectors:(NSUInteger)v vectorBytes:(NSUInteger)vb dataType:(unsigned)t {
  if (enter("vectorDescriptor")) return nil;
  MPSVectorDescriptor *d = [[[self alloc] init] autorelease];
  d->length = n; d->vectors = v; d->vectorBytes = vb; d->dataType = t;
  return d;
}
+ (id)vectorDescriptorWithLength:(NSUInteger)n dataType:(unsigned)t { return [self vectorDescriptorWithLength:n vectors:1 vectorBytes:n * ((t & 0xffff) / 8) dataType:t]; }
+ (NSUInteger)vectorBytesForLength:(NSUInteger)n dataType:(unsigned)t { enter("vectorBytes"); return (n * ((t & 0xffff) / 8) + 15) & ~(NSUInteger)15; }
- (NSUInteger)length { return length; }
- (NSUInteger)vectors { return vectors; }
- (NSUInteger)vectorBytes { return vectorBytes; }
- (unsigned)dataType { return dataType; }
@end

// DblArray is a matrix or a vector: count of rows x columns.
@interface DblArray : DblObject { @public DblBuffer *buf; NSUInteger off, rows, columns, count, rowBytes, bytes; unsigned type; } @end
@implementation DblArray
- (id)place:(DblBuffer *)b at:(NSUInteger)o {
  NSUInteger e = (type & 0xffff) / 8;
  if (!b || !e || !rows || !columns || !count || rowBytes % e || rowBytes < columns * e || (count > 1 && (bytes % rowBytes || bytes < rows * rowBytes)) || o % e) {
    misuse("a matrix whose descriptor is undefined behaviour");
    [self release];
    return nil;
  }
  if (o > b->n || (count - 1) * bytes + (rows - 1) * rowBytes + columns * e > b->n - o) { misuse("a matrix that does not fit its buffer"); [self release]; return nil; }
  buf = [b retain]; off = o;
  return self;
}
- (void)dealloc { [buf release]; [super dealloc]; }
- (NSUInteger)rows { return rows; }
- (NSUInteger)columns { return columns; }
- (id)data { return buf; }
- (void)synchronizeOnCommandBuffer:(id)c { enter("synchronizeOnCommandBuffer:"); }
@end
@interface MPSMatrix : DblArray @end
@implementation MPSMatrix
- (id)initWithBuffer:(id)b offset:(NSUInteger)o descriptor:(id)desc {
  if (enter("MPSMatrix init") || !desc) { [self release]; return nil; }
  MPSMatrixDescriptor *d = desc;
  rows = d->rows; columns = d->columns; count = d->matrices; rowBytes = d->rowBytes; bytes = d->matrixBytes; type = d->dataType;
  return [self place:b at:o];
}
- (id)initWithBuffer:(id)b descriptor:(id)desc { return [self initWithBuffer:b offset:0 descriptor:desc]; }
@end
@interface MPSVector : DblArray @end
@implementation MPSVector
- (id)initWithBuffer:(id)b offset:(NSUInteger)o descriptor:(id)desc {
  if (enter("MPSVector init") || !desc) { [self release]; return nil; }
  MPSVectorDescriptor *d = desc;
  rows = 1; columns = d->length; count = d->vectors; rowBytes = bytes = d->vectorBytes; type = d->dataType;
  return [self place:b at:o];
}
- (id)initWithBuffer:(id)b descriptor:(id)desc { return [self initWithBuffer:b offset:0 descriptor:desc]; }
- (NSUInteger)length { return columns; }
@end
static void *at(DblArray *m, NSUInteger b, NSUInteger i, NSUInteger j) {
  if (b >= m->count) { misuse("a batch that goes on after the last matrix of an operand"); b = 0; }
  if (i >= m->rows || j >= m->columns) { misuse("a kernel reads outside its matrix"); i = j = 0; }
  return m->buf->p + m->off + b * m->bytes + i * m->rowBytes + j * ((m->type & 0xffff) / 8);
}
static double get(DblArray *m, NSUInteger b, NSUInteger i, NSUInteger j) { return load(at(m, b, i, j), m->type); }
static void put(DblArray *m, NSUInteger b, NSUInteger i, NSUInteger j, double v) { store(at(m, b, i, j), m->type, v); }

// --- devices, queues, command buffers --------------------------------------------------------------------------------------

typedef struct Op { int (*fn)(struct Op *); id a[32]; NSUInteger n[8]; double x[4]; uint8_t *bytes[32]; uint64_t sizes[32], offsets[32]; struct Op *next; } Op;

@interface DblDevice : DblObject @end
@interface DblQueue : DblObject { @public DblDevice *dev; NSUInteger limit, open; long tickets, turn; } @end
@interface DblCmd : DblObject { @public DblQueue *q; Op *first, *last; NSUInteger status; NSError *err; Block *h[8]; int nh, fault, counted, encoding; long code, ticket, unhangs, flushes; BOOL over; } @end
@interface DblEncoder : DblObject { @public DblCmd *c; Op now; BOOL ended; } @end

static Op *append(DblCmd *c, int (*fn)(Op *)) {
  Op *o = calloc(1, sizeof *o);
  o->fn = fn;
  if (c->status >= 2) { free(o); [NSException raise:NSInternalInconsistencyException format:@"encoding into a command buffer that is committed"]; }
  if (c->last) c->last->next = o; else c->first = o;
  c->last = o;
  return o;
}
static void hold(Op *o, int i, id v) { o->a[i] = [v retain]; }
static void dropOp(Op *o) { for (int i = 0; i < 32; i++) { [o->a[i] release]; free(o->bytes[i]); } }

@implementation DblCmd
- (void)leave { // the queue's count, with mu held
  if (counted) { counted = 0; q->open--; pthread_cond_broadcast(&cv); }
}
- (void)dealloc {
  pthread_mutex_lock(&mu); [self leave]; pthread_mutex_unlock(&mu);
  for (Op *o = first, *n; o; o = n) { n = o->next; dropOp(o); free(o); }
  [err release]; [q release];
  [super dealloc];
}
- (void)addCompletedHandler:(id)b {
  enter("addCompletedHandler:");
  if (status >= 2) [NSException raise:NSInternalInconsistencyException format:@"Completed handler provided after commit call"];
  if (nh < 8) h[nh++] = (Block *)b; // a real runtime copies it; a global block is itself
}
- (NSUInteger)status { enter("status"); pthread_mutex_lock(&mu); NSUInteger s = status; pthread_mutex_unlock(&mu); return s; }
- (NSError *)error { enter("error"); pthread_mutex_lock(&mu); NSError *e = [[err retain] autorelease]; pthread_mutex_unlock(&mu); return e; }
- (double)GPUStartTime { enter("GPUStartTime"); return status >= 4 ? 1 : 0; }
- (double)GPUEndTime { enter("GPUEndTime"); return status >= 4 ? 1.5 : 0; }
- (id)computeCommandEncoder {
  if (enter("computeCommandEncoder")) return nil;
  if (encoding) [NSException raise:NSInternalInconsistencyException format:@"an encoder is open"];
  encoding = 1;
  DblEncoder *e = [[[DblEncoder alloc] init] autorelease];
  e->c = [self retain];
  return e;
}
static const char *why(int rc) {
  return rc == -1 ? "no such kernel" : rc == -2 ? "an argument is missing or short" : rc == -3 ? "an argument is misaligned" : rc == -4 ? "the grid is empty or too large" :
    rc == -5 ? "threads met different barriers" : "Caused GPU Address Fault Error (double)";
}
static void *work(void *p) {
  DblCmd *c = p;
  NSAutoreleasePool *pool = [[NSAutoreleasePool alloc] init];
  DblQueue *q = c->q;
  pthread_mutex_lock(&mu);
  while (q->turn != c->ticket) pthread_cond_wait(&cv, &mu); // buffers of a queue run in order
  c->status = 3;
  if (c->fault == FHang) while (dbl_unhangs == c->unhangs) pthread_cond_wait(&cv, &mu);
  pthread_mutex_unlock(&mu);
  int rc = 0;
  if (c->fault != FHang && c->fault != FGPU) for (Op *o = c->first; o && !rc; o = o->next) rc = o->fn(o);
  NSError *e = nil;
  if (c->fault == FHang) e = errorOf(@"MTLCommandBufferErrorDomain", 2, @"Caused GPU Timeout Error (double)");
  else if (c->fault == FGPU) e = errorOf(@"MTLCommandBufferErrorDomain", c->code, @"Caused GPU Address Fault Error (double)");
  else if (rc) e = errorOf(@"MTLCommandBufferErrorDomain", 3, [NSString stringWithUTF8String:why(rc)]);
  pthread_mutex_lock(&mu);
  q->turn++;
  pthread_cond_broadcast(&cv);
  long done = dbl_completions;
  if (c->fault == FLate) while (dbl_completions == done && dbl_flushes == c->flushes) pthread_cond_wait(&cv, &mu);
  c->err = [e retain];
  c->status = e ? 5 : 4;
  [c leave];
  pthread_mutex_unlock(&mu);
  for (int i = 0; i < c->nh; i++) c->h[i]->invoke(c->h[i], c);
  pthread_mutex_lock(&mu);
  dbl_completions++; c->over = YES;
  pthread_cond_broadcast(&cv);
  pthread_mutex_unlock(&mu);
  [c release];
  [pool drain];
  pthread_mutex_lock(&mu); dbl_threads--; pthread_cond_broadcast(&cv); pthread_mutex_unlock(&mu);
  return 0;
}
- (void)commit {
  enter("commit");
  if (status >= 2) [NSException raise:NSInternalInconsistencyException format:@"commit an already committed command buffer"];
  if (encoding) { misuse("commit with an open encoder"); [NSException raise:NSInternalInconsistencyException format:@"commit command buffer with uncommitted encoder"]; }
  fault = atCommit(&code);
  pthread_mutex_lock(&mu);
  status = 2; ticket = q->tickets++; dbl_threads++;
  unhangs = dbl_unhangs; flushes = dbl_flushes;
  pthread_mutex_unlock(&mu);
  [self retain];
  pthread_t t;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&t, &attr, work, self)) abort();
  pthread_attr_destroy(&attr);
}
- (void)waitUntilCompleted { enter("waitUntilCompleted"); pthread_mutex_lock(&mu); while (!over) pthread_cond_wait(&cv, &mu); pthread_mutex_unlock(&mu); }
@end

@implementation DblQueue
- (id)commandBuffer {
  if (enter("commandBuffer")) return nil;
  pthread_mutex_lock(&mu);
  while (open >= limit) pthread_cond_wait(&cv, &mu);
  open++;
  pthread_mutex_unlock(&mu);
  DblCmd *c = [[[DblCmd alloc] init] autorelease];
  c->q = [self retain]; c->counted = 1;
  return c;
}
- (void)dealloc { [dev release]; [super dealloc]; }
@end

// --- Metal source: compiled beforehand, found by its text ------------------------------------------------------------------

typedef struct Source { char *text; int (*has)(const char *); int (*run)(const char *, void *const *, const uint64_t *, int, const uint64_t *, const uint64_t *); struct Source *next; } Source;
static Source *sources;
int dbl_source(const char *text, const char *library) {
  void *l = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  Source *s = calloc(1, sizeof *s);
  if (!l || !(s->has = dlsym(l, "isthmus_msl_has")) || !(s->run = dlsym(l, "isthmus_msl_run"))) { free(s); return 0; }
  s->text = strdup(text);
  pthread_mutex_lock(&mu); s->next = sources; sources = s; pthread_mutex_unlock(&mu);
  return 1;
}
@interface DblFunction : DblObject { @public Source *s; NSString *name; } @end
@implementation DblFunction
- (NSString *)name { enter("name"); return [[name retain] autorelease]; }
- (void)dealloc { [name release]; [super dealloc]; }
@end
@interface DblLibrary : DblObject { @public Source *s; } @end
@implementation DblLibrary
- (id)newFunctionWithName:(NSString *)n {
  if (enter("newFunctionWithName:") || !s->has([n UTF8String])) return nil;
  DblFunction *f = [[DblFunction alloc] init];
  f->s = s; f->name = [n copy];
  return f;
}
@end
@interface DblPipeline : DblObject { @public DblFunction *f; } @end
@implementation DblPipeline
- (NSUInteger)maxTotalThreadsPerThreadgroup { enter("maxTotalThreads"); return 1024; }
- (NSUInteger)threadExecutionWidth { enter("threadExecutionWidth"); return 32; }
- (void)dealloc { [f release]; [super dealloc]; }
@end
static int dispatch(Op *o) {
  DblPipeline *s = o->a[31];
  void *b[31]; uint64_t sizes[31] = {0};
  for (int i = 0; i < 31; i++) {
    b[i] = o->bytes[i]; sizes[i] = o->sizes[i];
    if (o->a[i]) { DblBuffer *x = o->a[i]; b[i] = x->p + o->offsets[i]; sizes[i] = x->n - o->offsets[i]; }
  }
  uint64_t g[3] = {o->n[0], o->n[1], o->n[2]}, t[3] = {o->n[3], o->n[4], o->n[5]};
  int rc = s->f->s->run([s->f->name UTF8String], b, sizes, 31, g, t);
  if (rc) misuse(why(rc));
  return rc;
}
@implementation DblEncoder
- (void)check { if (ended) [NSException raise:NSInternalInconsistencyException format:@"the encoder has ended"]; }
- (void)setComputePipelineState:(id)s { enter("setComputePipelineState:"); [self check]; [now.a[31] release]; hold(&now, 31, s); }
- (void)clear:(NSUInteger)i {
  [self check];
  if (i > 30) { misuse("an index of an argument above 30"); [NSException raise:NSRangeException format:@"index %lu", (unsigned long)i]; }
  [now.a[i] release]; now.a[i] = nil; free(now.bytes[i]); now.bytes[i] = 0; now.sizes[i] = 0;
}
- (void)setBuffer:(id)b offset:(NSUInteger)o atIndex:(NSUInteger)i {
  enter("setBuffer:offset:atIndex:"); [self clear:i];
  if (b && o >= ((DblBuffer *)b)->n) { misuse("an offset outside the buffer"); return; }
  hold(&now, i, b); now.offsets[i] = o;
}
- (void)setBytes:(const void *)p length:(NSUInteger)n atIndex:(NSUInteger)i {
  enter("setBytes:length:atIndex:"); [self clear:i];
  if (n == 0 || n > 4096) { misuse("setBytes of more than 4096 bytes, or none"); return; }
  now.bytes[i] = malloc(n); memcpy(now.bytes[i], p, n); now.sizes[i] = n;
}
- (void)setThreadgroupMemoryLength:(NSUInteger)n atIndex:(NSUInteger)i { enter("setThreadgroupMemoryLength:atIndex:"); if (n % 16) misuse("threadgroup memory that is no multiple of 16"); }
- (void)dispatchThreadgroups:(Size3)g threadsPerThreadgroup:(Size3)t {
  enter("dispatchThreadgroups:"); [self check];
  if (!now.a[31]) { misuse("dispatch without a pipeline"); [NSException raise:NSInternalInconsistencyException format:@"no pipeline"]; }
  Op *o = append(c, dispatch);
  for (int i = 0; i < 32; i++) {
    hold(o, i, now.a[i]); o->sizes[i] = now.sizes[i]; o->offsets[i] = now.offsets[i];
    if (now.bytes[i]) { o->bytes[i] = malloc(now.sizes[i]); memcpy(o->bytes[i], now.bytes[i], now.sizes[i]); }
  }
  NSUInteger n[6] = {g.x, g.y, g.z, t.x, t.y, t.z};
  memcpy(o->n, n, sizeof n);
}
- (void)endEncoding { enter("endEncoding"); [self check]; ended = YES; c->encoding = 0; }
- (void)dealloc {
  if (!ended && c->status < 2 && [c retainCount] > 1) misuse("an encoder released before it ended");
  dropOp(&now); [c release];
  [super dealloc];
}
@end

// MTLCompileOptions has the defaults of Apple's: a compiler that is told nothing is fast.
@interface MTLCompileOptions : DblObject { @public NSInteger mode; } @end
@implementation MTLCompileOptions
- (id)init { if (enter("MTLCompileOptions init")) { [self release]; return nil; } if ((self = [super init])) mode = 2; return self; }
- (void)setFastMathEnabled:(BOOL)b { enter("setFastMathEnabled:"); mode = b ? 2 : 0; }
- (void)setMathMode:(NSInteger)m { enter("setMathMode:"); mode = m; }
@end

@implementation DblDevice
- (NSString *)name { if (enter("name")) return nil; return @"Double M0"; }
- (BOOL)hasUnifiedMemory { enter("hasUnifiedMemory"); return YES; }
- (NSUInteger)maxBufferLength { enter("maxBufferLength"); return 1ul << 34; }
- (uint64_t)recommendedMaxWorkingSetSize { enter("recommendedMaxWorkingSetSize"); return 1ul << 34; }
- (uint64_t)registryID { enter("registryID"); return 0x15; }
- (BOOL)supportsFamily:(NSInteger)f { enter("supportsFamily:"); return f == 5001 || f == 1007; }
- (Size3)maxThreadsPerThreadgroup { enter("maxThreadsPerThreadgroup"); return (Size3){1024, 1024, 64}; }
- (id)newCommandQueueWithMaxCommandBufferCount:(NSUInteger)n {
  if (enter("newCommandQueue")) return nil;
  if (n == 0) [NSException raise:NSInvalidArgumentException format:@"a queue of no command buffers"];
  DblQueue *q = [[DblQueue alloc] init];
  q->dev = [self retain]; q->limit = n;
  return q;
}
- (id)newBufferWithLength:(NSUInteger)n options:(NSUInteger)o {
  if (enter("newBufferWithLength:options:") || n == 0 || n > (1ul << 34)) return nil;
  void *p = 0;
  if (posix_memalign(&p, 256, n)) return nil;
  memset(p, 0, n);
  DblBuffer *b = [[DblBuffer alloc] init];
  b->p = p; b->n = n;
  return b;
}
- (id)newBufferWithBytes:(const void *)p length:(NSUInteger)n options:(NSUInteger)o {
  DblBuffer *b = [self newBufferWithLength:n options:o];
  if (b) memcpy(b->p, p, n);
  return b;
}
- (id)newLibraryWithSource:(NSString *)text options:(MTLCompileOptions *)o error:(NSError **)e {
  int f = enter("newLibraryWithSource:options:error:");
  if (!o || o->mode) misuse("source compiled with fast math, which leaves NaN and infinities undefined");
  Source *s = 0;
  if (!f) { pthread_mutex_lock(&mu); for (s = sources; s && strcmp(s->text, [text UTF8String]); s = s->next) {} pthread_mutex_unlock(&mu); }
  if (!s) {
    if (e && f != FNil) *e = errorOf(@"MTLLibraryErrorDomain", 3, [NSString stringWithFormat:@"program_source:1: error (%lu bytes)", (unsigned long)[text length]]);
    return nil;
  }
  if (e) *e = errorOf(@"MTLLibraryErrorDomain", 4, @"a warning"); // as real compilers do beside a result
  DblLibrary *l = [[DblLibrary alloc] init];
  l->s = s;
  return l;
}
- (id)newComputePipelineStateWithFunction:(id)fn error:(NSError **)e {
  int f = enter("newComputePipelineStateWithFunction:error:");
  if (f || !fn) {
    if (e && f != FNil) *e = errorOf(@"AGXMetalDouble", 1, @"no pipeline (double)");
    return nil;
  }
  DblPipeline *s = [[DblPipeline alloc] init];
  s->f = [fn retain];
  return s;
}
@end

id MTLCreateSystemDefaultDevice(void) { if (enter("MTLCreateSystemDefaultDevice")) return nil; return [[DblDevice alloc] init]; }

// --- kernels ---------------------------------------------------------------------------------------------------------------

@interface MPSKernel : DblObject { @public id device; int busy; NSUInteger start, size; } @end
@implementation MPSKernel
- (id)initWithDevice:(id)d {
  if (enter("MPSKernel init") || !d) { [self release]; return nil; }
  if ((self = [super init])) { device = [d retain]; size = NSUIntegerMax; }
  return self;
}
- (void)dealloc { [device release]; [super dealloc]; }
- (void)setBatchStart:(NSUInteger)n { enter("setBatchStart:"); start = n; }
- (void)setBatchSize:(NSUInteger)n { enter("setBatchSize:"); size = n; }
- (void)used { // by one thread at a time; what throws here must not leave it busy
  if (__atomic_exchange_n(&busy, 1, __ATOMIC_SEQ_CST)) INC(dbl_overlaps);
  sched_yield();
  __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
}
- (Op *)op:(int (*)(Op *))fn on:(id)c result:(DblArray *)r {
  [self used];
  enter("encode");
  if (!c || !r) { misuse("encoding without a command buffer or a result"); [NSException raise:NSInvalidArgumentException format:@"nil"]; }
  Op *o = append(c, fn);
  o->n[6] = start; o->n[7] = r->count - start < size ? r->count - start : size;
  if (start >= r->count) { misuse("a batch that begins after the last matrix"); o->n[7] = 0; }
  return o;
}
@end
#define EACH(o, b) for (NSUInteger b = (o)->n[6]; b < (o)->n[6] + (o)->n[7]; b++)

@interface MPSMatrixMultiplication : MPSKernel { @public BOOL tl, tr; NSUInteger m, n, k; double alpha, beta; } @end
static int gemm(Op *o) {
  DblArray *A = o->a[0], *B = o->a[1], *C = o->a[2];
  EACH(o, b) for (NSUInteger i = 0; i < o->n[0]; i++) for (NSUInteger j = 0; j < o->n[1]; j++) {
    double s = 0;
    for (NSUInteger k = 0; k < o->n[2]; k++) s += (o->n[3] & 1 ? get(A, b, k, i) : get(A, b, i, k)) * (o->n[3] & 2 ? get(B, b, j, k) : get(B, b, k, j));
    put(C, b, i, j, o->x[0] * s + (o->x[1] ? o->x[1] * get(C, b, i, j) : 0));
  }
  return 0;
}
@implementation MPSMatrixMultiplication
- (id)initWithDevice:(id)dev transposeLeft:(BOOL)l transposeRight:(BOOL)r resultRows:(NSUInteger)rr resultColumns:(NSUInteger)rc interiorColumns:(NSUInteger)ic alpha:(double)a beta:(double)b {
  if ((self = [super initWithDevice:dev])) { tl = l; tr = r; m = rr; n = rc; k = ic; alpha = a; beta = b; }
  return self;
}
- (void)encodeToCommandBuffer:(id)c leftMatrix:(MPSMatrix *)A rightMatrix:(MPSMatrix *)B resultMatrix:(MPSMatrix *)C {
  Op *o = [self op:gemm on:c result:C];
  hold(o, 0, A); hold(o, 1, B); hold(o, 2, C);
  o->n[0] = m; o->n[1] = n; o->n[2] = k; o->n[3] = (tl ? 1 : 0) | (tr ? 2 : 0); o->x[0] = alpha; o->x[1] = beta;
}
@end

@interface MPSMatrixVectorMultiplication : MPSKernel { @public BOOL t; NSUInteger m, n; double alpha, beta; } @end
static int gemv(Op *o) {
  DblArray *A = o->a[0], *x = o->a[1], *y = o->a[2];
  EACH(o, b) for (NSUInteger i = 0; i < o->n[0]; i++) {
    double s = 0;
    for (NSUInteger k = 0; k < o->n[1]; k++) s += (o->n[2] ? get(A, b, k, i) : get(A, b, i, k)) * get(x, b, 0, k);
    put(y, b, 0, i, o->x[0] * s + (o->x[1] ? o->x[1] * get(y, b, 0, i) : 0));
  }
  return 0;
}
@implementation MPSMatrixVectorMultiplication
- (id)initWithDevice:(id)dev transpose:(BOOL)tr rows:(NSUInteger)r columns:(NSUInteger)c alpha:(double)a beta:(double)b {
  if ((self = [super initWithDevice:dev])) { t = tr; m = r; n = c; alpha = a; beta = b; }
  return self;
}
- (void)encodeToCommandBuffer:(id)c inputMatrix:(MPSMatrix *)A inputVector:(MPSVector *)x resultVector:(MPSVector *)y {
  Op *o = [self op:gemv on:c result:y];
  hold(o, 0, A); hold(o, 1, x); hold(o, 2, y);
  o->n[0] = m; o->n[1] = n; o->n[2] = t; o->x[0] = alpha; o->x[1] = beta;
}
@end

@interface MPSMatrixSoftMax : MPSKernel { @public NSUInteger rows, columns; } @end
static int softmax(Op *o) {
  DblArray *A = o->a[0], *B = o->a[1];
  NSUInteger m = o->n[0] ? o->n[0] : A->rows, n = o->n[1] ? o->n[1] : A->columns;
  EACH(o, b) for (NSUInteger i = 0; i < m; i++) {
    double mx = -INFINITY, s = 0;
    for (NSUInteger j = 0; j < n; j++) mx = fmax(mx, get(A, b, i, j));
    for (NSUInteger j = 0; j < n; j++) s += exp(get(A, b, i, j) - mx);
    for (NSUInteger j = 0; j < n; j++) put(B, b, i, j, o->n[2] ? get(A, b, i, j) - mx - log(s) : exp(get(A, b, i, j) - mx) / s);
  }
  return 0;
}
@implementation MPSMatrixSoftMax
- (id)initWithDevice:(id)d { return [super initWithDevice:d]; }
- (void)setSourceRows:(NSUInteger)n { enter("setSourceRows:"); rows = n; }
- (void)setSourceColumns:(NSUInteger)n { enter("setSourceColumns:"); columns = n; }
- (NSUInteger)logarithm { return 0; }
- (void)encodeToCommandBuffer:(id)c inputMatrix:(MPSMatrix *)A resultMatrix:(MPSMatrix *)B {
  if (A && (A->type & 0x90000000) != 0x10000000) misuse("softmax of a type that MPS has not");
  Op *o = [self op:softmax on:c result:B];
  hold(o, 0, A); hold(o, 1, B);
  o->n[0] = rows; o->n[1] = columns; o->n[2] = [self logarithm];
}
@end
@interface MPSMatrixLogSoftMax : MPSMatrixSoftMax @end
@implementation MPSMatrixLogSoftMax
- (NSUInteger)logarithm { return 1; }
@end

@interface MPSMatrixNeuron : MPSKernel { @public NSUInteger rows, columns; int f; float A, B, C; double alpha; } @end
static int neuron(Op *o) {
  DblArray *x = o->a[0], *bias = o->a[1], *y = o->a[2];
  double a = o->x[1], c = o->x[2];
  EACH(o, b) for (NSUInteger i = 0; i < (o->n[0] ? o->n[0] : x->rows); i++) for (NSUInteger j = 0; j < (o->n[1] ? o->n[1] : x->columns); j++) {
    double v = o->x[0] * get(x, b, i, j) + (bias ? get(bias, b, 0, j) : 0);
    switch ((int)o->n[2]) {
    case 0: break;
    case 1: v = v >= 0 ? v : a * v; break;
    case 2: v = a * v + c; break;
    case 3: v = 1 / (1 + exp(-v)); break;
    case 5: v = a * tanh(c * v); break;
    case 15: v = v * .5 * (1 + erf(v * M_SQRT1_2)); break;
    default: misuse("a neuron that the double has not");
    }
    put(y, b, i, j, v);
  }
  return 0;
}
@implementation MPSMatrixNeuron
- (id)initWithDevice:(id)d { if ((self = [super initWithDevice:d])) alpha = 1; return self; }
- (void)setSourceNumberOfFeatureVectors:(NSUInteger)n { enter("rows"); rows = n; }
- (void)setSourceInputFeatureChannels:(NSUInteger)n { enter("columns"); columns = n; }
- (void)setNeuronType:(int)t parameterA:(float)a parameterB:(float)b parameterC:(float)c { enter("setNeuronType:"); f = t; A = a; B = b; C = c; }
- (void)setAlpha:(double)a { enter("setAlpha:"); alpha = a; }
- (void)encodeToCommandBuffer:(id)c inputMatrix:(MPSMatrix *)x biasVector:(MPSVector *)bias resultMatrix:(MPSMatrix *)y {
  Op *o = [self op:neuron on:c result:y];
  hold(o, 0, x); hold(o, 1, bias); hold(o, 2, y);
  o->n[0] = rows; o->n[1] = columns; o->n[2] = f; o->x[0] = alpha; o->x[1] = A; o->x[2] = B;
}
@end

@interface MPSMatrixSum : MPSKernel { @public NSUInteger count, rows, columns; } @end
static int sum(Op *o) {
  NSArray *all = o->a[0];
  for (NSUInteger i = 0; i < o->n[0]; i++) for (NSUInteger j = 0; j < o->n[1]; j++) {
    double s = 0;
    for (NSUInteger k = 0; k < [all count]; k++) s += get([all objectAtIndex:k], 0, i, j);
    put(o->a[1], 0, i, j, s);
  }
  return 0;
}
@implementation MPSMatrixSum
- (id)initWithDevice:(id)d count:(NSUInteger)n rows:(NSUInteger)r columns:(NSUInteger)c transpose:(BOOL)t {
  if ((self = [super initWithDevice:d])) { count = n; rows = r; columns = c; }
  return self;
}
- (void)encodeToCommandBuffer:(id)c sourceMatrices:(NSArray *)all resultMatrix:(MPSMatrix *)y scaleVector:(id)s offsetVector:(id)f biasVector:(id)b startIndex:(NSUInteger)at {
  if ([all count] < count) misuse("fewer matrices than the sum was made for");
  Op *o = [self op:sum on:c result:y];
  hold(o, 0, all); hold(o, 1, y);
  o->n[0] = rows; o->n[1] = columns;
}
@end

@interface MPSMatrixFindTopK : MPSKernel { @public NSUInteger k, rows, columns, offset; } @end
static int topk(Op *o) {
  DblArray *x = o->a[0], *ix = o->a[1], *v = o->a[2];
  EACH(o, b) for (NSUInteger i = 0; i < o->n[1]; i++) for (NSUInteger r = 0; r < o->n[0]; r++) {
    NSUInteger best = 0; BOOL any = NO;
    for (NSUInteger j = 0; j < o->n[2]; j++) {
      BOOL taken = NO;
      for (NSUInteger q = 0; q < r; q++) taken |= *(uint32_t *)at(ix, b, i, q) == j + o->n[3];
      if (!taken && (!any || get(x, b, i, j) > get(x, b, i, best))) { best = j; any = YES; }
    }
    *(uint32_t *)at(ix, b, i, r) = best + o->n[3];
    put(v, b, i, r, get(x, b, i, best));
  }
  return 0;
}
@implementation MPSMatrixFindTopK
- (id)initWithDevice:(id)d numberOfTopKValues:(NSUInteger)n {
  if (n > 16) misuse("top-k of more than 16 is undefined");
  if ((self = [super initWithDevice:d])) k = n;
  return self;
}
- (void)setSourceRows:(NSUInteger)n { enter("setSourceRows:"); rows = n; }
- (void)setSourceColumns:(NSUInteger)n { enter("setSourceColumns:"); columns = n; }
- (void)setIndexOffset:(NSUInteger)n { enter("setIndexOffset:"); offset = n; }
- (void)encodeToCommandBuffer:(id)c inputMatrix:(MPSMatrix *)x resultIndexMatrix:(MPSMatrix *)ix resultValueMatrix:(MPSMatrix *)v {
  Op *o = [self op:topk on:c result:v];
  hold(o, 0, x); hold(o, 1, ix); hold(o, 2, v);
  o->n[0] = k; o->n[1] = rows; o->n[2] = columns; o->n[3] = offset;
}
@end

static void status(DblBuffer *s, int32_t v) { if (s && s->n >= 4) memcpy(s->p, &v, 4); else if (s) misuse("a status that does not fit its buffer"); }

@interface MPSMatrixDecompositionCholesky : MPSKernel { @public BOOL lower; NSUInteger n; } @end
static int cholesky(Op *o) {
  DblArray *A = o->a[0], *R = o->a[1];
  NSUInteger n = o->n[0];
  BOOL lower = o->n[1];
  double *L = calloc(n * n, sizeof *L);
  int32_t rc = 0;
  EACH(o, b) {
    for (NSUInteger i = 0; i < n; i++) for (NSUInteger j = 0; j <= i; j++) L[i * n + j] = lower ? get(A, b, i, j) : get(A, b, j, i);
    for (NSUInteger j = 0; j < n && !rc; j++) {
      for (NSUInteger k = 0; k < j; k++) L[j * n + j] -= L[j * n + k] * L[j * n + k];
      if (!(L[j * n + j] > 0)) { rc = -3; break; }
      L[j * n + j] = sqrt(L[j * n + j]);
      for (NSUInteger i = j + 1; i < n; i++) {
        for (NSUInteger k = 0; k < j; k++) L[i * n + j] -= L[i * n + k] * L[j * n + k];
        L[i * n + j] /= L[j * n + j];
      }
    }
    for (NSUInteger i = 0; i < n; i++) for (NSUInteger j = 0; j <= i; j++) put(R, b, lower ? i : j, lower ? j : i, L[i * n + j]);
  }
  free(L);
  status(o->a[2], rc);
  return 0;
}
@implementation MPSMatrixDecompositionCholesky
- (id)initWithDevice:(id)d lower:(BOOL)l order:(NSUInteger)m { if ((self = [super initWithDevice:d])) { lower = l; n = m; } return self; }
- (void)encodeToCommandBuffer:(id)c sourceMatrix:(MPSMatrix *)A resultMatrix:(MPSMatrix *)R status:(id)s {
  Op *o = [self op:cholesky on:c result:R];
  hold(o, 0, A); hold(o, 1, R); hold(o, 2, s);
  o->n[0] = n; o->n[1] = lower;
}
@end

@interface MPSMatrixDecompositionLU : MPSKernel { @public NSUInteger m, n; } @end
static int lu(Op *o) {
  DblArray *A = o->a[0], *R = o->a[1], *P = o->a[2];
  NSUInteger m = o->n[0], n = o->n[1], min = m < n ? m : n;
  double *a = calloc(m * n, sizeof *a);
  int32_t rc = 0;
  EACH(o, b) {
    for (NSUInteger i = 0; i < m; i++) for (NSUInteger j = 0; j < n; j++) a[i * n + j] = get(A, b, i, j);
    for (NSUInteger k = 0; k < min; k++) {
      NSUInteger p = k;
      for (NSUInteger i = k + 1; i < m; i++) if (fabs(a[i * n + k]) > fabs(a[p * n + k])) p = i;
      *(uint32_t *)at(P, b, 0, k) = p;
      for (NSUInteger j = 0; j < n; j++) { double t = a[k * n + j]; a[k * n + j] = a[p * n + j]; a[p * n + j] = t; }
      if (a[k * n + k] == 0) { rc = -2; continue; }
      for (NSUInteger i = k + 1; i < m; i++) {
        a[i * n + k] /= a[k * n + k];
        for (NSUInteger j = k + 1; j < n; j++) a[i * n + j] -= a[i * n + k] * a[k * n + j];
      }
    }
    for (NSUInteger i = 0; i < m; i++) for (NSUInteger j = 0; j < n; j++) put(R, b, i, j, a[i * n + j]);
  }
  free(a);
  status(o->a[3], rc);
  return 0;
}
@implementation MPSMatrixDecompositionLU
- (id)initWithDevice:(id)d rows:(NSUInteger)r columns:(NSUInteger)c { if ((self = [super initWithDevice:d])) { m = r; n = c; } return self; }
- (void)encodeToCommandBuffer:(id)c sourceMatrix:(MPSMatrix *)A resultMatrix:(MPSMatrix *)R pivotIndices:(MPSMatrix *)P status:(id)s {
  if (!P || P->type != U32 || P->rows != 1 || P->columns < (m < n ? m : n)) { misuse("pivots that are no uint32 1 x min(rows, columns)"); [NSException raise:NSInvalidArgumentException format:@"pivots"]; }
  Op *o = [self op:lu on:c result:R];
  hold(o, 0, A); hold(o, 1, R); hold(o, 2, P); hold(o, 3, s);
  o->n[0] = m; o->n[1] = n;
}
@end

// substitute solves op(T) X = X, T an n x n triangle, X n x k.
static void substitute(DblArray *T, NSUInteger b, BOOL upper, BOOL trans, BOOL unit, double *X, NSUInteger n, NSUInteger k) {
  BOOL back = upper != trans;
  for (NSUInteger c = 0; c < k; c++) for (NSUInteger q = 0; q < n; q++) {
    NSUInteger i = back ? n - 1 - q : q;
    double s = X[i * k + c];
    for (NSUInteger j = back ? i + 1 : 0; j < (back ? n : i); j++) s -= (trans ? get(T, b, j, i) : get(T, b, i, j)) * X[j * k + c];
    X[i * k + c] = unit ? s : s / get(T, b, i, i);
  }
}
@interface DblSolve : MPSKernel { @public BOOL f[4]; NSUInteger n, k; double alpha; } @end
static int solve(Op *o) {
  DblArray *A = o->a[0], *B = o->a[1], *P = o->a[2], *X = o->a[3];
  NSUInteger n = o->n[0], k = o->n[1], f = o->n[2], kind = o->n[3];
  BOOL right = kind == 0 && f & 1;
  double *x = calloc(n * k, sizeof *x);
  EACH(o, b) {
    for (NSUInteger i = 0; i < n; i++) for (NSUInteger j = 0; j < k; j++) x[i * k + j] = o->x[0] * (right ? get(B, b, j, i) : get(B, b, i, j));
    switch (kind) {
    case 0: substitute(A, b, (f & 2) != 0, right ? !(f & 4) : (f & 4) != 0, (f & 8) != 0, x, n, k); break;
    case 1: // LU
      for (NSUInteger i = 0; i < n && !(f & 1); i++) {
        NSUInteger p = *(uint32_t *)at(P, b, 0, i);
        for (NSUInteger j = 0; j < k && p < n; j++) { double t = x[i * k + j]; x[i * k + j] = x[p * k + j]; x[p * k + j] = t; }
      }
      if (f & 1) { substitute(A, b, YES, YES, NO, x, n, k); substitute(A, b, NO, YES, YES, x, n, k); }
      else { substitute(A, b, NO, NO, YES, x, n, k); substitute(A, b, YES, NO, NO, x, n, k); }
      for (NSUInteger q = 0; q < n && f & 1; q++) {
        NSUInteger i = n - 1 - q, p = *(uint32_t *)at(P, b, 0, i);
        for (NSUInteger j = 0; j < k && p < n; j++) { double t = x[i * k + j]; x[i * k + j] = x[p * k + j]; x[p * k + j] = t; }
      }
      break;
    case 2: substitute(A, b, f & 1, f & 1, NO, x, n, k); substitute(A, b, f & 1, !(f & 1), NO, x, n, k); break;
    }
    for (NSUInteger i = 0; i < n; i++) for (NSUInteger j = 0; j < k; j++) put(X, b, right ? j : i, right ? i : j, x[i * k + j]);
  }
  free(x);
  return 0;
}
@implementation DblSolve
- (void)encode:(id)c kind:(NSUInteger)kind :(id)A :(id)B :(id)P :(id)X {
  Op *o = [self op:solve on:c result:X];
  hold(o, 0, A); hold(o, 1, B); hold(o, 2, P); hold(o, 3, X);
  o->n[0] = n; o->n[1] = k; o->n[3] = kind; o->x[0] = alpha;
  for (int i = 0; i < 4; i++) if (f[i]) o->n[2] |= 1 << i;
}
@end
@interface MPSMatrixSolveTriangular : DblSolve @end
@implementation MPSMatrixSolveTriangular
- (id)initWithDevice:(id)d right:(BOOL)r upper:(BOOL)u transpose:(BOOL)t unit:(BOOL)one order:(NSUInteger)m numberOfRightHandSides:(NSUInteger)s alpha:(double)a {
  if ((self = [super initWithDevice:d])) { f[0] = r; f[1] = u; f[2] = t; f[3] = one; n = m; k = s; alpha = a; }
  return self;
}
- (void)encodeToCommandBuffer:(id)c sourceMatrix:(MPSMatrix *)A rightHandSideMatrix:(MPSMatrix *)B solutionMatrix:(MPSMatrix *)X { [self encode:c kind:0 :A :B :nil :X]; }
@end
@interface MPSMatrixSolveLU : DblSolve @end
@implementation MPSMatrixSolveLU
- (id)initWithDevice:(id)d transpose:(BOOL)t order:(NSUInteger)m numberOfRightHandSides:(NSUInteger)s { if ((self = [super initWithDevice:d])) { f[0] = t; n = m; k = s; alpha = 1; } return self; }
- (void)encodeToCommandBuffer:(id)c sourceMatrix:(MPSMatrix *)A rightHandSideMatrix:(MPSMatrix *)B pivotIndices:(MPSMatrix *)P solutionMatrix:(MPSMatrix *)X { [self encode:c kind:1 :A :B :P :X]; }
@end
@interface MPSMatrixSolveCholesky : DblSolve @end
@implementation MPSMatrixSolveCholesky
- (id)initWithDevice:(id)d upper:(BOOL)u order:(NSUInteger)m numberOfRightHandSides:(NSUInteger)s { if ((self = [super initWithDevice:d])) { f[0] = u; n = m; k = s; alpha = 1; } return self; }
- (void)encodeToCommandBuffer:(id)c sourceMatrix:(MPSMatrix *)A rightHandSideMatrix:(MPSMatrix *)B solutionMatrix:(MPSMatrix *)X { [self encode:c kind:2 :A :B :nil :X]; }
@end

@interface MPSMatrixCopyDescriptor : DblObject { @public MPSMatrix *from, *to; Offsets o; } @end
@implementation MPSMatrixCopyDescriptor
+ (id)descriptorWithSourceMatrix:(MPSMatrix *)a destinationMatrix:(MPSMatrix *)b offsets:(Offsets)f {
  if (enter("copy descriptor")) return nil;
  MPSMatrixCopyDescriptor *d = [[[self alloc] init] autorelease];
  d->from = [a retain]; d->to = [b retain]; d->o = f;
  return d;
}
- (void)dealloc { [from release]; [to release]; [super dealloc]; }
@end
@interface MPSMatrixCopy : MPSKernel { @public NSUInteger m, n; BOOL ts, td; } @end
static int copy(Op *o) {
  MPSMatrixCopyDescriptor *d = o->a[0];
  for (NSUInteger i = 0; i < o->n[0]; i++) for (NSUInteger j = 0; j < o->n[1]; j++) {
    NSUInteger si = o->n[2] ? j : i, sj = o->n[2] ? i : j, di = o->n[3] ? j : i, dj = o->n[3] ? i : j;
    put(d->to, 0, di + d->o.c, dj + d->o.d, get(d->from, 0, si + d->o.a, sj + d->o.b));
  }
  return 0;
}
@implementation MPSMatrixCopy
- (id)initWithDevice:(id)d copyRows:(NSUInteger)r copyColumns:(NSUInteger)c sourcesAreTransposed:(BOOL)s destinationsAreTransposed:(BOOL)t {
  if ((self = [super initWithDevice:d])) { m = r; n = c; ts = s; td = t; }
  return self;
}
- (void)encodeToCommandBuffer:(id)c copyDescriptor:(MPSMatrixCopyDescriptor *)d {
  Op *o = [self op:copy on:c result:d ? d->to : nil];
  hold(o, 0, d);
  o->n[0] = m; o->n[1] = n; o->n[2] = ts; o->n[3] = td;
}
@end

@interface MPSMatrixRandomDistributionDescriptor : DblObject { @public int kind; float a, b; } @end
@implementation MPSMatrixRandomDistributionDescriptor
+ (id)kind:(int)k :(float)a :(float)b {
  if (enter("distribution")) return nil;
  MPSMatrixRandomDistributionDescriptor *d = [[[self alloc] init] autorelease];
  d->kind = k; d->a = a; d->b = b;
  return d;
}
+ (id)defaultDistributionDescriptor { return [self kind:0 :0 :0]; }
+ (id)uniformDistributionDescriptorWithMinimum:(float)a maximum:(float)b { return [self kind:1 :a :b]; }
+ (id)normalDistributionDescriptorWithMean:(float)a standardDeviation:(float)b { return [self kind:2 :a :b]; }
@end
@interface MPSMatrixRandomPhilox : MPSKernel { @public unsigned type; NSUInteger seed; MPSMatrixRandomDistributionDescriptor *d; } @end
static uint32_t philox(uint64_t seed, uint64_t at) {
  uint32_t c[4] = {(uint32_t)(at >> 2), (uint32_t)(at >> 34), 0, 0}, k0 = seed, k1 = seed >> 32;
  for (int i = 0; i < 10; i++, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
    uint64_t p = (uint64_t)0xd2511f53 * c[0], q = (uint64_t)0xcd9e8d57 * c[2];
    uint32_t n[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q, (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
    memcpy(c, n, sizeof c);
  }
  return c[at & 3];
}
static int fill(Op *o) {
  DblArray *R = o->a[0];
  MPSMatrixRandomDistributionDescriptor *d = o->a[1];
  uint64_t n = 0;
  EACH(o, b) for (NSUInteger i = 0; i < R->rows; i++) for (NSUInteger j = 0; j < R->columns; j++, n++) {
    double u = (philox(o->n[0], n) >> 8) * 0x1p-24;
    if (!d || d->kind == 0) { if (R->type == U32) *(uint32_t *)at(R, b, i, j) = philox(o->n[0], n); else put(R, b, i, j, u); }
    else if (d->kind == 1) put(R, b, i, j, d->a + u * (d->b - d->a));
    else put(R, b, i, j, d->a + d->b * sqrt(-2 * log(1 - u)) * cos(2 * M_PI * (philox(~o->n[0], n) >> 8) * 0x1p-24));
  }
  return 0;
}
@implementation MPSMatrixRandomPhilox
- (id)initWithDevice:(id)dev destinationDataType:(unsigned)t seed:(NSUInteger)s distributionDescriptor:(id)desc {
  if ((self = [super initWithDevice:dev])) { type = t; seed = s; d = [desc retain]; }
  return self;
}
- (void)dealloc { [d release]; [super dealloc]; }
- (void)encodeToCommandBuffer:(id)c destinationMatrix:(MPSMatrix *)R {
  if (R && R->type != type) misuse("random numbers of another type than the matrix");
  Op *o = [self op:fill on:c result:R];
  hold(o, 0, R); hold(o, 1, d);
  o->n[0] = seed;
}
@end
