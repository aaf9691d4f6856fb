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
