/* Chains, changes and metadata through the C interface. Prints what fails; exit 1. */
#define _GNU_SOURCE
#include "capi_checks.h"

static void fill(const char* path, uint64_t offset, size_t length, int value) {
  vdisk_disk* disk = open_disk(path, VDISK_READ_WRITE, NULL);
  write_filled(disk, offset, length, value);
  OK(vdisk_disk_close(disk, &error));
}

static vdisk_open_options with_parents(void) {
  vdisk_open_options open = VDISK_OPEN_OPTIONS_INIT;
  open.parents = VDISK_PARENTS_BESIDE;
  return open;
}

static void check_range(const vdisk_job* job, uint64_t index, uint64_t offset, uint64_t length,
                        uint32_t zero) {
  vdisk_range range = {0};
  CHECK(vdisk_job_range(job, index, &range) == VDISK_SUCCESS);
  CHECK(range.offset == offset && range.length == length && range.zero == zero);
}

/* base.vhdx <- child.vhdx; the base gets another name, and is linked again. */
static void moved_parents_are_found(void) {
  const vdisk_open_options open = with_parents();
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_tree_image image = VDISK_TREE_IMAGE_INIT;
  vdisk_job* job = NULL;
  create(at("base.vhdx"), 8 * mib, NULL, NULL);
  fill(at("base.vhdx"), mib, mib, 0x11);
  create(at("child.vhdx"), 0, at("base.vhdx"), &open);
  CHECK(rename(at("base.vhdx"), at("moved.vhdx")) == 0);

  OK(vdisk_tree(folder, 0, &open, &job, &error));
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &output) == VDISK_SUCCESS);
  CHECK(output.type == VDISK_OUTPUT_TREE && output.value.tree.images == 2);
  CHECK(vdisk_job_image(job, 0, &image) == VDISK_SUCCESS);
  CHECK(strcmp(strrchr(image.path, '/'), "/child.vhdx") == 0);
  CHECK(strcmp(image.parent_state, "moved") == 0 && image.parent == 1);
  CHECK(image.type == VDISK_DIFFERENCING && image.fault == VDISK_SUCCESS);
  CHECK(vdisk_job_image(job, 1, &image) == VDISK_SUCCESS);
  CHECK(image.parent == VDISK_NO_PARENT && strcmp(image.format, "vhdx") == 0);
  CHECK(vdisk_job_image(job, 2, &image) == VDISK_NOT_FOUND);
  vdisk_job_free(job);

  OK(vdisk_relink(folder, VDISK_TREE_DRY_RUN, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_RELINKED && output.value.relinked.links == 1);
  OK(vdisk_relink(folder, VDISK_TREE_FLAT, &open, &job, &error));
  finish(job, &output);
  CHECK(output.value.relinked.links == 1 && output.value.relinked.unresolved == 0);
  OK(vdisk_relink(folder, 0, &open, &job, &error));
  finish(job, &output);
  CHECK(output.value.relinked.images == 2 && output.value.relinked.links == 0);
  CHECK(vdisk_tree(folder, VDISK_TREE_DRY_RUN, &open, &job, NULL) == VDISK_INVALID_ARGUMENT);

  CHECK(rename(at("moved.vhdx"), at("base.vhdx")) == 0);
  OK(vdisk_rebase(at("child.vhdx"), at("base.vhdx"), NULL, &open, &job, &error));
  finish(job, &output);
  CHECK(output.type == VDISK_OUTPUT_REBASED && !output.value.rebased.identity_changed);
}

static void chains_are_flattened(void) {
  const vdisk_open_options open = with_parents();
  vdisk_merge_options merge = VDISK_MERGE_OPTIONS_INIT;
  vdisk_target target = VDISK_TARGET_INIT;
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_job* job = NULL;
  fill(at("child.vhdx"), 4 * mib, mib, 0x22);
  target.path = at("flat.vhd");
  merge.output = &target;
  OK(vdisk_merge(at("child.vhdx"), &merge, &open, &job, &error));
  finish(job, NULL);
  OK(vdisk_compare(at("child.vhdx"), at("flat.vhd"), &open, &job, &error));
  finish(job, &output);
  CHECK(output.value.comparison.identical);
  CHECK(access(at("child.vhdx"), F_OK) == 0);
}

static void differences_are_ranges(void) {
  const vdisk_open_options open = with_parents();
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_job* job = NULL;
  OK(vdisk_diff(at("base.vhdx"), at("child.vhdx"), mib, &open, &job, &error));
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &output) == VDISK_SUCCESS);
  CHECK(output.type == VDISK_OUTPUT_CHANGES && output.value.changes.ranges == 1);
  CHECK(output.value.changes.changed_bytes == mib);
  check_range(job, 0, 4 * mib, mib, 0);
  CHECK(vdisk_job_range(job, 1, &(vdisk_range){0}) == VDISK_NOT_FOUND);
  vdisk_job_free(job);
}

/* The manifest goes through arrays, as if it had been stored. */
static vdisk_manifest* stored_and_loaded(const vdisk_manifest* manifest, uint64_t size) {
  vdisk_manifest* loaded = NULL;
  uint64_t index = 0;
  uint8_t digest[32];
  OK(vdisk_manifest_new(size, mib, 0, &loaded, &error));
  for (uint64_t at = 0; at < vdisk_manifest_count(manifest); ++at) {
    CHECK(vdisk_manifest_block(manifest, at, &index, digest) == VDISK_SUCCESS);
    OK(vdisk_manifest_add(loaded, index, digest, &error));
  }
  {
    uint64_t block_size = 0;
    uint32_t sha256 = 7;
    CHECK(vdisk_manifest_shape(loaded, NULL, &block_size, &sha256) == VDISK_SUCCESS);
    CHECK(block_size == mib && sha256 == 0);
  }
  {
    vdisk_manifest* none = NULL;
    const uint64_t wrong[] = {0, 1, 4095, 5000, 3 * mib, (uint64_t)512 * mib};
    for (size_t each = 0; each < sizeof wrong / sizeof *wrong; ++each) {
      CHECK(vdisk_manifest_new(size, wrong[each], 0, &none, NULL) == VDISK_INVALID_ARGUMENT);
    }
  }
  CHECK(vdisk_manifest_block(manifest, 99, &index, digest) == VDISK_NOT_FOUND);
  CHECK(vdisk_manifest_add(loaded, 0, digest, NULL) == VDISK_INVALID_ARGUMENT);
  return loaded;
}

static void changes_since_a_manifest(void) {
  const vdisk_open_options open = with_parents();
  vdisk_output output = {.struct_size = sizeof output};
  vdisk_manifest* made = NULL;
  vdisk_manifest* loaded = NULL;
  vdisk_manifest* now = NULL;
  vdisk_job* job = NULL;
  OK(vdisk_make_manifest(at("child.vhdx"), 0, 0, &open, &job, &error));
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &output) == VDISK_SUCCESS);
  CHECK(output.type == VDISK_OUTPUT_MANIFEST && output.value.manifest.blocks == 2);
  OK(vdisk_job_manifest(job, &made, &error));
  vdisk_job_free(job);
  loaded = stored_and_loaded(made, 8 * mib);
  fill(at("child.vhdx"), 4 * mib, mib, 0);
  fill(at("child.vhdx"), 6 * mib, mib, 0x33);

  OK(vdisk_changes(at("child.vhdx"), loaded, &open, &job, &error));
  OK(vdisk_job_wait(job, &error));
  CHECK(vdisk_job_output(job, &output) == VDISK_SUCCESS);
  CHECK(output.value.changes.ranges == 2 && output.value.changes.new_size == 8 * mib);
  check_range(job, 0, 4 * mib, mib, 1);
  check_range(job, 1, 6 * mib, mib, 0);
  OK(vdisk_job_manifest(job, &now, &error));
  CHECK(vdisk_manifest_count(now) == 2);
  vdisk_job_free(job);
  CHECK(vdisk_changes(at("child.vhdx"), NULL, &open, &job, NULL) == VDISK_INVALID_ARGUMENT);
  vdisk_manifest_free(made);
  vdisk_manifest_free(loaded);
  vdisk_manifest_free(now);
  vdisk_manifest_free(NULL);
}

static void items_are_kept(void) {
  const uint8_t id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  vdisk_metadata_item items[16];
  char text[16] = {0};
  uint64_t count = 16;
  uint64_t length = 3;
  OK(vdisk_metadata_set(at("child.vhdx"), id, "backup", 6, 0, 0, NULL, &error));
  OK(vdisk_metadata_list(at("child.vhdx"), NULL, items, &count, &error));
  CHECK(count == 7 && items[6].is_user && items[6].length == 6);
  CHECK(memcmp(items[6].id, id, sizeof id) == 0 && !items[0].is_user);
  CHECK(vdisk_metadata_get(at("child.vhdx"), id, 1, NULL, text, &length, NULL) ==
        VDISK_BUFFER_TOO_SMALL);
  CHECK(length == 6);
  OK(vdisk_metadata_get(at("child.vhdx"), id, 1, NULL, text, &length, &error));
  CHECK(strcmp(text, "backup") == 0);
  CHECK(vdisk_metadata_get(at("child.vhdx"), id, 0, NULL, text, &length, NULL) == VDISK_NOT_FOUND);
  OK(vdisk_metadata_remove(at("child.vhdx"), id, 0, NULL, &error));
  CHECK(vdisk_metadata_remove(at("child.vhdx"), id, 0, NULL, NULL) == VDISK_NOT_FOUND);
  count = 0;
  CHECK(vdisk_metadata_list(at("child.vhdx"), NULL, NULL, &count, NULL) == VDISK_BUFFER_TOO_SMALL);
  CHECK(count == 6);
  CHECK(vdisk_metadata_list(at("flat.vhd"), NULL, items, &count, NULL) == VDISK_UNSUPPORTED);
  CHECK(vdisk_metadata_set(at("child.vhdx"), NULL, "", 0, 0, 0, NULL, NULL) ==
        VDISK_INVALID_ARGUMENT);
  CHECK(vdisk_metadata_set(at("child.vhdx"), id, NULL, 1, 0, 0, NULL, NULL) ==
        VDISK_INVALID_ARGUMENT);
}

int main(void) {
  const char* const names[] = {"base.vhdx", "child.vhdx", "flat.vhd"};
  if (!make_folder()) return 1;
  moved_parents_are_found();
  chains_are_flattened();
  differences_are_ranges();
  changes_since_a_manifest();
  items_are_kept();
  return remove_folder(names, sizeof names / sizeof *names);
}
