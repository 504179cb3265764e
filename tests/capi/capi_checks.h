/* What the tests of the C interface share: checks that print what is not true, a folder of their
 * own, images made and filled in a line. */
#ifndef VDISK_TESTS_CAPI_CHECKS_H
#define VDISK_TESTS_CAPI_CHECKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vdisk.h"

static int failures = 0;

#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      ++failures;                                                      \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                  \
  } while (0)

/* Success, or the error's text. */
static inline void check_ok(vdisk_status status, vdisk_error* error, int line) {
  if (status == VDISK_SUCCESS) return;
  ++failures;
  printf("%s:%d: %s: %s\n", __FILE__, line, vdisk_status_name(status), vdisk_error_message(error));
  vdisk_error_free(error);
}
#define OK(call)                        \
  do {                                  \
    vdisk_error* error = NULL;          \
    const vdisk_status status = (call); \
    check_ok(status, error, __LINE__);  \
  } while (0)

enum { mib = 1024 * 1024, sector = 512 };
static char folder[256];

static inline const char* at(const char* name) {
  static char paths[4][512];
  static int next = 0;
  char* path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline void finish(vdisk_job* job, vdisk_output* output) {
  vdisk_output got = {.struct_size = sizeof got};
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &got) == VDISK_SUCCESS);
  CHECK(vdisk_job_progress(job).operation_status == VDISK_SUCCESS);
  if (output != NULL) *output = got;
  vdisk_job_free(job);
}

static inline void create(const char* path, uint64_t size, const char* parent,
                          const vdisk_open_options* open) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_job* job = NULL;
  vdisk_output output;
  target.path = path;
  OK(vdisk_create(&target, size, NULL, parent, open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_CREATED);
  CHECK(output.value.created.virtual_size == size || parent != NULL);
}

static inline vdisk_disk* open_disk(const char* path, uint32_t access, const vdisk_store* in) {
  vdisk_open_options options = VDISK_OPEN_OPTIONS_INIT;
  vdisk_disk* disk = NULL;
  options.access = access;
  options.parents = VDISK_PARENTS_BESIDE;
  options.store = in;
  OK(vdisk_disk_open(path, &options, &disk, &error));
  return disk;
}

static inline void check_filled(const vdisk_disk* disk, uint64_t offset, size_t length, int value) {
  unsigned char* data = malloc(length);
  OK(vdisk_disk_read(disk, offset, data, length, &error));
  for (size_t index = 0; index < length; ++index) {
    if (data[index] == value) continue;
    CHECK(data[index] == value);
    break;
  }
  free(data);
}

static inline void write_filled(vdisk_disk* disk, uint64_t offset, size_t length, int value) {
  unsigned char* data = malloc(length);
  memset(data, value, length);
  OK(vdisk_disk_write(disk, offset, data, length, &error));
  free(data);
}

static inline int make_folder(void) {
  const char* const scratch = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/vdisk-capi-XXXXXX", scratch == NULL ? P_tmpdir : scratch);
  return mkdtemp(folder) != NULL;
}

/* Nothing but the named files may be left in it. The exit code of the test. */
static inline int remove_folder(const char* const* names, size_t count) {
  for (size_t index = 0; index < count; ++index) unlink(at(names[index]));
  CHECK(rmdir(folder) == 0);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}

#endif
