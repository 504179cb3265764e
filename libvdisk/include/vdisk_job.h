/* libvdisk, the C interface: jobs, and what they give. Included by vdisk.h. */
#ifndef VDISK_JOB_H
#define VDISK_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "vdisk_status.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Jobs ---------------------------------------------------------------------------------- */

/** A long operation on a thread of its own (docs/jobs.md). Threads: all functions but free may be
 * called from many threads at once, also while others wait. Only wait, wait_for and free block, on
 * the operation. */
typedef struct vdisk_job vdisk_job;

typedef struct vdisk_progress {
  vdisk_status operation_status; /**< VDISK_PENDING while it runs: the only sign of completion */
  uint64_t current_value;
  uint64_t completion_value; /**< > 0 while pending */
} vdisk_progress;

/** Never blocks. */
vdisk_progress vdisk_job_progress(const vdisk_job* job);
/** The status and 0..99 while pending, 100 once ended. Never blocks. */
vdisk_status vdisk_job_query_status(const vdisk_job* job, uint32_t* percent);
/** Blocks until the operation has ended; its status. Needs no descriptor. */
vdisk_status vdisk_job_wait(vdisk_job* job, vdisk_error** error);
/** VDISK_TIMED_OUT when it has not ended in time; the job goes on. */
vdisk_status vdisk_job_wait_for(vdisk_job* job, uint64_t milliseconds, vdisk_error** error);
/** What the operation calls its present part, or its last one ("copy", "flush"): as much of it as
 * `text` has room for, and a zero. Never blocks. */
vdisk_status vdisk_job_phase(const vdisk_job* job, char* text, size_t room);
/** VDISK_CANCELED (it won), VDISK_ALREADY_CANCELED, or VDISK_TOO_LATE. Never blocks. */
vdisk_status vdisk_job_cancel(vdisk_job* job);
/** A descriptor that is readable when the operation has ended; made by the first call, owned by the
 * job. -1 and the error (VDISK_IO) when there is none. Never blocks. */
int vdisk_job_event_fd(vdisk_job* job, vdisk_error** error);
/** Cancels, waits for the job's thread and frees. Blocks until the operation has noticed. */
void vdisk_job_free(vdisk_job* job);

/** What a job gave; the numbers are those of VDS_ASYNC_OUTPUT_TYPE where it has one. */
typedef enum vdisk_output_type {
  VDISK_OUTPUT_NONE = 0,
  VDISK_OUTPUT_SHRUNK = 3, /**< value.resized, of vdisk_shrink */
  VDISK_OUTPUT_MIRROR = 5, /**< value.created */
  VDISK_OUTPUT_CREATED = 200,
  VDISK_OUTPUT_COMPACTED = 202,
  VDISK_OUTPUT_MERGED = 203,
  VDISK_OUTPUT_RESIZED = 204,
  VDISK_OUTPUT_COMPARISON = 1000,
  VDISK_OUTPUT_DIGEST = 1001,
  VDISK_OUTPUT_CHECK = 1002,
  VDISK_OUTPUT_REPAIR = 1003,
  VDISK_OUTPUT_SALVAGE = 1004,
  VDISK_OUTPUT_REBASED = 1005,
  VDISK_OUTPUT_RELINKED = 1006,
  VDISK_OUTPUT_TREE = 1007,
  VDISK_OUTPUT_CHANGES = 1008,
  VDISK_OUTPUT_MANIFEST = 1009,
  VDISK_OUTPUT_UNDONE = 1010,
  VDISK_OUTPUT_CHILDREN = 1011
} vdisk_output_type;

typedef struct vdisk_output {
  size_t struct_size;
  vdisk_output_type type;
  union {
    struct {
      uint8_t id[16];
      uint64_t virtual_size;
    } created; /**< vdisk_job_path */
    struct {
      uint64_t reclaimed_bytes, moved_blocks, old_file_size, new_file_size;
      char no_gain[24];
    } compacted; /**< no_gain: "none", or why nothing was given back */
    struct {
      uint64_t merged_bytes, removed_files, relinked_files;
    } merged; /**< vdisk_job_path */
    struct {
      uint64_t old_size, new_size, reclaimed_bytes;
      char gpt[16];
    } resized; /**< gpt, the backup of a GUID partition table: "none", "at_end", "moved",
                    "left_behind" */
    struct {
      uint64_t size_a, size_b, first_difference;
      uint32_t identical;
      uint64_t ranges;
    } comparison; /**< vdisk_job_range, when they were asked for */
    struct {
      uint64_t virtual_size, bytes_hashed;
      char algorithm[32];
      char hex[72];
    } digest;
    struct {
      uint64_t findings, blocks_total, blocks_allocated, bytes_reclaimable;
      uint32_t clean;
    } check; /**< vdisk_job_note */
    struct {
      uint64_t findings_before, findings_after, actions, changed_bytes;
      uint32_t applied, opens_before, opens_after;
    } repair; /**< vdisk_job_note */
    struct {
      uint8_t id[16];
      uint64_t virtual_size, lost_bytes, lost_ranges, assumptions;
    } salvage; /**< the lost ranges: vdisk_job_range; the rest: vdisk_job_note */
    struct {
      uint8_t parent_id[16];
      uint32_t identity_changed;
    } rebased;
    struct {
      uint64_t images, links, unresolved;
    } relinked; /**< the unresolved ones: vdisk_job_image */
    struct {
      uint64_t images;
    } tree; /**< vdisk_job_image */
    struct {
      uint64_t old_size, new_size, granularity, changed_bytes, ranges;
    } changes; /**< vdisk_job_range, and vdisk_job_manifest for what vdisk_changes found */
    struct {
      uint64_t virtual_size, block_size, blocks;
    } manifest; /**< vdisk_job_manifest */
    struct {
      uint64_t restored_bytes, old_size, new_size; /**< sizes of the file */
      uint32_t applied;
    } undone;
    struct {
      uint64_t children;
    } children; /**< vdisk_job_path */
  } value;
} vdisk_output;

/** The output of a job that succeeded; VDISK_PENDING before, its status after a failure.
 * Never blocks. */
vdisk_status vdisk_job_output(const vdisk_job* job, vdisk_output* output);

typedef struct vdisk_range {
  uint64_t offset;
  uint64_t length;
  uint32_t zero; /**< 1: it reads as zeros now */
  uint32_t reserved;
} vdisk_range;
/** Range `index` of an output that has ranges; VDISK_NOT_FOUND behind the last. Never blocks. */
vdisk_status vdisk_job_range(const vdisk_job* job, uint64_t index, vdisk_range* range);

enum {
  VDISK_PATH_RESULT = 0,  /**< the new image; the one that was merged into; a child */
  VDISK_PATH_REMOVED = 1, /**< merge: a file that is gone */
  VDISK_PATH_RELINKED = 2 /**< merge: a child of a removed image */
};
/** Path `index` of its kind; VDISK_NOT_FOUND behind the last. It lives as long as the job. Never
 * blocks. */
vdisk_status vdisk_job_path(const vdisk_job* job, uint32_t kind, uint64_t index, const char** path);

enum {
  VDISK_NOTE_FINDING = 0,   /**< check, salvage; repair: of the file as it was */
  VDISK_NOTE_REMAINING = 1, /**< repair: a finding that it leaves, or would leave */
  VDISK_NOTE_ACTION = 2,    /**< repair: what it did, or would do */
  VDISK_NOTE_ASSUMPTION = 3 /**< salvage: if it is wrong, what was read is wrong */
};
enum { VDISK_SEVERITY_INFO = 0, VDISK_SEVERITY_WARNING = 1, VDISK_SEVERITY_ERROR = 2 };
/** What was found, done or assumed. The texts live as long as the job. */
typedef struct vdisk_note {
  size_t struct_size;
  uint32_t kind;       /**< VDISK_NOTE_... */
  uint32_t severity;   /**< VDISK_SEVERITY_...; of findings */
  uint64_t offset;     /**< of the structure in its file */
  const char* id;      /**< stable: the rule that is broken, or a name */
  const char* message; /**< for people */
  const char* repair;  /**< what a repair would do; "" when there is nothing to do */
  const char* path;    /**< check: of the layer; else "" */
} vdisk_note;
#define VDISK_NOTE_INIT {sizeof(vdisk_note), 0, 0, 0, NULL, NULL, NULL, NULL}
/** Note `index`, in the order of the kinds; VDISK_NOT_FOUND behind the last. At most 1000 of a kind
 * (and layer) are kept; the output counts all. Never blocks. */
vdisk_status vdisk_job_note(const vdisk_job* job, uint64_t index, vdisk_note* note);

#define VDISK_NO_PARENT UINT64_MAX
/** An image of a tree. The path lives as long as the job. */
typedef struct vdisk_tree_image {
  size_t struct_size;
  const char* path;
  uint64_t virtual_size;
  uint64_t file_size;
  uint64_t parent;       /**< index of another image, or VDISK_NO_PARENT */
  uint8_t id[16];        /**< what a child's link must name */
  uint32_t type;         /**< VDISK_FIXED ... */
  uint32_t dirty;        /**< 1: a log must be replayed */
  vdisk_status fault;    /**< why it cannot be opened; then only path and file_size are known */
  char format[16];       /**< "vhd", "vhdx" */
  char parent_state[16]; /**< "none", "found", "outside", "moved", "ambiguous", "different",
                              "missing", "cyclic", "raw" */
} vdisk_tree_image;
#define VDISK_TREE_IMAGE_INIT \
  {sizeof(vdisk_tree_image), NULL, 0, 0, 0, {0}, 0, 0, VDISK_SUCCESS, {0}, {0}}
/** Image `index` of a VDISK_OUTPUT_TREE, by path, or of those that a VDISK_OUTPUT_RELINKED left;
 * VDISK_NOT_FOUND behind the last. */
vdisk_status vdisk_job_image(const vdisk_job* job, uint64_t index, vdisk_tree_image* image);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
