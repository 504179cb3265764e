/* The C interface from plain C11, every function of it. Prints what fails; exit 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capi_checks.h"
#include "memory_store.h"

static memory_store store;

static void status_codes(void) {
  CHECK(strcmp(vdisk_status_name(VDISK_PARENT_NOT_FOUND), "parent_not_found") == 0);
  CHECK(strcmp(vdisk_status_kind(VDISK_FILE_SIZE_INVALID), "truncated") == 0);
  CHECK(strlen(vdisk_status_describe(VDISK_BUSY)) > 3);
  CHECK(vdisk_status_win32(VDISK_BUSY) == 32);
  CHECK(vdisk_status_hresult(VDISK_BUSY) == 0x80070020U);
  CHECK(vdisk_status_win32(VDISK_PARENT_MISMATCH) == 0xC03A000EU);
  CHECK(vdisk_status_vds(VDISK_PENDING) == 0x80042409U);
  CHECK(strcmp(vdisk_status_name((vdisk_status)-1), "internal") == 0);
  CHECK(strcmp(vdisk_status_name((vdisk_status)10000), "internal") == 0);
  CHECK(vdisk_abi() == VDISK_ABI);
  CHECK(strchr(vdisk_version(), '.') != NULL);
}

static void errors_have_texts(void) {
  vdisk_error* error = NULL;
  vdisk_disk* disk = (vdisk_disk*)1;
  uint64_t offset = 7;
  CHECK(vdisk_disk_open(at("none.vhdx"), NULL, &disk, &error) == VDISK_FILE_NOT_FOUND);
  CHECK(disk == (vdisk_disk*)1);
  CHECK(vdisk_error_status(error) == VDISK_FILE_NOT_FOUND);
  CHECK(strstr(vdisk_error_message(error), "none.vhdx") != NULL);
  CHECK(vdisk_error_os_error(error) == ENOENT);
  CHECK(!vdisk_error_offset(error, &offset) && offset == 7);
  vdisk_error_free(error);
  CHECK(vdisk_disk_open(NULL, NULL, &disk, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_disk_open(at("none.vhdx"), NULL, NULL, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_disk_read(NULL, 0, NULL, 0, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(strcmp(vdisk_error_message(NULL), "") == 0);
  vdisk_error_free(NULL);
  vdisk_disk_free(NULL);
  vdisk_job_free(NULL);
}

static void disks_are_read_and_written(const vdisk_store* in, const char* path) {
  vdisk_disk* disk;
  vdisk_extent extent = {0};
  vdisk_layer_info info = VDISK_LAYER_INFO_INIT;
  disk = open_disk(path, VDISK_READ_WRITE, in);
  CHECK(vdisk_disk_size(disk) == 8 * mib);
  CHECK(vdisk_disk_depth(disk) == 1);
  CHECK(vdisk_disk_complete(disk));
  write_filled(disk, mib, mib, 0x11);
  OK(vdisk_disk_zero(disk, mib + 4 * sector, sector, &error));
  OK(vdisk_disk_discard(disk, 4 * mib, mib, &error));
  OK(vdisk_disk_flush(disk, &error));
  check_filled(disk, mib, 4 * sector, 0x11);
  check_filled(disk, mib + 4 * sector, sector, 0);
  OK(vdisk_disk_map(disk, mib, mib, &extent, &error));
  CHECK(extent.state == VDISK_DATA && extent.offset == mib && extent.length > 0);
  OK(vdisk_disk_layer(disk, 0, &info, &error));
  CHECK(info.virtual_size == 8 * mib && info.type == VDISK_DYNAMIC && !info.has_parent);
  CHECK(strcmp(info.format, "vhdx") == 0 || strcmp(info.format, "vhd") == 0);
  CHECK(strstr(vdisk_disk_layer_path(disk, 0), path) != NULL);
  CHECK(vdisk_disk_layer_path(disk, 1) == NULL);
  CHECK(vdisk_disk_write(disk, 7, "x", 1, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_disk_map(disk, 8 * mib, 1, &extent, NULL) == VDISK_END_OF_FILE);
  CHECK(vdisk_disk_map(disk, 0, 0, &extent, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_disk_reserve(disk, 0, 0, &extent, NULL) == VDISK_INVALID_ARGUMENT);
  OK(vdisk_disk_close(disk, &error));
  disk = open_disk(path, VDISK_READ_ONLY, in);
  check_filled(disk, mib + 5 * sector, mib - 5 * sector, 0x11);
  CHECK(vdisk_disk_write(disk, 0, NULL, 0, NULL) == VDISK_WRITE_PROTECTED);
  vdisk_disk_free(disk);
}

/* What a hypervisor does: the place from us, the payload by itself. */
static void payload_moves_outside(void) {
  vdisk_extent place;
  unsigned char data[sector];
  vdisk_disk* disk = open_disk(at("disk.vhdx"), VDISK_READ_WRITE, NULL);
  const int descriptor = vdisk_disk_layer_descriptor(disk, 0);
  CHECK(descriptor >= 0);
  CHECK(vdisk_disk_layer_descriptor(disk, 1) == -1);
  OK(vdisk_disk_reserve(disk, 6 * mib, sector, &place, &error));
  CHECK(place.state == VDISK_DATA && place.length == sector);
  check_filled(disk, 6 * mib, sector, 0);
  memset(data, 0x66, sizeof data);
  CHECK(pwrite(descriptor, data, sizeof data, (off_t)place.file_offset) == sector);
  OK(vdisk_disk_commit(disk, &place, &error));
  check_filled(disk, 6 * mib, sector, 0x66);
  place.state = VDISK_ZERO;
  CHECK(vdisk_disk_commit(disk, &place, NULL) == VDISK_INVALID_ARGUMENT);
  OK(vdisk_disk_close(disk, &error));
  disk = open_disk(at("disk.vhdx"), VDISK_READ_ONLY, NULL);
  check_filled(disk, 6 * mib, sector, 0x66);
  vdisk_disk_free(disk);
}

static void jobs_tell_and_obey(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_merge_options merge = VDISK_MERGE_OPTIONS_INIT;
  vdisk_job* job = NULL;
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_error* failure = NULL;
  vdisk_status canceled;
  struct pollfd waiting;
  vdisk_disk* disk;
  uint32_t percent = 0;
  open.parents = VDISK_PARENTS_BESIDE;
  create(at("child.vhdx"), 0, at("disk.vhdx"), &open);
  disk = open_disk(at("child.vhdx"), VDISK_READ_WRITE, NULL);
  CHECK(vdisk_disk_depth(disk) == 2);
  write_filled(disk, 0, mib, 0x22);
  OK(vdisk_disk_close(disk, &error));

  OK(vdisk_compare(at("child.vhdx"), at("disk.vhdx"), &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_COMPARISON && !output.value.comparison.identical);
  CHECK(output.value.comparison.first_difference == 0);

  merge.delete_children = 1;
  OK(vdisk_merge(at("child.vhdx"), &merge, &open, &job, &error));
  waiting = (struct pollfd){vdisk_job_event_fd(job, NULL), POLLIN, 0};
  CHECK(waiting.fd >= 0 && poll(&waiting, 1, 60000) == 1);
  CHECK(vdisk_job_query_status(job, &percent) == VDISK_SUCCESS && percent == 100);
  CHECK(vdisk_job_cancel(job) == VDISK_TOO_LATE);
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_MERGED && output.value.merged.merged_bytes >= mib);
  CHECK(access(at("child.vhdx"), F_OK) != 0);

  OK(vdisk_expand(at("disk.vhdx"), 16 * mib, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_RESIZED && output.value.resized.new_size == 16 * mib);
  CHECK(strcmp(output.value.resized.gpt, "none") == 0);
  OK(vdisk_resize(at("disk.vhdx"), 32 * mib, VDISK_RESIZE_FIX_GPT, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_RESIZED && output.value.resized.old_size == 16 * mib);
  OK(vdisk_shrink(at("disk.vhdx"), mib / 2, 0, &open, &job, &error));
  CHECK(vdisk_job_wait(job, &failure) == VDISK_CANNOT_SHRINK);
  vdisk_error_free(failure);
  vdisk_job_free(job);
  OK(vdisk_shrink(at("disk.vhdx"), 0, 0, &open, &job, &error));
  CHECK(vdisk_job_wait(job, NULL) == VDISK_SMALLEST_SIZE_UNKNOWN);
  vdisk_job_free(job);
  CHECK(vdisk_shrink(at("disk.vhdx"), mib, VDISK_RESIZE_FIX_GPT, &open, &job, NULL) ==
        VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_resize(at("disk.vhdx"), mib, 4, &open, &job, NULL) == VDISK_INVALID_ARGUMENT);
  OK(vdisk_shrink(at("disk.vhdx"), 16 * mib, 0, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_SHRUNK && output.type == 3 &&
        output.value.resized.new_size == 16 * mib);
  OK(vdisk_hash(at("disk.vhdx"), 1, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_DIGEST && strlen(output.value.digest.hex) == 64);
  CHECK(strcmp(output.value.digest.algorithm, "sha256") == 0);
  OK(vdisk_check(at("disk.vhdx"), 1, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_CHECK && output.value.check.clean);

  target.path = at("copy.vhd");
  OK(vdisk_convert(at("disk.vhdx"), &target, &open, &job, &error));
  finish(job, NULL);
  OK(vdisk_convert(at("disk.vhdx"), &target, &open, &job, &error));
  CHECK(vdisk_job_wait(job, &failure) == VDISK_FILE_EXISTS);
  CHECK(strstr(vdisk_error_message(failure), "copy.vhd") != NULL);
  vdisk_error_free(failure);
  CHECK(vdisk_job_wait_for(job, 0, NULL) == VDISK_FILE_EXISTS);
  CHECK(vdisk_job_output(job, &output) == VDISK_FILE_EXISTS);
  CHECK(vdisk_job_progress(job).operation_status == VDISK_FILE_EXISTS);
  vdisk_job_free(job);

  /* Sixty-four terabytes of zeros under SHA-256: it runs until it is canceled. */
  create(at("large.vhdx"), (uint64_t)64 << 40, NULL, NULL);
  OK(vdisk_hash(at("large.vhdx"), 1, NULL, &job, &error));
  CHECK(vdisk_job_wait_for(job, 1, NULL) == VDISK_TIMED_OUT);
  CHECK(vdisk_job_output(job, &output) == VDISK_PENDING);
  CHECK(vdisk_job_progress(job).completion_value > 0);
  canceled = vdisk_job_cancel(job);
  CHECK(canceled == VDISK_CANCELED);
  CHECK(vdisk_job_cancel(job) == VDISK_ALREADY_CANCELED);
  CHECK(vdisk_job_wait(job, NULL) == VDISK_CANCELED);
  vdisk_job_free(job);
  OK(vdisk_hash(at("large.vhdx"), 1, NULL, &job, &error));
  vdisk_job_free(job); /* cancels */
}

/* The only thing that fails then is to get a descriptor. */
static void waiting_needs_no_descriptor(void) {
  struct rlimit before;
  struct rlimit none;
  vdisk_job* job = NULL;
  vdisk_error* failure = NULL;
  OK(vdisk_hash(at("large.vhdx"), 1, NULL, &job, &error));
  while (vdisk_job_progress(job).current_value == 0) sched_yield();
  CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = 0;
  CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
  CHECK(vdisk_job_wait_for(job, 1, NULL) == VDISK_TIMED_OUT);
  CHECK(vdisk_job_event_fd(job, &failure) == -1);
  CHECK(vdisk_error_status(failure) == VDISK_IO && vdisk_error_os_error(failure) == EMFILE);
  vdisk_error_free(failure);
  CHECK(vdisk_job_cancel(job) == VDISK_CANCELED);
  CHECK(vdisk_job_wait(job, NULL) == VDISK_CANCELED);
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
  vdisk_job_free(job);
}

static void null_jobs_are_refused_alike(void) {
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_tree_image image = VDISK_TREE_IMAGE_INIT;
  vdisk_manifest* manifest = NULL;
  vdisk_error* failure = NULL;
  vdisk_range range;
  uint32_t percent;
  CHECK(vdisk_job_progress(NULL).operation_status == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_query_status(NULL, &percent) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_wait(NULL, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_wait_for(NULL, 0, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_cancel(NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_event_fd(NULL, &failure) == -1);
  CHECK(vdisk_error_status(failure) == VDISK_INVALID_ARGUMENT);
  vdisk_error_free(failure);
  CHECK(vdisk_job_output(NULL, &output) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_range(NULL, 0, &range) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_image(NULL, 0, &image) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_job_manifest(NULL, &manifest, NULL) == VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_mirror_break(NULL) == VDISK_INVALID_ARGUMENT);
}

/* Blocks of zeros are given up. */
static void images_are_compacted(void) {
  vdisk_job* job = NULL;
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_disk* disk;
  create(at("zeros.vhdx"), 8 * mib, NULL, NULL);
  disk = open_disk(at("zeros.vhdx"), VDISK_READ_WRITE, NULL);
  write_filled(disk, 0, mib, 0x77);
  write_filled(disk, 0, mib, 0);
  OK(vdisk_disk_close(disk, &error));
  OK(vdisk_compact(at("zeros.vhdx"), VDISK_COMPACT_ESTIMATE, 0, NULL, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_COMPACTED && output.value.compacted.reclaimed_bytes > 0);
  CHECK(strcmp(output.value.compacted.no_gain, "none") == 0);
  CHECK(vdisk_compact(at("zeros.vhdx"), 3, 0, NULL, &job, NULL) == VDISK_INVALID_ARGUMENT);
  OK(vdisk_compact(at("zeros.vhdx"), VDISK_COMPACT_IN_PLACE, 0, NULL, &job, &error));
  finish(job, &output);
  CHECK(output.value.compacted.new_file_size < output.value.compacted.old_file_size);
}

/* A caller that was built with an older header, and one with a newer. */
static void structures_of_other_versions(void) {
  struct newer {
    vdisk_open_options known;
    uint64_t unknown;
  } newer = {VDISK_OPEN_OPTIONS_INIT, 0};
  struct older {
    size_t struct_size;
    uint32_t access, read_log;
  } older = {sizeof older, VDISK_READ_ONLY, 0};
  struct older_info {
    size_t struct_size;
    uint32_t type, block_size;
    uint32_t guard;
  } info = {offsetof(struct older_info, guard), 0, 0, 0xABCDU};
  vdisk_disk* disk = NULL;
  newer.known.struct_size = sizeof newer;
  OK(vdisk_disk_open(at("disk.vhdx"), &newer.known, &disk, &error));
  OK(vdisk_disk_layer(disk, 0, (vdisk_layer_info*)(void*)&info, &error));
  CHECK(info.type == VDISK_DYNAMIC && info.block_size > 0 && info.guard == 0xABCDU);
  vdisk_disk_free(disk);
  disk = NULL;
  newer.unknown = 1;
  CHECK(vdisk_disk_open(at("disk.vhdx"), &newer.known, &disk, NULL) == VDISK_UNSUPPORTED);
  OK(vdisk_disk_open(at("disk.vhdx"), (vdisk_open_options*)(void*)&older, &disk, &error));
  vdisk_disk_free(disk);
  older.struct_size = 0;
  CHECK(vdisk_disk_open(at("disk.vhdx"), (vdisk_open_options*)(void*)&older, &disk, NULL) ==
        VDISK_INVALID_ARGUMENT);
  newer.known.access = 2;
  CHECK(vdisk_disk_open(at("disk.vhdx"), &newer.known, &disk, NULL) != VDISK_SUCCESS);
}

static void disks_are_mirrored(void) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_output output;
  vdisk_job* job = NULL;
  vdisk_progress progress;
  vdisk_disk* disk = open_disk(at("disk.vhdx"), VDISK_READ_WRITE, NULL);
  target.path = at("mirror.vhd");
  OK(vdisk_mirror_start(disk, &target, NULL, &job, &error));
  do {
    CHECK(vdisk_job_wait_for(job, 1, NULL) == VDISK_TIMED_OUT);
    progress = vdisk_job_progress(job);
  } while (progress.current_value != progress.completion_value);
  CHECK(progress.operation_status == VDISK_PENDING);
  CHECK(access(at("mirror.vhd"), F_OK) != 0);
  write_filled(disk, 3 * mib, mib, 0x77);
  CHECK(vdisk_disk_close(disk, NULL) == VDISK_OPERATION_IN_PROGRESS);
  OK(vdisk_mirror_break(job));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_MIRROR);
  CHECK(output.value.created.virtual_size == vdisk_disk_size(disk));
  OK(vdisk_disk_close(disk, &error));
  disk = open_disk(at("mirror.vhd"), 0, NULL);
  check_filled(disk, 3 * mib, mib, 0x77);
  OK(vdisk_disk_close(disk, &error));
  OK(vdisk_hash(at("mirror.vhd"), 0, NULL, &job, &error));
  CHECK(vdisk_mirror_break(job) == VDISK_INVALID_HANDLE);
  finish(job, NULL);
  CHECK(vdisk_mirror_start(NULL, &target, NULL, &job, NULL) == VDISK_INVALID_ARGUMENT);
}

static void storage_of_the_caller(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_job* job = NULL;
  vdisk_disk* disk;
  open.store = memory_store_interface(&store);
  open.parents = VDISK_PARENTS_BESIDE;
  create("/mem/base.vhdx", 8 * mib, NULL, &open);
  disks_are_read_and_written(open.store, "/mem/base.vhdx");
  create("/mem/child.vhdx", 0, "/mem/base.vhdx", &open);
  disk = open_disk("/mem/child.vhdx", VDISK_READ_WRITE, open.store);
  CHECK(vdisk_disk_depth(disk) == 2);
  CHECK(vdisk_disk_layer_descriptor(disk, 0) == -1);
  check_filled(disk, mib, 4 * sector, 0x11);
  write_filled(disk, 2 * mib, sector, 0x33);
  OK(vdisk_disk_close(disk, &error));
  OK(vdisk_merge("/mem/child.vhdx", NULL, &open, &job, &error));
  finish(job, NULL);
  disk = open_disk("/mem/base.vhdx", VDISK_READ_WRITE, open.store);
  check_filled(disk, 2 * mib, sector, 0x33);
  store.fail_with = ENOSPC;
  CHECK(vdisk_disk_write(disk, 0, folder, 0, NULL) == VDISK_SUCCESS);
  {
    unsigned char data[sector] = {0x44};
    CHECK(vdisk_disk_write(disk, 5 * mib, data, sizeof data, NULL) == VDISK_NO_SPACE);
  }
  store.fail_with = EIO;
  CHECK(vdisk_disk_flush(disk, NULL) != VDISK_SUCCESS || store.flushes > 0);
  vdisk_disk_free(disk);
  store.fail_with = 0;
  CHECK(vdisk_disk_open("/mem/none.vhdx", &open, &disk, NULL) == VDISK_FILE_NOT_FOUND);
  memory_store_free(&store);
}

static void incomplete_stores_are_refused(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_file_calls calls = {.struct_size = sizeof calls};
  vdisk_store empty = {.struct_size = sizeof empty, .file = &calls};
  vdisk_disk* disk = NULL;
  open.store = &empty;
  CHECK(vdisk_disk_open("/a.vhdx", &open, &disk, NULL) == VDISK_INVALID_ARGUMENT);
  empty.file = NULL;
  CHECK(vdisk_disk_open("/a.vhdx", &open, &disk, NULL) == VDISK_INVALID_ARGUMENT);
}

int main(void) {
  const char* const names[] = {"disk.vhdx",  "disk.vhd",   "copy.vhd",
                               "large.vhdx", "zeros.vhdx", "mirror.vhd"};
  if (!make_folder()) return 1;
  status_codes();
  errors_have_texts();
  create(at("disk.vhdx"), 8 * mib, NULL, NULL);
  create(at("disk.vhd"), 8 * mib, NULL, NULL);
  disks_are_read_and_written(NULL, at("disk.vhdx"));
  disks_are_read_and_written(NULL, at("disk.vhd"));
  payload_moves_outside();
  structures_of_other_versions();
  jobs_tell_and_obey();
  waiting_needs_no_descriptor();
  null_jobs_are_refused_alike();
  images_are_compacted();
  disks_are_mirrored();
  storage_of_the_caller();
  incomplete_stores_are_refused();
  return remove_folder(names, sizeof names / sizeof *names);
}
