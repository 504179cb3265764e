/* Images in memory behind the store of the C interface: what a caller's storage may look like. */
#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include <pthread.h>

#include "vdisk.h"

enum { memory_store_slots = 16, memory_store_name = 256 };

typedef struct memory_file {
  char name[memory_store_name]; /* empty: a temporary, or free */
  unsigned char *bytes;
  uint64_t size;
  int users;
} memory_file;

typedef struct memory_store {
  pthread_mutex_t mutex;
  memory_file files[memory_store_slots];
  int fail_with; /* errno of every change from now on; 0: none */
  int flushes;
} memory_store;

/* The structures point at each other and at `store`; they live as long as the program. */
const vdisk_store *memory_store_interface(memory_store *store);
void memory_store_free(memory_store *store);

#endif
