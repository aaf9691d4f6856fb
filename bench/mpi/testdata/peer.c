// The C side: the same exchanges as the Go side makes, with blocking calls as a C program has them. Each function makes
// iters of them on buffers of its own of n bytes and returns the nanoseconds of all.
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

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
