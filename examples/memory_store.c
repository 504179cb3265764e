#include "memory_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One handle: the file and the store, as the calls on files know no context. */
typedef struct handle {
  memory_store *store;
  memory_file *file;
} handle;

static int read_call(void *opaque, uint64_t offset, void *data, size_t length) {
  handle *at = opaque;
  int result = 0;
  pthread_mutex_lock(&at->store->mutex);
  if (offset > at->file->size || length > at->file->size - offset)
    result = ENODATA;
  else if (length > 0)
    memcpy(data, at->file->bytes + offset, length);
  pthread_mutex_unlock(&at->store->mutex);
  return result;
}

static int grow(memory_file *file, uint64_t size) {
  unsigned char *bytes = realloc(file->bytes, size == 0 ? 1 : size);
  if (bytes == NULL) return ENOMEM;
  if (size > file->size) memset(bytes + file->size, 0, size - file->size);
  file->bytes = bytes;
  file->size = size;
  return 0;
}

static int write_call(void *opaque, uint64_t offset, const void *data, size_t length) {
  handle *at = opaque;
  int result;
  pthread_mutex_lock(&at->store->mutex);
  result = at->store->fail_with;
  if (result == 0 && offset + length > at->file->size) result = grow(at->file, offset + length);
  if (result == 0 && length > 0) memcpy(at->file->bytes + offset, data, length);
  pthread_mutex_unlock(&at->store->mutex);
  return result;
}

static int size_call(void *opaque, uint64_t *size) {
  handle *at = opaque;
  pthread_mutex_lock(&at->store->mutex);
  *size = at->file->size;
  pthread_mutex_unlock(&at->store->mutex);
  return 0;
}

static int resize_call(void *opaque, uint64_t size) {
  handle *at = opaque;
  int result;
  pthread_mutex_lock(&at->store->mutex);
  result = at->store->fail_with;
  if (result == 0) result = grow(at->file, size);
  pthread_mutex_unlock(&at->store->mutex);
  return result;
}

static int flush_call(void *opaque) {
  handle *at = opaque;
  int result;
  pthread_mutex_lock(&at->store->mutex);
  result = at->store->fail_with;
  ++at->store->flushes;
  pthread_mutex_unlock(&at->store->mutex);
  return result;
}

static void forget(memory_file *file) {
  free(file->bytes);
  memset(file, 0, sizeof *file);
}

static void close_call(void *opaque) {
  handle *at = opaque;
  pthread_mutex_lock(&at->store->mutex);
  if (--at->file->users == 0 && at->file->name[0] == '\0') forget(at->file);
  pthread_mutex_unlock(&at->store->mutex);
  free(at);
}

static memory_file *find(memory_store *store, const char *name) {
  for (int slot = 0; slot < memory_store_slots; ++slot) {
    if (strcmp(store->files[slot].name, name) == 0) return &store->files[slot];
  }
  return NULL;
}

static int hand_out(memory_store *store, memory_file *file, void **opened, uint64_t *id) {
  handle *at = malloc(sizeof *at);
  if (at == NULL) return ENOMEM;
  at->store = store;
  at->file = file;
  ++file->users;
  *opened = at;
  *id = (uint64_t)(file - store->files) + 1;
  return 0;
}

static int open_call(void *context, const char *name, int writable, void **file, uint64_t *id) {
  memory_store *store = context;
  memory_file *found;
  int result;
  (void)writable;
  pthread_mutex_lock(&store->mutex);
  found = find(store, name);
  result = found == NULL ? ENOENT : hand_out(store, found, file, id);
  pthread_mutex_unlock(&store->mutex);
  return result;
}

static int create_call(void *context, const char *name, void **file, uint64_t *id) {
  memory_store *store = context;
  int result = ENOSPC;
  (void)name;
  pthread_mutex_lock(&store->mutex);
  for (int slot = 0; slot < memory_store_slots && result == ENOSPC; ++slot) {
    memory_file *free_file = &store->files[slot];
    if (free_file->users == 0 && free_file->name[0] == '\0')
      result = hand_out(store, free_file, file, id);
  }
  pthread_mutex_unlock(&store->mutex);
  return result;
}

static int publish_call(void *context, void *opaque, const char *name, int replace) {
  memory_store *store = context;
  handle *at = opaque;
  memory_file *old;
  int result = 0;
  pthread_mutex_lock(&store->mutex);
  old = find(store, name);
  if (old != NULL && !replace) result = EEXIST;
  if (strlen(name) >= memory_store_name) result = ENAMETOOLONG;
  if (result == 0) {
    if (old != NULL) old->name[0] = '\0';
    if (old != NULL && old->users == 0) forget(old);
    strcpy(at->file->name, name);
  }
  pthread_mutex_unlock(&store->mutex);
  return result;
}

static int remove_call(void *context, const char *name) {
  memory_store *store = context;
  memory_file *found;
  pthread_mutex_lock(&store->mutex);
  found = find(store, name);
  if (found != NULL) found->name[0] = '\0';
  if (found != NULL && found->users == 0) forget(found);
  pthread_mutex_unlock(&store->mutex);
  return found == NULL ? ENOENT : 0;
}

/* Names are paths: a directory is what stands before a slash. */
static int list_call(void *context, const char *directory,
                     void (*add)(void *names, const char *name, int is_directory), void *names) {
  memory_store *store = context;
  const size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
  pthread_mutex_lock(&store->mutex);
  for (int slot = 0; slot < memory_store_slots; ++slot) {
    char name[memory_store_name];
    char *end;
    if (strncmp(store->files[slot].name, directory, length) != 0) continue;
    if (store->files[slot].name[length] != '/') continue;
    strcpy(name, store->files[slot].name + length + 1);
    end = strchr(name, '/');
    if (end != NULL) *end = '\0';
    add(names, name, end != NULL);
  }
  pthread_mutex_unlock(&store->mutex);
  return 0;
}

const vdisk_store *memory_store_interface(memory_store *store) {
  static const vdisk_file_calls calls = {
      .struct_size = sizeof calls, .read = read_call, .write = write_call, .size = size_call,
      .resize = resize_call, .flush = flush_call, .close = close_call};
  static vdisk_store interface;
  pthread_mutex_init(&store->mutex, NULL);
  interface = (vdisk_store){.struct_size = sizeof interface, .context = store, .file = &calls,
                            .open = open_call, .create = create_call, .publish = publish_call,
                            .remove = remove_call, .list = list_call};
  return &interface;
}

void memory_store_free(memory_store *store) {
  for (int slot = 0; slot < memory_store_slots; ++slot) forget(&store->files[slot]);
  pthread_mutex_destroy(&store->mutex);
}
