/* What jobs give besides numbers (notes, paths, ranges, images), and the options of the operations.
 * Prints what fails; exit 1. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "capi_checks.h"

static vdisk_open_options with_parents(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  open.parents = VDISK_PARENTS_BESIDE;
  return open;
}

/* The job has succeeded, and is not freed yet. */
static vdisk_output output_of(vdisk_job* job, vdisk_output_type type) {
  vdisk_output output = {.struct_size = sizeof output};
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &output) == VDISK_SUCCESS);
  CHECK(output.type == type);
  return output;
}

static vdisk_status status_of(vdisk_job* job) {
  const vdisk_status status = vdisk_job_wait(job, NULL);
  vdisk_job_free(job);
  return status;
}

/* How many notes of a kind there are; the last of them. */
static uint64_t count_notes(const vdisk_job* job, uint32_t kind, vdisk_note* last) {
  vdisk_note note = VDISK_NOTE_INIT;
  uint64_t count = 0;
  for (uint64_t index = 0; vdisk_job_note(job, index, &note) == VDISK_SUCCESS; ++index) {
    if (note.kind != kind) continue;
    ++count;
    *last = note;
  }
  return count;
}

static void check_path(const vdisk_job* job, uint32_t kind, uint64_t index, const char* name) {
  const char* path = NULL;
  CHECK(vdisk_job_path(job, kind, index, &path) == VDISK_SUCCESS);
  if (path != NULL && strcmp(strrchr(path, '/') + 1, name) == 0) return;
  ++failures;
  printf("path %u %d: %s, expected %s\n", kind, (int)index, path == NULL ? "none" : path, name);
}

static void overwrite_end(const char* path, size_t length) {
  static const char zeros[sector];
  struct stat status;
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  CHECK(fstat(file, &status) == 0);
  CHECK(pwrite(file, zeros, length, status.st_size - (off_t)length) == (ssize_t)length);
  close(file);
}

/* A VHD whose footer is gone: found, repaired, taken back. */
static void repairs_are_told_and_taken_back(void) {
  vdisk_note note = VDISK_NOTE_INIT;
  vdisk_output output;
  vdisk_job* job = NULL;
  create(at("hurt.vhd"), 4 * mib, NULL, NULL);
  overwrite_end(at("hurt.vhd"), sector);
  OK(vdisk_check(at("hurt.vhd"), 0, NULL, &job, &error));
  output = output_of(job, VDISK_OUTPUT_CHECK);
  CHECK(output.value.check.findings >= 1);
  CHECK(count_notes(job, VDISK_NOTE_FINDING, &note) == output.value.check.findings);
  CHECK(note.severity != VDISK_SEVERITY_INFO && strlen(note.id) > 0 && strlen(note.message) > 0);
  CHECK(strlen(note.repair) > 0 && strstr(note.path, "hurt.vhd") != NULL);
  CHECK(vdisk_job_note(job, 1000, &note) == VDISK_NOT_FOUND);
  vdisk_job_free(job);

  OK(vdisk_repair(at("hurt.vhd"), 1, at("undo"), NULL, &job, &error));
  output = output_of(job, VDISK_OUTPUT_REPAIR);
  CHECK(output.value.repair.applied && output.value.repair.opens_after);
  CHECK(count_notes(job, VDISK_NOTE_ACTION, &note) == output.value.repair.actions);
  CHECK(output.value.repair.actions >= 1 && strlen(note.message) > 0);
  CHECK(count_notes(job, VDISK_NOTE_FINDING, &note) == output.value.repair.findings_before);
  CHECK(count_notes(job, VDISK_NOTE_REMAINING, &note) == output.value.repair.findings_after);
  vdisk_job_free(job);

  for (uint32_t apply = 0; apply < 2; ++apply) {
    OK(vdisk_undo_repair(at("hurt.vhd"), at("undo"), apply, NULL, &job, &error));
    output = output_of(job, VDISK_OUTPUT_UNDONE);
    CHECK(output.value.undone.applied == apply && output.value.undone.restored_bytes >= sector);
    vdisk_job_free(job);
    OK(vdisk_check(at("hurt.vhd"), 0, NULL, &job, &error));
    output = output_of(job, VDISK_OUTPUT_CHECK);
    CHECK((output.value.check.findings > 0) == (apply == 1));
    vdisk_job_free(job);
  }
}

/* Both footers and the header are gone: what is left needs hints. */
static void salvages_tell_what_they_assume(void) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_note note = VDISK_NOTE_INIT;
  vdisk_output output;
  vdisk_job* job = NULL;
  target.path = at("salvaged.vhdx");
  OK(vdisk_salvage(at("hurt.vhd"), &target, 0, 0, NULL, &job, &error));
  output = output_of(job, VDISK_OUTPUT_SALVAGE);
  CHECK(output.value.salvage.virtual_size == 4 * mib && output.value.salvage.lost_bytes == 0);
  check_path(job, VDISK_PATH_RESULT, 0, "salvaged.vhdx");
  CHECK(count_notes(job, VDISK_NOTE_FINDING, &note) >= 1);
  CHECK(count_notes(job, VDISK_NOTE_ASSUMPTION, &note) == output.value.salvage.assumptions);
  vdisk_job_free(job);
}

/* base <- middle <- leaf, with one megabyte each. */
static void make_chain(void) {
  static const char* const names[] = {"base.vhdx", "middle.vhdx", "leaf.vhdx"};
  const vdisk_open_options open = with_parents();
  for (int index = 0; index < 3; ++index) {
    vdisk_disk* disk;
    create(at(names[index]), index == 0 ? 8 * mib : 0, index == 0 ? NULL : at(names[index - 1]),
           &open);
    disk = open_disk(at(names[index]), VDISK_READ_WRITE, NULL);
    write_filled(disk, (uint64_t)index * 2 * mib, mib, 0x11 * (index + 1));
    OK(vdisk_disk_close(disk, &error));
  }
}

static void conversions_have_options(void) {
  const vdisk_open_options open = with_parents();
  vdisk_convert_options options = VDISK_CONVERT_OPTIONS_INIT;
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_output output;
  vdisk_job* job = NULL;
  char phase[16] = "";
  vdisk_disk* disk;
  target.path = at("layer.vhdx");
  options.layer = options.verify = 1;
  options.clone = VDISK_CLONE_NEVER;
  options.size = 12 * mib;
  OK(vdisk_convert_with(at("leaf.vhdx"), &target, &options, &open, &job, &error));
  output = output_of(job, VDISK_OUTPUT_CREATED);
  CHECK(output.value.created.virtual_size == 12 * mib);
  check_path(job, VDISK_PATH_RESULT, 0, "layer.vhdx");
  CHECK(vdisk_job_phase(job, phase, sizeof phase) == VDISK_SUCCESS && strlen(phase) > 0);
  CHECK(vdisk_job_phase(job, phase, 2) == VDISK_SUCCESS && strlen(phase) == 1);
  CHECK(vdisk_job_phase(job, phase, 0) == VDISK_INVALID_ARGUMENT);
  vdisk_job_free(job);
  disk = open_disk(at("layer.vhdx"), VDISK_READ_ONLY, NULL);
  check_filled(disk, 4 * mib, mib, 0x33);
  check_filled(disk, 0, mib, 0); /* the base's */
  vdisk_disk_free(disk);

  options = (vdisk_convert_options)VDISK_CONVERT_OPTIONS_INIT;
  options.gzip = 1;
  target.path = at("flat.raw");
  target.format = "raw";
  OK(vdisk_convert_with(at("base.vhdx"), &target, &options, &open, &job, &error));
  CHECK(status_of(job) == VDISK_SUCCESS);
  {
    struct stat status = {0};
    CHECK(stat(at("flat.raw"), &status) == 0 && status.st_size < mib);
  }
  options.gzip = 10;
  CHECK(vdisk_convert_with(at("base.vhdx"), &target, &options, &open, &job, NULL) ==
        VDISK_INVALID_ARGUMENT);
  options.gzip = 0;
  options.clone = 3;
  CHECK(vdisk_convert_with(at("base.vhdx"), &target, &options, &open, &job, NULL) ==
        VDISK_INVALID_ARGUMENT);
}

static void comparisons_list_ranges(void) {
  const vdisk_open_options open = with_parents();
  vdisk_compare_options options = VDISK_COMPARE_OPTIONS_INIT;
  vdisk_output output;
  vdisk_range range = {0};
  vdisk_job* job = NULL;
  options.all_ranges = 1;
  OK(vdisk_compare_with(at("base.vhdx"), at("leaf.vhdx"), &options, &open, &job, &error));
  output = output_of(job, VDISK_OUTPUT_COMPARISON);
  CHECK(output.value.comparison.ranges == 2);
  CHECK(vdisk_job_range(job, 1, &range) == VDISK_SUCCESS);
  CHECK(range.offset == 4 * mib && range.length == mib);
  vdisk_job_free(job);
  create(at("small.vhdx"), mib, NULL, NULL);
  create(at("large.vhdx"), 2 * mib, NULL, NULL);
  options = (vdisk_compare_options)VDISK_COMPARE_OPTIONS_INIT;
  for (uint32_t strict = 0; strict < 2; ++strict) {
    options.strict_size = strict;
    OK(vdisk_compare_with(at("small.vhdx"), at("large.vhdx"), &options, NULL, &job, &error));
    CHECK(output_of(job, VDISK_OUTPUT_COMPARISON).value.comparison.identical == !strict);
    vdisk_job_free(job);
  }
}

static void parents_are_found_where_it_is_said(void) {
  char here[512];
  char elsewhere[512];
  const char* const roots[] = {elsewhere, NULL};
  const vdisk_path_mapping map[] = {{".", elsewhere}, {NULL, NULL}};
  const vdisk_path_mapping broken[] = {{".", NULL}};
  vdisk_open_options open = with_parents();
  snprintf(elsewhere, sizeof elsewhere, "%s", at("elsewhere")); /* at() has room for four */
  vdisk_disk* disk = NULL;
  snprintf(here, sizeof here, "%s", at("middle.vhdx"));
  CHECK(mkdir(at("elsewhere"), 0700) == 0);
  CHECK(rename(at("base.vhdx"), at("elsewhere/base.vhdx")) == 0);
  CHECK(vdisk_disk_open(here, &open, &disk, NULL) == VDISK_PARENT_NOT_FOUND);
  open.parent_map = map;
  OK(vdisk_disk_open(here, &open, &disk, &error));
  CHECK(vdisk_disk_depth(disk) == 2);
  vdisk_disk_free(disk);
  open.parent_map = broken;
  CHECK(vdisk_disk_open(here, &open, &disk, NULL) == VDISK_INVALID_ARGUMENT);
  open.parent_map = NULL;
  open.parent_roots = roots;
  OK(vdisk_disk_open(here, &open, &disk, &error));
  CHECK(vdisk_disk_depth(disk) == 2);
  vdisk_disk_free(disk);
  open = (vdisk_open_options)VDISK_OPEN_OPTIONS_INIT;
  open.parent = at("elsewhere/base.vhdx");
  OK(vdisk_disk_open(here, &open, &disk, &error));
  CHECK(vdisk_disk_depth(disk) == 2);
  vdisk_disk_free(disk);
  open.parent = at("leaf.vhdx");
  CHECK(vdisk_disk_open(here, &open, &disk, NULL) == VDISK_PARENT_MISMATCH);
}

static void unresolved_links_are_named(void) {
  const vdisk_open_options open = with_parents();
  vdisk_tree_image image = VDISK_TREE_IMAGE_INIT;
  vdisk_job* job = NULL;
  OK(vdisk_relink(folder, VDISK_TREE_FLAT, &open, &job, &error));
  CHECK(output_of(job, VDISK_OUTPUT_RELINKED).value.relinked.unresolved == 1);
  CHECK(vdisk_job_image(job, 0, &image) == VDISK_SUCCESS);
  CHECK(strstr(image.path, "middle.vhdx") != NULL && strcmp(image.parent_state, "missing") == 0);
  CHECK(image.parent == VDISK_NO_PARENT);
  CHECK(vdisk_job_image(job, 1, &image) == VDISK_NOT_FOUND);
  vdisk_job_free(job);
  CHECK(rename(at("elsewhere/base.vhdx"), at("base.vhdx")) == 0 && rmdir(at("elsewhere")) == 0);
}

static void merges_name_their_files(void) {
  const vdisk_open_options open = with_parents();
  vdisk_merge_options options = VDISK_MERGE_OPTIONS_INIT;
  vdisk_output output;
  vdisk_job* job = NULL;
  OK(vdisk_children(at("base.vhdx"), &open, &job, &error));
  CHECK(output_of(job, VDISK_OUTPUT_CHILDREN).value.children.children == 1);
  check_path(job, VDISK_PATH_RESULT, 0, "middle.vhdx");
  vdisk_job_free(job);
  options.depth = 3;
  OK(vdisk_merge(at("leaf.vhdx"), &options, &open, &job, &error));
  CHECK(status_of(job) == VDISK_INVALID_ARGUMENT);
  options.depth = 0;
  options.base = at("small.vhdx");
  OK(vdisk_merge(at("leaf.vhdx"), &options, &open, &job, &error));
  CHECK(status_of(job) == VDISK_INVALID_ARGUMENT);
  options.base = at("middle.vhdx");
  options.delete_children = 1;
  OK(vdisk_merge(at("leaf.vhdx"), &options, &open, &job, &error));
  output = output_of(job, VDISK_OUTPUT_MERGED);
  CHECK(output.value.merged.removed_files == 1 && output.value.merged.relinked_files == 0);
  check_path(job, VDISK_PATH_RESULT, 0, "middle.vhdx");
  check_path(job, VDISK_PATH_REMOVED, 0, "leaf.vhdx");
  {
    const char* path = NULL;
    CHECK(vdisk_job_path(job, VDISK_PATH_REMOVED, 1, &path) == VDISK_NOT_FOUND && path == NULL);
    CHECK(vdisk_job_path(job, 0, 0, NULL) == VDISK_INVALID_ARGUMENT);
  }
  vdisk_job_free(job);
  options = (vdisk_merge_options)VDISK_MERGE_OPTIONS_INIT;
  options.all = options.delete_children = 1;
  OK(vdisk_merge(at("middle.vhdx"), &options, &open, &job, &error));
  CHECK(status_of(job) == VDISK_SUCCESS && access(at("middle.vhdx"), F_OK) != 0);
}

static void targets_look_as_asked(void) {
  static const uint8_t id[16] = {9, 8, 7};
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_layer_info info = VDISK_LAYER_INFO_INIT;
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  vdisk_job* job = NULL;
  vdisk_disk* disk = NULL;
  vdisk_disk* again = NULL;
  target.path = at("small.vhdx");
  target.id = id;
  target.block_size = 2 * mib;
  target.logical_sector_size = target.physical_sector_size = 4096;
  OK(vdisk_create(&target, 4 * mib, NULL, NULL, NULL, &job, &error));
  CHECK(status_of(job) == VDISK_FILE_EXISTS);
  target.replace = 1;
  OK(vdisk_create(&target, 4 * mib, NULL, NULL, NULL, &job, &error));
  CHECK(status_of(job) == VDISK_SUCCESS);
  open.access = VDISK_READ_WRITE;
  open.format = "vhdx";
  open.metadata_cache_bytes = mib;
  open.read_log = VDISK_LOG_REQUIRE_CLEAN;
  OK(vdisk_disk_open(at("small.vhdx"), &open, &disk, &error));
  OK(vdisk_disk_layer(disk, 0, &info, &error));
  CHECK(memcmp(info.id, id, sizeof id) == 0 && info.block_size == 2 * mib);
  CHECK(vdisk_disk_logical_sector_size(disk) == 4096 && info.physical_sector_size == 4096);
  CHECK(vdisk_disk_open(at("small.vhdx"), &open, &again, NULL) == VDISK_BUSY);
  open.no_lock = 1;
  open.access = VDISK_READ_ONLY;
  open.read_log = VDISK_LOG_IGNORE;
  OK(vdisk_disk_open(at("small.vhdx"), &open, &again, &error));
  vdisk_disk_free(again);
  OK(vdisk_disk_close(disk, &error));
  open.format = "vhd";
  CHECK(vdisk_disk_open(at("small.vhdx"), &open, &disk, NULL) != VDISK_SUCCESS);
  target.type = VDISK_DIFFERENCING + 1;
  CHECK(vdisk_create(&target, mib, NULL, NULL, NULL, &job, NULL) == VDISK_INVALID_ARGUMENT);
  target = (vdisk_target)VDISK_TARGET_INIT;
  target.path = at("fixed.vhd");
  target.type = VDISK_FIXED;
  OK(vdisk_create(&target, mib, NULL, NULL, NULL, &job, &error));
  CHECK(status_of(job) == VDISK_SUCCESS);
  open = (vdisk_open_options)VDISK_OPEN_OPTIONS_INIT;
  open.vhd_size_by_chs = 1;
  OK(vdisk_disk_open(at("fixed.vhd"), &open, &disk, &error));
  CHECK(vdisk_disk_size(disk) <= mib); /* whole cylinders */
  vdisk_disk_free(disk);
  CHECK(vdisk_disk_open("/dev/null", &open, &disk, NULL) == VDISK_NOT_REGULAR);
}

static void compactions_have_modes(void) {
  vdisk_output output;
  vdisk_job* job = NULL;
  vdisk_disk* disk = open_disk(at("large.vhdx"), VDISK_READ_WRITE, NULL);
  write_filled(disk, 0, 2 * mib, 0x44);
  OK(vdisk_disk_zero(disk, sector, mib - sector, &error));
  OK(vdisk_disk_close(disk, &error));
  OK(vdisk_compact(at("large.vhdx"), VDISK_COMPACT_COPY, 0, NULL, &job, &error));
  output = output_of(job, VDISK_OUTPUT_COMPACTED);
  CHECK(output.value.compacted.new_file_size <= output.value.compacted.old_file_size);
  vdisk_job_free(job);
  OK(vdisk_compact(at("large.vhdx"), VDISK_COMPACT_IN_PLACE, 1, NULL, &job, &error));
  CHECK(status_of(job) == VDISK_SUCCESS);
  disk = open_disk(at("large.vhdx"), VDISK_READ_ONLY, NULL);
  check_filled(disk, mib, mib, 0x44);
  vdisk_disk_free(disk);
}

static void images_of_others_are_followed(void) {
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_job* job = NULL;
  vdisk_progress progress;
  target.path = at("copy.vhd");
  OK(vdisk_follow_start(at("large.vhdx"), &target, 1, NULL, &job, &error));
  do {
    CHECK(vdisk_job_wait_for(job, 1, NULL) == VDISK_TIMED_OUT);
    progress = vdisk_job_progress(job);
  } while (progress.operation_status == VDISK_PENDING &&
           progress.current_value != progress.completion_value);
  CHECK(vdisk_mirror_break(job) == VDISK_SUCCESS);
  (void)output_of(job, VDISK_OUTPUT_MIRROR);
  check_path(job, VDISK_PATH_RESULT, 0, "copy.vhd");
  vdisk_job_free(job);
}

int main(void) {
  const char* const names[] = {"hurt.vhd",   "undo",      "salvaged.vhdx", "base.vhdx",
                               "layer.vhdx", "flat.raw",  "small.vhdx",    "large.vhdx",
                               "fixed.vhd",  "leaf.vhdx", "middle.vhdx",   "copy.vhd"};
  if (!make_folder()) return 1;
  repairs_are_told_and_taken_back();
  salvages_tell_what_they_assume();
  make_chain();
  conversions_have_options();
  comparisons_list_ranges();
  parents_are_found_where_it_is_said();
  unresolved_links_are_named();
  merges_name_their_files();
  targets_look_as_asked();
  compactions_have_modes();
  images_of_others_are_followed();
  return remove_folder(names, sizeof names / sizeof *names);
}
