extern void bad(int n, void *p);
extern int exact(int n);
