// The C side: the same exchanges as the other sides make, with the calls that a C program makes. Each function makes iters of
// them on memory of its own and returns the nanoseconds of all.
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// pingpong: a message of n bytes there and back is two.
long long pingpong(long n, long iters) {
  static char *b;
  static long size;
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (size < n) {
    free(b);
    b = malloc(n);
    memset(b, 1, n);
    size = n;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  long long t = now();
  for (long i = 0; i < iters; i++) {
    if (rank == 0) {
      MPI_Send(b, n, MPI_BYTE, 1, 7, MPI_COMM_WORLD);
      MPI_Recv(b, n, MPI_BYTE, 1, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
      MPI_Recv(b, n, MPI_BYTE, 0, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      MPI_Send(b, n, MPI_BYTE, 0, 7, MPI_COMM_WORLD);
    }
  }
  return (now() - t) / 2;
}

// exchange: both send and receive n bytes at once.
long long exchange(long n, long iters) {
  static char a[65536], b[65536];
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Barrier(MPI_COMM_WORLD);
  long long t = now();
  for (long i = 0; i < iters; i++) {
    MPI_Request r[2];
    MPI_Irecv(a, n, MPI_BYTE, !rank, 8, MPI_COMM_WORLD, &r[0]);
    MPI_Isend(b, n, MPI_BYTE, !rank, 8, MPI_COMM_WORLD, &r[1]);
    MPI_Waitall(2, r, MPI_STATUSES_IGNORE);
  }
  return now() - t;
}

// allreduce: n bytes of doubles, at least one, at most 1 MiB.
long long allreduce(long n, long iters) {
  static double a[1 << 17], b[1 << 17];
  MPI_Barrier(MPI_COMM_WORLD);
  long long t = now();
  for (long i = 0; i < iters; i++)
    MPI_Allreduce(a, b, n / 8, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return now() - t;
}

// collective: operation kind with blocks of n bytes, at most 64 KiB, in the order of coll_test.go.
long long collective(long kind, long n, long iters) {
  enum { most = 8 };
  static double a[most * 8192], b[most * 8192];
  int size, count = n / 8;
  MPI_Comm c = MPI_COMM_WORLD;
  MPI_Comm_size(c, &size);
  if (size > most)
    return -1;
  MPI_Barrier(c);
  long long t = now();
  for (long i = 0; i < iters; i++) {
    switch (kind) {
    case 0: MPI_Barrier(c); break;
    case 1: MPI_Bcast(a, count, MPI_DOUBLE, 0, c); break;
    case 2: MPI_Reduce(a, b, count, MPI_DOUBLE, MPI_SUM, 0, c); break;
    case 3: MPI_Allreduce(a, b, count, MPI_DOUBLE, MPI_SUM, c); break;
    case 4: MPI_Gather(a, count, MPI_DOUBLE, b, count, MPI_DOUBLE, 0, c); break;
    case 5: MPI_Scatter(a, count, MPI_DOUBLE, b, count, MPI_DOUBLE, 0, c); break;
    case 6: MPI_Allgather(a, count, MPI_DOUBLE, b, count, MPI_DOUBLE, c); break;
    case 7: MPI_Alltoall(a, count, MPI_DOUBLE, b, count, MPI_DOUBLE, c); break;
    case 8: MPI_Reduce_scatter_block(a, b, count, MPI_DOUBLE, MPI_SUM, c); break;
    case 9: MPI_Scan(a, b, count, MPI_DOUBLE, MPI_SUM, c); break;
    case 10: MPI_Exscan(a, b, count, MPI_DOUBLE, MPI_SUM, c); break;
    }
  }
  return now() - t;
}
