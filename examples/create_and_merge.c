/*
 * Creates a disk, takes a snapshot, writes into it, and merges it back, with progress. C11.
 *
 *   cc create_and_merge.c $(pkg-config --cflags --libs vdisk) -o create_and_merge
 *   ./create_and_merge FOLDER
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk.h"

enum { block = 1024 * 1024, poll_milliseconds = 50 };

/* Waits for a job and shows how far it is; frees it. */
static int finish(const char *what, vdisk_status started, vdisk_job *job, vdisk_error *error) {
  vdisk_status status = started;
  while (status == VDISK_SUCCESS) {
    const vdisk_progress progress = vdisk_job_progress(job);
    fprintf(stderr, "\r%s: %3" PRIu64 " %%", what,
            100 * progress.current_value / progress.completion_value);
    status = vdisk_job_wait_for(job, poll_milliseconds, NULL);
    if (status != VDISK_TIMED_OUT) break;
    status = VDISK_SUCCESS;
  }
  fprintf(stderr, "\n");
  if (started == VDISK_SUCCESS) status = vdisk_job_wait(job, &error);
  if (status != VDISK_SUCCESS)
    fprintf(stderr, "%s: %s\n", what, vdisk_error_message(error));
  vdisk_error_free(error);
  vdisk_job_free(job);
  return status == VDISK_SUCCESS;
}

static int create(const char *path, uint64_t size, const char *parent,
                  const vdisk_open_options *open) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_error *error = NULL;
  vdisk_job *job = NULL;
  vdisk_status status;
  target.path = path;
  status = vdisk_create(&target, size, NULL, parent, open, &job, &error);
  return finish(parent == NULL ? "create" : "snapshot", status, job, error);
}

static int fill(const char *path, const vdisk_open_options *options) {
  vdisk_open_options open = *options;
  vdisk_error *error = NULL;
  vdisk_disk *disk = NULL;
  char *data = malloc(block);
  vdisk_status status;
  if (data == NULL) return 0;
  memset(data, 'v', block);
  open.access = VDISK_READ_WRITE;
  status = vdisk_disk_open(path, &open, &disk, &error);
  for (uint64_t index = 0; index < 8 && status == VDISK_SUCCESS; ++index)
    status = vdisk_disk_write(disk, 3 * index * block, data, block, &error);
  if (status == VDISK_SUCCESS) {
    status = vdisk_disk_close(disk, &error); /* what was written is durable now */
  } else {
    vdisk_disk_free(disk);
  }
  if (status != VDISK_SUCCESS) fprintf(stderr, "write: %s\n", vdisk_error_message(error));
  vdisk_error_free(error);
  free(data);
  return status == VDISK_SUCCESS;
}

static int merge(const char *child, const vdisk_open_options *open) {
  vdisk_merge_options options = VDISK_MERGE_OPTIONS_INIT;
  vdisk_error *error = NULL;
  vdisk_job *job = NULL;
  vdisk_status status;
  options.delete_children = 1;
  status = vdisk_merge(child, &options, open, &job, &error);
  return finish("merge", status, job, error);
}

int main(int count, char **words) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  char base[1024];
  char child[1024];
  if (count != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", words[0]);
    return 3;
  }
  snprintf(base, sizeof base, "%s/base.vhdx", words[1]);
  snprintf(child, sizeof child, "%s/child.vhdx", words[1]);
  open.parents = VDISK_PARENTS_BESIDE;
  if (!create(base, (uint64_t)64 * block, NULL, NULL)) return 2;
  if (!create(child, 0, base, &open)) return 2;
  if (!fill(child, &open)) return 2;
  if (!merge(child, &open)) return 2;
  printf("%s holds what was written into its child\n", base);
  return 0;
}
