/*
 * Images that lie in no file system: the caller's storage behind the library. C11.
 *
 *   cc store_in_memory.c memory_store.c $(pkg-config --cflags --libs vdisk) -pthread
 *
 * Creates a base and a child in memory, writes through the child, and reads both through the chain.
 */
#include <stdio.h>
#include <string.h>

#include "memory_store.h"
#include "vdisk.h"

static memory_store store;

static vdisk_status create(const char *name, uint64_t size, const char *parent,
                           const vdisk_open_options *open, vdisk_error **error) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_job *job = NULL;
  vdisk_status status;
  target.path = name;
  status = vdisk_create(&target, size, NULL, parent, open, &job, error);
  if (status == VDISK_SUCCESS) status = vdisk_job_wait(job, error);
  vdisk_job_free(job);
  return status;
}

static vdisk_status write_and_read(const vdisk_open_options *options, vdisk_error **error) {
  vdisk_open_options open = *options;
  vdisk_disk *disk = NULL;
  char sector[512] = "hello from memory";
  char back[512] = "";
  vdisk_status status;
  open.access = VDISK_READ_WRITE;
  status = vdisk_disk_open("/child.vhdx", &open, &disk, error);
  if (status != VDISK_SUCCESS) return status;
  status = vdisk_disk_write(disk, 4096, sector, sizeof sector, error);
  if (status == VDISK_SUCCESS) status = vdisk_disk_read(disk, 4096, back, sizeof back, error);
  if (status != VDISK_SUCCESS) {
    vdisk_disk_free(disk);
    return status;
  }
  printf("%s, through %zu layers\n", back, vdisk_disk_depth(disk));
  return vdisk_disk_close(disk, error);
}

int main(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_error *error = NULL;
  vdisk_status status;
  open.store = memory_store_interface(&store);
  open.parents = VDISK_PARENTS_BESIDE;
  status = create("/base.vhdx", (uint64_t)16 << 20, NULL, &open, &error);
  if (status == VDISK_SUCCESS) status = create("/child.vhdx", 0, "/base.vhdx", &open, &error);
  if (status == VDISK_SUCCESS) status = write_and_read(&open, &error);
  if (status != VDISK_SUCCESS) fprintf(stderr, "%s\n", vdisk_error_message(error));
  vdisk_error_free(error);
  memory_store_free(&store);
  return status == VDISK_SUCCESS ? 0 : 2;
}
